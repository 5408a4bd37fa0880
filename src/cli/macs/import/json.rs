//! MACs from JSON: a list of objects as NetBox's API has them, or a page that is all there is.

use super::entry::{Entry, is_of_macs};
use crate::cli::import_files::{Node, NodeAtLine, Problems, json, normalized};
use crate::store::ElsewhereMac;

/// Keys of a page that name another page, or show that there is one.
const MORE: &[&str] = &["next", "next_page", "next_url", "next_cursor", "has_more", "previous"];
/// Keys with the number of all entries.
const COUNTS: &[&str] = &["count", "total", "total_count"];

const EXPECTED: &str = "expected a list of objects with `mac_address`, `primary_mac_address` or `mac_addresses`";
const ALL_PAGES: &str = "fetch all pages (follow `next`) and join them into one list: \
                         jq -s 'map(.results) | add' page-*.json > all.json";

/// Reads all MACs of all objects; those without any are passed over.
pub fn read(text: &str, problems: &mut Problems) -> Vec<ElsewhereMac> {
    let mut macs = Vec::new();
    let Some(root) = json(text, problems) else { return macs };
    let (path, entries) = match (&root.node, root.node.get("results").map(|results| &results.node)) {
        (Node::List(entries), _) => ("", entries),
        (page, Some(Node::List(entries))) => {
            check_whole(page, entries.len(), problems);
            ("results", entries)
        }
        _ => {
            problems.line(root.line, EXPECTED);
            return macs;
        }
    };
    let mut any = entries.is_empty();
    for (at, spot) in entries.iter().enumerate() {
        let Node::Map(_) = &spot.node else {
            problems.field(spot.line, format!("{path}[{at}]"), format!("{EXPECTED}, not {}", spot.node.kind()));
            continue;
        };
        let note = match spot.node.get("description").map(|note| &note.node) {
            Some(Node::Text(note)) => Some(note.as_str()),
            _ => None,
        };
        let mut found = EntryWalker { entry: Entry::new(note), macs: &mut macs, problems, any: &mut any };
        found.walk(spot, &format!("{path}[{at}]"), false);
    }
    if !any && problems.is_empty() {
        problems.file(format!("none of its entries has a field of MAC addresses; {EXPECTED}"));
    }
    macs
}

/// A page that is not all there is would leave MACs unknown that are in use.
fn check_whole(page: &Node, here: usize, problems: &mut Problems) {
    let said = COUNTS.iter().find_map(|key| match page.get(key)?.node {
        Node::Integer(count) => usize::try_from(count).ok(),
        _ => None,
    });
    let more = |key: &&&str| match page.get(key).map(|spot| &spot.node) {
        None | Some(Node::Bool(false)) => false,
        Some(Node::Text(text)) => !text.is_empty(),
        Some(_) => true,
    };
    let key = MORE.iter().find(more);
    let of = said.filter(|count| *count != here).map(|count| format!(" of {count}")).unwrap_or_default();
    if key.is_some() || !of.is_empty() {
        let line = key.or(COUNTS.first()).and_then(|key| page.get(key)).map_or(1, |spot| spot.line);
        problems.line(line, format!("is one page of several, with {here}{of} entries; {ALL_PAGES}"));
    }
}

/// The MACs of one object.
struct EntryWalker<'a> {
    entry: Entry<'a>,
    macs: &'a mut Vec<ElsewhereMac>,
    problems: &'a mut Problems,
    /// Whether any key of MACs was there, filled or not.
    any: &'a mut bool,
}

