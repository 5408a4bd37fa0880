//! Tables as spreadsheets save them: separated by commas, semicolons, tabs or bars, with empty lines and columns at the end.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::problems::Problems;
use crate::domain::shown;

/// Possible separators; a comma if none fits better.
const SEPARATORS: &[u8] = b"|\t;,";

/// A table with a line of names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The names as they are written.
    pub names: Vec<String>,
    /// The line of the names.
    pub line: u64,
    /// Lines that are not empty.
    pub rows: Vec<Row>,
}

/// A line of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it begins, from 1: fields in quotes may go over several.
    pub line: u64,
    fields: StringRecord,
}

impl Row {
    /// The field of a column, without blanks around it; none where it is empty.
    pub fn get(&self, column: usize) -> Option<&str> {
        self.fields.get(column).filter(|text| !text.is_empty())
    }
}

/// A name as it is compared: `Primary MAC`, `primary-mac` and `primary_mac` are one.
pub fn normalized(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-', '\u{a0}'], "_")
}

impl Table {
    /// Reads a table. The separator is the one that gives most names that `is_known`, compared as by [`normalized`].
    pub fn read(text: &str, is_known: impl Fn(&str) -> bool, problems: &mut Problems) -> Self {
        let (told, text) = declared_separator(text);
        let separator = told.unwrap_or_else(|| separator_of(text, is_known));
        let broken = broken_quotes(text, separator);
        let end = broken.as_ref().map_or(text.len(), |broken| broken.record);
        let mut table = Self::default();
        for row in records(&text[..end], separator) {
            if row.fields.iter().all(str::is_empty) {
                continue;
            }
            if table.line == 0 {
                table.line = row.line;
                table.names = row.fields.iter().map(str::to_owned).collect();
            } else {
                table.check_width(&row, problems);
                table.rows.push(row);
            }
        }
        if let Some(broken) = broken {
            problems.line(line_of(text, broken.record), broken.text);
        } else if table.line == 0 {
            problems.file("is empty; its first line must name the columns");
        }
        table
    }

    /// Fields without a column would be passed over, and what they hold with them.
    fn check_width(&self, row: &Row, problems: &mut Problems) {
        let named = |column: usize| self.names.get(column).is_some_and(|name| !name.is_empty());
        let extra = (0..row.fields.len()).find(|column| !named(*column) && row.get(*column).is_some());
        if let Some(column) = extra {
            let value = shown(row.get(column).unwrap_or_default()).into_owned();
            problems.line(
                row.line,
                format!(
                    "`{value}` is in column {}, which has no name in line {}; quote fields that hold the separator",
                    column + 1,
                    self.line
                ),
            );
        }
    }
}

/// The separator that a spreadsheet wrote into the first line (`sep=;`), and the text from the end of that line on.
fn declared_separator(text: &str) -> (Option<u8>, &str) {
    let line = text.split('\n').next().unwrap_or_default();
    match line.trim_matches('"').as_bytes() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator] if separator.is_ascii() => {
            (Some(*separator), &text[line.len()..])
        }
        _ => (None, text),
    }
}

/// The separator that makes known names of the first line, else most fields.
fn separator_of(text: &str, is_known: impl Fn(&str) -> bool) -> u8 {
    let first = text.trim_start().split('\n').next().unwrap_or_default();
    let fit = |separator: &&u8| {
        let names = records(first, **separator).next().map(|row| row.fields).unwrap_or_default();
        (names.iter().filter(|name| is_known(&normalized(name))).count(), names.len())
    };
    SEPARATORS.iter().max_by_key(fit).copied().unwrap_or(b',')
}

/// All records with the lines where they begin.
fn records(text: &str, separator: u8) -> impl Iterator<Item = Row> {
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let (mut counted, mut line) = (0, 1);
    std::iter::from_fn(move || {
        let mut fields = StringRecord::new();
        // Reading text from memory does not fail.
        reader.read_record(&mut fields).ok().filter(|more| *more)?;
        let before = fields.position().map_or(0, |position| position.byte());
        let before = usize::try_from(before).unwrap_or(text.len());
        // The reader passes over empty lines before a record.
        let start = before + text[before..].bytes().take_while(|byte| *byte == b'\n').count();
        line += text[counted..start].matches('\n').count() as u64;
        counted = start;
        Some(Row { line, fields })
    })
}

