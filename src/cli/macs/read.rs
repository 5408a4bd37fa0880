//! Reading lists of MACs: CSV with a column of them, and what NetBox exports.

use std::io::Read;

use csv::StringRecord;
use serde::Deserialize;
use serde_json::Value;

use super::lines::Lines;
use crate::domain::Mac;
use crate::store::ElsewhereMac;

/// Names of the column of MACs, as `plain` writes them; the first that is there counts.
const MAC_COLUMNS: &[&str] = &["mac", "mac_address", "primary_mac_address"];
/// Longest note, characters.
const NOTE_CHARS_MAX: usize = 200;

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    pub macs: Vec<ElsewhereMac>,
    pub bad: Vec<BadLine>,
}

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub line: u64,
    pub problem: String,
}

impl List {
    fn add(&mut self, line: u64, text: Option<&str>, note: Option<&str>) {
        match text.unwrap_or_default().parse::<Mac>() {
            Ok(mac_address) => {
                let note = note.filter(|note| !note.is_empty()).map(|note| note.chars().take(NOTE_CHARS_MAX).collect());
                self.macs.push(ElsewhereMac { mac_address, note, line });
            }
            Err(error) => self.bad.push(BadLine { line, problem: error.to_string() }),
        }
    }
}

/// Reads CSV, a line at a time; with `may_lack` lines whose MAC is empty are passed over.
///
/// # Errors
/// When there is no column of MACs, or the file cannot be read.
pub(super) fn csv(input: impl Read, may_lack: bool) -> Result<List, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(Lines::new(input));
    let columns: Vec<String> = reader.headers().map_err(|error| error.to_string())?.iter().map(plain).collect();
    let column = |name: &str| columns.iter().position(|column| column == name);
    let mac = MAC_COLUMNS.iter().find_map(|name| column(name));
    let mac = mac.ok_or_else(|| format!("no column of MACs; one must be named {}", MAC_COLUMNS.join(", ")))?;
    let note = column("description");
    let mut list = List::default();
    let mut record = StringRecord::new();
    loop {
        let read = reader.read_record(&mut record);
        let line = reader.get_ref().line_of(reader.position().byte().saturating_sub(1));
        match read {
            Ok(false) => return Ok(list),
            Ok(true) => {
                let within = record.iter().flat_map(str::bytes).filter(|byte| *byte == b'\n').count();
                let line = line - within as u64;
                let text = record.get(mac);
                if !(may_lack && text.is_none_or(str::is_empty)) {
                    list.add(line, text, note.and_then(|note| record.get(note)));
                }
            }
            Err(error) if error.is_io_error() => return Err(error.to_string()),
            Err(error) => list.bad.push(BadLine { line, problem: error.to_string() }),
        }
    }
}

/// A column's name as it is compared: NetBox writes `MAC address` where its API writes `mac_address`.
fn plain(name: &str) -> String {
    name.trim_start_matches('\u{feff}').to_lowercase().replace([' ', '-'], "_")
}

/// An object of NetBox; all else that it has is passed over.
#[derive(Debug, Deserialize)]
struct Entry {
    mac_address: Option<Value>,
    primary_mac_address: Option<Value>,
    description: Option<String>,
}

/// A list of them, or a page of its API.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Export {
    List(Vec<Entry>),
    Page { results: Vec<Entry> },
}

/// Reads a JSON export of NetBox; an entry's line is its number from 1. Entries without a MAC are passed over.
///
/// # Errors
/// When it is no such JSON.
pub(super) fn json(input: impl Read) -> Result<List, String> {
    let export: Export = serde_json::from_reader(input).map_err(|error| match error.is_data() {
        true => "expected a JSON list of objects with `mac_address` or `primary_mac_address`".to_owned(),
        false => error.to_string(),
    })?;
    let (Export::List(entries) | Export::Page { results: entries }) = export;
    let mut list = List::default();
    for (line, entry) in (1..).zip(entries) {
        let value = entry.primary_mac_address.or(entry.mac_address).unwrap_or_default();
        // NetBox 4.2 and later nest the primary one.
        let value = if value.is_object() { value["mac_address"].clone() } else { value };
        match value.as_str() {
            None if value.is_null() => {}
            Some("") => {}
            text => list.add(line, text.or(Some("(no text)")), entry.description.as_deref()),
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn macs(list: &List) -> Vec<String> {
        list.macs.iter().map(|entry| entry.mac_address.to_string()).collect()
    }

    #[test]
    fn every_notation_is_read_with_its_line_and_note() {
        let text = "name,MAC,Description\na,02:A5:00:00:00:01,old router\nb,02-a5-00-00-00-02,\n\n\"c\nc\",02a5.0000.0003\r\n\r\nd,02a500000004,x";
        let list = csv(text.as_bytes(), false).expect("a list");
        assert_eq!(macs(&list), ["02:a5:00:00:00:01", "02:a5:00:00:00:02", "02:a5:00:00:00:03", "02:a5:00:00:00:04"]);
        let lines: Vec<u64> = list.macs.iter().map(|entry| entry.line).collect();
        assert_eq!((lines, list.bad.len()), (vec![2, 3, 5, 8], 0));
        assert_eq!((list.macs[0].note.as_deref(), list.macs[1].note.as_deref()), (Some("old router"), None));
    }

    #[test]
    fn every_bad_line_is_named() {
        let list =
            csv(b"mac_address\n02:a5:00:00:00:01\nrouter\n\"\"\n02:a5\n\xff\n".as_slice(), false).expect("a list");
        let lines: Vec<u64> = list.bad.iter().map(|bad| bad.line).collect();
        assert_eq!((lines, list.macs.len()), (vec![3, 4, 5, 6], 1));
        assert!(list.bad[0].problem.contains("`router` is not a MAC address"), "{:?}", list.bad);
        assert!(csv("name\nx\n".as_bytes(), false).expect_err("refused").contains("no column of MACs"));
    }

    #[test]
    fn exports_of_netbox_are_read_and_what_has_no_mac_passed_over() {
        let interfaces =
            "\u{feff}Device,Name,Primary MAC address,Description\nr1,ge-0/0/0,02:A5:00:00:00:01,up\nr1,lo0,,\n";
        let list = csv(interfaces.as_bytes(), true).expect("a list");
        assert_eq!((macs(&list), list.bad.len()), (vec!["02:a5:00:00:00:01".to_owned()], 0));
        for (text, expected) in [
            (r#"[{"id": 1, "mac_address": "02:A5:00:00:00:01", "description": "x"}, {"mac_address": null}]"#, 1),
            (
                r#"{"count": 2, "results": [{"primary_mac_address": {"id": 7, "mac_address": "02:A5:00:00:00:01"}}, {}]}"#,
                1,
            ),
            (r#"[{"primary_mac_address": null, "mac_address": "02:a5:00:00:00:02"}]"#, 1),
            ("[]", 0),
        ] {
            let list = json(text.as_bytes()).expect("a list");
            assert_eq!((list.macs.len(), list.bad.len()), (expected, 0), "{text}");
        }
        let list = json(r#"[{"mac_address": "02:a5:00:00:00:01"}, {"mac_address": 7}]"#.as_bytes()).expect("a list");
        assert_eq!((list.macs.len(), list.bad[0].line), (1, 2));
        assert!(json("{}".as_bytes()).expect_err("refused").contains("expected a JSON list"));
        assert!(json("[".as_bytes()).is_err());
    }
}
