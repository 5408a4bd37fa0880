//! JSON and TOML with the line of each value: what a deserializer refuses first would hide all else that is wrong.

use std::cell::Cell;
use std::fmt;
use std::io::Read;
use std::rc::Rc;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::Problems;

/// A value and its line.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeAtLine {
    /// From 1; in an object the line of the value's key.
    pub line: u64,
    pub node: Node,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    Integer(i64),
    /// Another number, or a date, as it is written.
    Other(String),
    Text(String),
    List(Vec<NodeAtLine>),
    /// In the file's order; a key may come twice.
    Map(Vec<(String, NodeAtLine)>),
}

impl Node {
    /// The value of a key; none where there is none or it is null.
    pub fn get(&self, key: &str) -> Option<&NodeAtLine> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(name, _)| name == key).map(|(_, spot)| spot).filter(|spot| spot.node != Self::Null)
    }

    /// What it is, as in "expected text, not a number".
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Integer(_) | Self::Other(_) => "a number",
            Self::Text(_) => "text in quotes",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

/// Reads JSON; where it is none, its first error is noted.
pub fn json(text: &str, problems: &mut Problems) -> Option<NodeAtLine> {
    let line = Rc::new(Cell::new(1));
    let input = Counted { rest: text.as_bytes(), line: line.clone() };
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let read = Seed(&line).deserialize(&mut deserializer).and_then(|spot| deserializer.end().map(|()| spot));
    read.map_err(|error| {
        let (at, told) = (error.line() as u64, error.to_string());
        let what = told.split(" at line ").next().unwrap_or_default();
        problems.line(at.max(1), format!("is not valid JSON: {what} (column {})", error.column()));
    })
    .ok()
}

/// Bytes, and the line of the last one that was read. The deserializer looks one byte ahead at most.
struct Counted<'a> {
    rest: &'a [u8],
    line: Rc<Cell<u64>>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.rest.read(buffer)?;
        let ends = buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        self.line.set(self.line.get() + ends as u64);
        Ok(count)
    }
}

/// Reads the value at the current line of the input.
struct Seed<'a>(&'a Cell<u64>);

