//! Reading the XML form of the configuration.

use super::edit::{Edit, Op, SyntaxError};
use super::print_xml::KEYS_ONLY;
use super::schema::{Kind, Rule, is_wildcard};
use super::tree::{At, Word};
use crate::sim::xml::{self, Element};

/// Reads a document whose root is `configuration`, or holds one.
pub(crate) fn read_document(text: &str) -> Result<(Vec<Edit>, Vec<SyntaxError>), SyntaxError> {
    let root = xml::parse(text).map_err(|message| SyntaxError { message, ..SyntaxError::at("configuration") })?;
    let found = if root.name == "configuration" { Some(&root) } else { root.child("configuration") };
    Ok(read_xml(found.ok_or_else(|| SyntaxError::at(&root.name))?))
}

/// Reads the statements below `configuration`. What was read before an error is returned beside it.
pub(crate) fn read_xml(configuration: &Element) -> (Vec<Edit>, Vec<SyntaxError>) {
    let mut reader = Reader { edits: Vec::new(), errors: Vec::new() };
    if operation(configuration) == Op::Delete {
        reader.edits.push(Edit { op: Op::Delete, path: Vec::new() });
    }
    reader.block(At::top(), &[], &configuration.children);
    (reader.edits, reader.errors)
}

/// The element of an annotation, `junos:comment`.
const ANNOTATION: &str = "comment";

struct Reader {
    edits: Vec<Edit>,
    errors: Vec<SyntaxError>,
}

impl Reader {
    fn block(&mut self, at: At<'_>, prefix: &[Word], elements: &[Element]) {
        let mut annotations: Vec<String> = Vec::new();
        for element in elements {
            let text = element.text.trim();
            if element.name == ANNOTATION && (text.starts_with("/*") || text.starts_with('#')) {
                annotations.push(text.to_owned());
                continue;
            }
            match self.statement(at, prefix, element) {
                Ok(path) => self.annotate(&path, &std::mem::take(&mut annotations)),
                Err(error) => self.errors.push(error.placed(element.at)),
            }
        }
    }

    fn annotate(&mut self, path: &[Word], annotations: &[String]) {
        if annotations.is_empty() {
            return;
        }
        let annotate = Edit { op: Op::Annotate, path: with(path, &annotations.join("\n")) };
        // What is protected can no longer be annotated.
        let protects = self.edits.last().is_some_and(|edit| edit.op == Op::Protect && edit.path == path);
        self.edits.insert(self.edits.len() - usize::from(protects), annotate);
    }

    /// Reads one element. Gives the statement that it is.
    fn statement(&mut self, at: At<'_>, prefix: &[Word], element: &Element) -> Result<Vec<Word>, SyntaxError> {
        let At::Block(block) = at else {
            return self.open(prefix, element);
        };
        match (block.element(&element.name), block.hidden()) {
            (Some(rule), _) => self.known(rule, &with(prefix, &rule.name), element),
            (None, Some(bare)) if bare.tag == element.name && bare.kind == Kind::Leaf => {
                self.bare(bare, prefix, element)
            }
            (None, Some(list)) if list.name == element.name => self.entry(list, prefix, element),
            (None, _) if block.open => self.open(prefix, element),
            (None, _) => Err(SyntaxError::at(&element.name)),
        }
    }

    fn known(&mut self, rule: &Rule, path: &[Word], element: &Element) -> Result<Vec<Word>, SyntaxError> {
        match rule.kind {
            // A value where the grammar knows of none.
            Kind::Container if rule.open && element.children.is_empty() && !element.text.trim().is_empty() => {
                self.open(&path[..path.len() - 1], element)
            }
            Kind::Container | Kind::Presence => {
                self.push(element, path);
                if operation(element) != Op::Delete {
                    self.body(At::Block(rule), path, &element.children, rule.kind == Kind::Presence);
                    self.marks(element, path);
                }
                Ok(path.to_vec())
            }
            Kind::Flag => {
                self.push(element, path);
                if operation(element) != Op::Delete {
                    self.set(path);
                    self.marks(element, path);
                }
                Ok(path.to_vec())
            }
            Kind::List => self.entry(rule, path, element),
            Kind::Leaf | Kind::LeafList => self.leaf(rule, path, element),
        }
    }

    fn body(&mut self, at: At<'_>, path: &[Word], children: &[Element], keep: bool) {
        let inner: Vec<Element> = children.iter().filter(|child| child.name != "name").cloned().collect();
        let named_statement = matches!(at, At::Block(rule) if rule.kind != Kind::List && rule.child("name").is_some());
        let children = if named_statement { children } else { &inner };
        if keep || children.is_empty() {
            self.edits.push(Edit { op: Op::Set, path: path.to_vec() });
        }
        self.block(at, path, children);
    }