impl EntryWalker<'_> {
    /// `of_macs` if the value is under a key of MACs: text, an object with one, or a list of either.
    fn walk(&mut self, spot: &NodeAtLine, path: &str, of_macs: bool) {
        match &spot.node {
            Node::Text(text) if of_macs && !text.trim().is_empty() => {
                self.entry.add_macs(path, spot.line, text, self.macs, self.problems);
            }
            Node::Bool(_) | Node::Integer(_) | Node::Other(_) if of_macs => {
                let text = format!("expected a MAC address in quotes, not {}", spot.node.kind());
                self.problems.field(spot.line, path, text);
            }
            Node::List(spots) => {
                spots.iter().enumerate().for_each(|(at, spot)| self.walk(spot, &format!("{path}[{at}]"), of_macs));
            }
            Node::Map(pairs) => {
                if of_macs && !pairs.iter().any(|(key, _)| is_of_macs(&normalized(key))) {
                    self.problems.field(
                        spot.line,
                        path,
                        "refers to a MAC without giving it; ask the API for whole objects",
                    );
                }
                for (key, value) in pairs {
                    let of_macs = is_of_macs(&normalized(key));
                    *self.any |= of_macs;
                    self.walk(value, &format!("{path}.{key}"), of_macs);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn told(text: &str) -> (Vec<String>, String) {
        let mut problems = Problems::new(Path::new("m.json"));
        let macs = read(text, &mut problems);
        let mac = |entry: ElsewhereMac| {
            let note = entry.note.map(|note| format!(" {note}")).unwrap_or_default();
            format!("{} {}{note}", entry.line, entry.mac_address)
        };
        (macs.into_iter().map(mac).collect(), problems.text())
    }

    fn macs(text: &str) -> Vec<String> {
        let (macs, told) = told(text);
        assert_eq!(told, "", "{text}");
        macs
    }

    #[test]
    fn objects_of_every_version_of_netbox_are_read_and_those_without_macs_passed_over() {
        let old = r#"[{"id": 1, "mac_address": "02:A5:00:00:00:01", "description": "x"}, {"mac_address": null}]"#;
        assert_eq!(macs(old), ["1 02:a5:00:00:00:01 x"]);
        let interfaces = r#"{"count": 2, "next": null, "previous": null, "results": [
            {"id": 1, "name": "eth0", "mac_address": "00:00:5E:00:53:01", "description": "uplink",
             "primary_mac_address": {"id": 7, "display": "00:00:5E:00:53:01", "mac_address": "00:00:5E:00:53:01"},
             "mac_addresses": [{"id": 7, "mac_address": "00:00:5E:00:53:01"},
                               {"id": 8, "mac_address": "00:00:5E:00:53:02"}], "custom_fields": {"bmc_mac": null}},
            {"id": 2, "name": "lo", "mac_address": null, "primary_mac_address": null, "mac_addresses": []}]}"#;
        assert_eq!(macs(interfaces), ["2 00:00:5e:00:53:01 uplink", "5 00:00:5e:00:53:02 uplink"]);
        let objects = r#"{"results": [{"id": 1, "display": "x", "mac_address": "00:00:5E:00:53:03",
            "assigned_object": {"id": 1, "device": {"name": "h"}, "name": "eth0"}}]}"#;
        assert_eq!(macs(objects), ["1 00:00:5e:00:53:03"]);
        assert_eq!(macs(r#"[{"custom_fields": {"bmc_mac": "02a5.0000.0007"}}]"#), ["1 02:a5:00:00:00:07"]);
        assert_eq!(macs("[]"), [""; 0]);
    }

    #[test]
    fn a_page_that_is_not_all_is_refused_with_what_to_do() {
        let page = |rest: &str| told(&format!(r#"{{{rest}, "results": [{{"mac_address": "02:a5:00:00:00:01"}}]}}"#)).1;
        let next = page(r#""count": 120, "next": "https://netbox.example.net/?offset=1", "previous": null"#);
        assert!(next.starts_with("m.json, line 1: is one page of several, with 1 of 120 entries; fetch all"), "{next}");
        for part in [
            r#""count": 2, "next": null"#,
            r#""next": "x""#,
            r#""previous": "x""#,
            r#""has_more": true"#,
            r#""total": 7"#,
        ] {
            assert!(page(part).contains("is one page of several"), "{part}");
        }
        for part in [r#""count": 1, "next": null"#, r#""next": """#, r#""has_more": false"#] {
            assert_eq!(page(part), "", "{part}");
        }
    }

    #[test]
    fn everything_that_cannot_be_read_is_told_with_line_and_path() {
        let text = "[{\"mac_address\": \"02:a5:00:00:00:01\"},\n {\"mac_address\": 7,\n \"mac_addresses\": [{\"mac_address\": \"xx\"}, 7, {\"id\": 7}]}, 5]";
        insta::assert_snapshot!(told(text).1, @"
        m.json, line 2, [1].mac_address: expected a MAC address in quotes, not a number
        m.json, line 3, [1].mac_addresses[0].mac_address: `xx` is not a MAC address; expected one such as 02:a1:b2:c3:d4:e5, or several separated by commas
        m.json, line 3, [1].mac_addresses[1]: expected a MAC address in quotes, not a number
        m.json, line 3, [1].mac_addresses[2]: refers to a MAC without giving it; ask the API for whole objects
        m.json, line 3, [2]: expected a list of objects with `mac_address`, `primary_mac_address` or `mac_addresses`, not a number
        ");
        for text in ["{}", "{\"data\": []}", "7"] {
            assert!(told(text).1.contains("expected a list of objects"), "{text}");
        }
        assert!(told("[{\"name\": \"x\"}]").1.contains("none of its entries has a field of MAC addresses"));
    }
}