impl Seed<'_> {
    fn spot(&self, node: Node) -> NodeAtLine {
        NodeAtLine { line: self.0.get(), node }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = NodeAtLine;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<NodeAtLine, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = NodeAtLine;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<NodeAtLine, E> {
        Ok(self.spot(Node::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<NodeAtLine, E> {
        Ok(self.spot(Node::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<NodeAtLine, E> {
        Ok(self.spot(Node::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<NodeAtLine, E> {
        Ok(self.spot(i64::try_from(value).map_or_else(|_| Node::Other(value.to_string()), Node::Integer)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<NodeAtLine, E> {
        Ok(self.spot(Node::Other(value.to_string())))
    }

    fn visit_str<E>(self, value: &str) -> Result<NodeAtLine, E> {
        Ok(self.spot(Node::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NodeAtLine, A::Error> {
        let (line, mut spots) = (self.0.get(), Vec::new());
        while let Some(spot) = list.next_element_seed(Seed(self.0))? {
            spots.push(spot);
        }
        Ok(NodeAtLine { line, node: Node::List(spots) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeAtLine, A::Error> {
        let (line, mut pairs) = (self.0.get(), Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            let at = self.0.get();
            let value = map.next_value_seed(Seed(self.0))?;
            pairs.push((key, NodeAtLine { line: at, ..value }));
        }
        Ok(NodeAtLine { line, node: Node::Map(pairs) })
    }
}

/// Reads TOML; where it is none, all its errors are noted.
pub fn toml(text: &str, problems: &mut Problems) -> Option<NodeAtLine> {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let line_of = |at: usize| 1 + ends.partition_point(|end| *end < at) as u64;
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = line_of(error.span().map_or(0, |span| span.start));
        problems.line(line, format!("is not valid TOML: {}", error.message()));
    }
    errors.is_empty().then(|| NodeAtLine { line: 1, node: map(table.get_ref(), &line_of) })
}

fn map(table: &DeTable<'_>, line_of: &impl Fn(usize) -> u64) -> Node {
    let mut pairs: Vec<(String, NodeAtLine)> = table
        .iter()
        .map(|(key, value)| {
            let line = line_of(key.span().start);
            (key.get_ref().to_string(), NodeAtLine { line, ..spot(value, line_of) })
        })
        .collect();
    pairs.sort_by_key(|(_, spot)| spot.line);
    Node::Map(pairs)
}

fn spot(value: &Spanned<DeValue<'_>>, line_of: &impl Fn(usize) -> u64) -> NodeAtLine {
    let node = match value.get_ref() {
        DeValue::String(text) => Node::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Node::Other(number.to_string()), Node::Integer),
        DeValue::Float(number) => Node::Other(number.to_string()),
        DeValue::Boolean(value) => Node::Bool(*value),
        DeValue::Datetime(time) => Node::Other(time.to_string()),
        DeValue::Array(list) => Node::List(list.iter().map(|value| spot(value, line_of)).collect()),
        DeValue::Table(table) => map(table, line_of),
    };
    NodeAtLine { line: line_of(value.span().start), node }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Each value with its path and line.
    fn lines(spot: &NodeAtLine, path: &str, told: &mut Vec<String>) {
        match &spot.node {
            Node::Map(pairs) => pairs.iter().for_each(|(key, value)| lines(value, &format!("{path}.{key}"), told)),
            Node::List(spots) => {
                spots.iter().enumerate().for_each(|(at, value)| lines(value, &format!("{path}[{at}]"), told));
            }
            node => told.push(format!("{}{path} {node:?}", spot.line)),
        }
    }

    fn told(read: fn(&str, &mut Problems) -> Option<NodeAtLine>, text: &str) -> String {
        let mut problems = Problems::new(Path::new("f"));
        let mut told = Vec::new();
        if let Some(spot) = read(text, &mut problems) {
            lines(&spot, "", &mut told);
        }
        told.push(problems.text());
        told.join("\n").trim_end().to_owned()
    }

    #[test]
    fn each_value_of_json_has_its_line() {
        let text =
            "{\"a\": [1,\n \"x\", {\"b\":\n\n null}],\n\"c\"\n:\n2.5, \"c\": 18446744073709551615,\n\"d\": true}";
        insta::assert_snapshot!(told(json, text), @r#"
        1.a[0] Integer(1)
        2.a[1] Text("x")
        2.a[2].b Null
        5.c Other("2.5")
        7.c Other("18446744073709551615")
        8.d Bool(true)
        "#);
    }

    #[test]
    fn each_value_of_toml_has_its_line() {
        let text = "[[a]]\nb = 1\nc = [\n \"x\",\n 1.5]\n\n[[a]]\nb = 0x10\nd.e = true\n";
        insta::assert_snapshot!(told(toml, text), @r#"
        2.a[0].b Integer(1)
        4.a[0].c[0] Text("x")
        5.a[0].c[1] Other("1.5")
        8.a[1].b Integer(16)
        9.a[1].d.e Bool(true)
        "#);
    }

    #[test]
    fn what_is_neither_is_told_with_its_line() {
        assert_eq!(told(json, "{\"a\":\n1,}"), "f, line 2: is not valid JSON: trailing comma (column 3)");
        assert!(told(json, "").starts_with("f, line 1: is not valid JSON: EOF"), "{}", told(json, ""));
        assert!(told(json, "{}\n{}").starts_with("f, line 2: is not valid JSON: trailing characters"));
        let both = told(toml, "a = \nb = 1\nc = x y\n");
        assert!(both.contains("line 1: is not valid TOML") && both.contains("line 3: is not valid TOML"), "{both}");
    }
}
