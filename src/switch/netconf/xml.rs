//! A tolerant XML reader: elements by local name, as a small tree.
//!
//! Junos sends what a strict reader refuses: comments before the root, elements that are never closed
//! (`routing-engine` in commit replies of some multi-RE systems, ncclient's `junos.py`), text of daemons
//! beside elements. So: names count without their prefix, an end tag closes everything opened inside its
//! element, an end tag that matches nothing is passed over, and what is open at the end is closed.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Deepest nesting that is read; Junos configurations stay far below.
const DEPTH_MAX: usize = 128;

/// An element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name without prefix.
    pub name: String,
    /// Its attributes, names without prefix.
    pub attributes: Vec<(String, String)>,
    /// The text directly in it, all pieces together; white space alone does not count.
    pub text: String,
    /// The elements directly in it.
    pub children: Vec<Element>,
}

/// Why a text cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Broken beyond what is tolerated.
    #[error("broken XML at byte {at}")]
    Broken {
        /// Where.
        at: u64,
    },
    /// Nested deeper than anything real.
    #[error("nested deeper than {DEPTH_MAX} elements")]
    TooDeep,
    /// There is no element.
    #[error("no element")]
    Empty,
}

impl Element {
    /// Reads a text; of several roots the first.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn read(text: &str) -> Result<Self, XmlError> {
        let mut reader = tolerant(text);
        let mut open = vec![Self::default()];
        loop {
            let event = reader.read_event().map_err(|_| XmlError::Broken { at: reader.error_position() })?;
            match event {
                Event::Start(start) => open.push(Self::opened(&start)),
                Event::Empty(start) => add(&mut open, Self::opened(&start)),
                Event::End(end) => close(&mut open, local(end.name().as_ref())),
                Event::Text(text) => say(&mut open, &text.xml_content(XmlVersion::Implicit1_0)),
                Event::CData(text) => say(&mut open, &text.xml_content(XmlVersion::Implicit1_0)),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(symbol)) => symbol.to_string(),
                        _ => named(&reference).to_owned(),
                    };
                    say(&mut open, &resolved);
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
            if open.len() > DEPTH_MAX {
                return Err(XmlError::TooDeep);
            }
        }
        while open.len() > 1 {
            close_last(&mut open);
        }
        open.pop().and_then(|outside| outside.children.into_iter().next()).ok_or(XmlError::Empty)
    }

    /// Reads the start tag of the first root alone.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn read_start(text: &str) -> Result<Self, XmlError> {
        let mut reader = tolerant(text);
        loop {
            match reader.read_event().map_err(|_| XmlError::Broken { at: reader.error_position() })? {
                Event::Start(start) | Event::Empty(start) => return Ok(Self::opened(&start)),
                Event::Eof => return Err(XmlError::Empty),
                _ => {}
            }
        }
    }

    fn opened(start: &BytesStart<'_>) -> Self {
        let attributes = start
            .attributes()
            .flatten()
            .map(|attribute| (local(attribute.key.as_ref()).to_owned(), attribute.value.clone().into_owned()));
        Self { name: local(start.name().as_ref()).to_owned(), attributes: attributes.collect(), ..Self::default() }
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The trimmed text of the first child of this name, when there is any.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// True for a statement that the switch keeps and ignores (JNPR: `inactive="inactive"`, on any element).
    pub fn is_inactive(&self) -> bool {
        self.attribute("inactive").is_some()
    }

    /// The first child of this name that is in force.
    pub fn active_child(&self, name: &str) -> Option<&Self> {
        self.child(name).filter(|child| !child.is_inactive())
    }

    /// All children of this name that are in force.
    pub fn active<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.all(name).filter(|child| !child.is_inactive())
    }

    /// The first element of this name at any depth, itself included.
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name { Some(self) } else { self.children.iter().find_map(|child| child.find(name)) }
    }

    /// Calls `visit` with every element, itself first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        self.children.iter().for_each(|child| child.walk(visit));
    }
}

fn tolerant(text: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    reader
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}

fn add(open: &mut [Element], element: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(element);
    }
}

/// The space between elements is left out: in a large configuration it would be most of what is held.
fn say(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut()
        && !(element.text.is_empty() && text.trim().is_empty())
    {
        element.text.push_str(text);
    }
}

fn close_last(open: &mut Vec<Element>) {
    if let Some(element) = open.pop() {
        add(open, element);
    }
}

/// Closes the innermost element of that name with everything inside it; nothing when none is open.
fn close(open: &mut Vec<Element>, name: &str) {
    if let Some(at) = open.iter().skip(1).rposition(|element| element.name == name) {
        while open.len() > at + 1 {
            close_last(open);
        }
    }
}

/// The five entities of XML 1.0, section 4.6; others are left out.
fn named(entity: &str) -> &'static str {
    match entity {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefixes_comments_and_entities_are_read_through() {
        let text = "\u{feff}<!-- hi --><nc:a xmlns:nc=\"x\"><b k='v'>1 &lt; &#50;</b>\n<c/></nc:a>";
        let root = Element::read(text).expect("readable");
        assert_eq!(root.name, "a");
        assert_eq!(root.text_of("b"), Some("1 < 2"));
        assert_eq!(root.child("b").and_then(|b| b.attribute("k")), Some("v"));
    }

    #[test]
    fn what_is_never_closed_is_closed_by_the_end_of_what_holds_it() {
        let text = "<rpc-reply><commit-results><routing-engine><name>fpc0</name><commit-success/></commit-results><ok/></rpc-reply>";
        let root = Element::read(text).expect("readable");
        assert!(root.child("ok").is_some());
        assert!(root.find("commit-success").is_some());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(<[/!?]?[a-c:]{0,3}[/]?>?|[ -~]{0,5}|&#?[a-z0-9]{0,4};?){0,40}") {
            let _ = Element::read(&text);
        }
    }
}