    fn entry(&mut self, list: &Rule, prefix: &[Word], element: &Element) -> Result<Vec<Word>, SyntaxError> {
        let Some(key) = element.child_text("name").filter(|key| !key.is_empty()) else {
            return self.whole_list(prefix, element);
        };
        if !list.check.accepts(key) && !is_wildcard(key) {
            return Err(SyntaxError { message: format!("invalid value '{key}'"), ..SyntaxError::at(key) });
        }
        let path = with(prefix, &list.check.kept(key));
        self.push(element, &path);
        if operation(element) != Op::Delete {
            self.body(At::Block(list), &path, &element.children, true);
            self.marks(element, &path);
        }
        Ok(path)
    }

    fn whole_list(&mut self, prefix: &[Word], element: &Element) -> Result<Vec<Word>, SyntaxError> {
        if operation(element) != Op::Delete {
            return Err(SyntaxError::at(&element.name));
        }
        self.edits.push(Edit { op: Op::Delete, path: prefix.to_vec() });
        Ok(prefix.to_vec())
    }

    fn leaf(&mut self, rule: &Rule, path: &[Word], element: &Element) -> Result<Vec<Word>, SyntaxError> {
        let value = typed(&element.text);
        let one_of_many = rule.kind == Kind::LeafList && !value.is_empty();
        let target = if one_of_many { with(path, value) } else { path.to_vec() };
        self.push(element, &target);
        if operation(element) == Op::Delete {
            return Ok(target);
        }
        if !rule.check.accepts(value) || value.is_empty() {
            return Err(SyntaxError { message: format!("invalid value '{value}'"), ..SyntaxError::at(&element.name) });
        }
        self.set(&with(path, value));
        self.marks(element, path);
        Ok(path.to_vec())
    }

    /// A value whose keyword the text form leaves out (`4` in `mac-limit 4`).
    fn bare(&mut self, rule: &Rule, prefix: &[Word], element: &Element) -> Result<Vec<Word>, SyntaxError> {
        let value = typed(&element.text);
        if !rule.check.accepts(value) {
            return Err(SyntaxError { message: format!("invalid value '{value}'"), ..SyntaxError::at(&element.name) });
        }
        let path = with(prefix, value);
        self.push(element, &path);
        if operation(element) != Op::Delete {
            self.set(&path);
            self.marks(element, &path);
        }
        Ok(path)
    }

    /// Outside the grammar: a `name` is a key, text is a value, everything else a word.
    fn open(&mut self, prefix: &[Word], element: &Element) -> Result<Vec<Word>, SyntaxError> {
        let mut path = if element.name == KEYS_ONLY { prefix.to_vec() } else { with(prefix, &element.name) };
        if let Some(key) = element.child_text("name") {
            path.push(key.into());
        }
        self.push(element, &path);
        if operation(element) == Op::Delete {
            return Ok(path);
        }
        let value = typed(&element.text);
        let children: Vec<Element> = element.children.iter().filter(|child| child.name != "name").cloned().collect();
        match (value, children.is_empty()) {
            ("", true) => self.set(&path),
            (value, true) => {
                path.push(value.into());
                self.set(&path);
            }
            (_, false) => self.block(At::Open, &path, &children),
        }
        self.marks(element, &path);
        Ok(path)
    }

    fn set(&mut self, path: &[Word]) {
        self.edits.push(Edit { op: Op::Set, path: path.to_vec() });
    }

    fn marks(&mut self, element: &Element, path: &[Word]) {
        let marks = [
            ("inactive", Op::Deactivate),
            ("active", Op::Activate),
            ("unprotect", Op::Unprotect),
            ("protect", Op::Protect),
        ];
        for (mark, op) in marks {
            if element.attribute(mark).is_some() {
                self.edits.push(Edit { op, path: path.to_vec() });
            }
        }
    }

    fn push(&mut self, element: &Element, path: &[Word]) {
        let op = operation(element);
        if op != Op::Set {
            self.edits.push(Edit { op, path: path.to_vec() });
        }
    }
}

/// The element's own operation: Junos writes `delete="delete"`, RFC 6241 section 7.2 `operation="delete"`.
fn operation(element: &Element) -> Op {
    match (element.attribute("operation"), element.attribute("delete"), element.attribute("replace")) {
        (Some("delete" | "remove"), _, _) | (None, Some(_), _) => Op::Delete,
        (Some("replace"), _, _) | (None, None, Some(_)) => Op::Replace,
        _ => Op::Set,
    }
}

/// A value as it was typed. Who lays a document out puts values on lines of their own.
fn typed(text: &str) -> &str {
    if text.contains('\n') || text.trim().is_empty() { text.trim() } else { text }
}

fn with(path: &[Word], word: &str) -> Vec<Word> {
    path.iter().cloned().chain([Word::from(word)]).collect()
}