fn line_of(text: &str, at: usize) -> u64 {
    1 + text[..at].matches('\n').count() as u64
}

/// Quotes that would let a field swallow others.
struct BrokenQuotes {
    /// Where the record begins.
    record: usize,
    text: &'static str,
}

/// The first field whose quotes are not as RFC 4180 has them; the reader would take it somehow.
fn broken_quotes(text: &str, separator: u8) -> Option<BrokenQuotes> {
    #[derive(PartialEq)]
    enum In {
        Start,
        Plain,
        Quotes,
        Closed,
    }
    let (mut state, mut record) = (In::Start, 0);
    for (at, byte) in text.bytes().enumerate() {
        state = match (state, byte) {
            (In::Quotes, b'"') => In::Closed,
            (In::Quotes, _) => In::Quotes,
            (In::Start | In::Closed, b'"') => In::Quotes,
            (_, b'\n') => {
                record = at + 1;
                In::Start
            }
            (_, byte) if byte == separator => In::Start,
            (In::Closed, b' ') => In::Closed,
            (In::Closed, _) => {
                return Some(BrokenQuotes {
                    record,
                    text: "text follows a closing quote; write a quote inside a field twice (\"\"), and check whether a quote \
                           is missing",
                });
            }
            (In::Start | In::Plain, _) => In::Plain,
        };
    }
    let text = "a quote is opened here and never closed";
    (state == In::Quotes).then_some(BrokenQuotes { record, text })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> (Table, String) {
        let mut problems = Problems::new(Path::new("t.csv"));
        let table = Table::read(text, |name| matches!(name, "id" | "primary_mac"), &mut problems);
        (table, problems.text())
    }

    fn rows(text: &str) -> Vec<(u64, Vec<String>)> {
        let (table, told) = read(text);
        assert_eq!(told, "", "{text}");
        table.rows.iter().map(|row| (row.line, row.fields.iter().map(str::to_owned).collect())).collect()
    }

    #[test]
    fn separators_of_spreadsheets_are_found() {
        for separator in [",", ";", "\t", "|"] {
            let text = format!(
                "id{separator}Primary MAC{separator}note, or; two\n1{separator}x{separator}\"a{separator}b\"\n"
            );
            let text = text.replace("note, or; two", "\"note, or; two\"");
            let expected = vec![(2, vec!["1".to_owned(), "x".to_owned(), format!("a{separator}b")])];
            assert_eq!(rows(&text), expected, "{text}");
        }
        assert_eq!(rows("sep=;\nid;other\n1;2\n")[0].0, 3);
        assert_eq!(rows("id\n1;2\n")[0].1, ["1;2"]);
    }

    #[test]
    fn each_row_has_the_line_where_it_begins() {
        let text = "\n\nid,note\n1,\"a\nb\"\n\n,,\n2,\"say \"\"x\"\"\"\n,,,\n3,19\" rack\n";
        let told: Vec<(u64, String)> = rows(text).into_iter().map(|(line, row)| (line, row.join("/"))).collect();
        let expected = [(4, "1/a\nb"), (8, "2/say \"x\""), (10, "3/19\" rack")];
        assert_eq!(told, expected.map(|(line, row)| (line, row.to_owned())));
    }

    #[test]
    fn quotes_that_would_swallow_lines_are_refused_and_the_lines_before_are_read() {
        let (table, told) = read("id,note\n1,x\n2,\"open\n3,y\n");
        assert_eq!((table.rows.len(), told.as_str()), (1, "t.csv, line 3: a quote is opened here and never closed"));
        let (_, told) = read("id,note\n1,\"open\n2,y\n3,\"closed\"\n");
        assert!(told.starts_with("t.csv, line 2: text follows a closing quote"), "{told}");
    }

    #[test]
    fn a_field_without_a_column_is_refused_and_empty_ones_are_not() {
        let (table, told) = read("id,note,,\n1,x,,,,\n2,x,,y\n3,a,b\n");
        assert_eq!(table.rows.len(), 3);
        insta::assert_snapshot!(told, @"
        t.csv, line 3: `y` is in column 4, which has no name in line 1; quote fields that hold the separator
        t.csv, line 4: `b` is in column 3, which has no name in line 1; quote fields that hold the separator
        ");
        assert_eq!(read("\n \n").1, "t.csv: is empty; its first line must name the columns");
    }
}
