//! A small element tree for requests. Namespaces are dropped: a switch goes by local names.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::QName;

/// An element with its attributes, text and children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    pub name: String,
    /// Attributes by their local name, entities resolved.
    pub attributes: Vec<(String, String)>,
    /// The attributes as they were written, to be echoed.
    pub raw_attributes: String,
    pub text: String,
    pub children: Vec<Element>,
    /// Where it starts, in bytes.
    pub at: usize,
}

impl Element {
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.child(name).is_some()
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The text of the child called `name`, trimmed.
    pub(crate) fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }
}

/// Reads one document; what comes before the root (declaration, comments) is skipped.
pub(crate) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(0);
        let done = match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                open.push(element(&start, at)?);
                None
            }
            Event::Empty(start) => close(&mut open, element(&start, at)?),
            Event::End(_) => open.pop().and_then(|last| close(&mut open, last)),
            Event::Eof => return Err("premature end of document".to_owned()),
            other => {
                text_of(&other, open.last_mut())?;
                None
            }
        };
        if let Some(root) = done {
            return Ok(root);
        }
    }
}

fn close(open: &mut [Element], element: Element) -> Option<Element> {
    match open.last_mut() {
        Some(parent) => {
            parent.children.push(element);
            None
        }
        None => Some(element),
    }
}

fn text_of(event: &Event<'_>, target: Option<&mut Element>) -> Result<(), String> {
    let Some(target) = target else { return Ok(()) };
    match event {
        Event::Text(text) => target.text.push_str(&text.xml10_content()),
        Event::CData(data) => target.text.push_str(&data.xml10_content()),
        Event::GeneralRef(reference) => {
            let resolved = quick_xml::escape::unescape(&format!("&{};", reference.xml10_content()))
                .map_err(|error| error.to_string())?
                .into_owned();
            target.text.push_str(&resolved);
        }
        _ => {}
    }
    Ok(())
}

fn element(start: &BytesStart<'_>, at: usize) -> Result<Element, String> {
    let mut element = Element {
        at,
        name: local(start.name()),
        raw_attributes: start.attributes_raw().trim().to_owned(),
        ..Element::default()
    };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value =
            attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        element.attributes.push((local(attribute.key), value.into_owned()));
    }
    Ok(element)
}

fn local(name: QName<'_>) -> String {
    AsRef::<str>::as_ref(&name.local_name()).to_owned()
}

/// Escapes character data.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_comments_and_entities_are_read() {
        let root = parse(
            "<?xml version=\"1.0\"?><!-- hi --><nc:rpc xmlns:nc=\"urn:x\" message-id=\"a&amp;b\"><nc:x> 1 &lt; 2 </nc:x><y/></nc:rpc>",
        );
        let root = root.unwrap();
        assert_eq!((root.name.as_str(), root.attribute("message-id")), ("rpc", Some("a&b")));
        assert_eq!(root.child_text("x"), Some("1 < 2"));
        assert!(root.has("y") && root.raw_attributes.contains("a&amp;b"));
    }

    #[test]
    fn a_broken_document_is_an_error() {
        assert!(parse("<a><b></a>").is_err());
        assert!(parse("<a>").is_err());
        assert!(parse("").is_err());
    }
}
