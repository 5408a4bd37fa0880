//! The MACs of a list, and the names under which lists have them.

use std::collections::HashSet;

use crate::cli::import_files::Problems;
use crate::domain::{Mac, shown};
use crate::store::ElsewhereMac;

/// Longest note, characters.
const NOTE_CHARS_MAX: usize = 200;
/// Words in the name of a column or key of MACs, whatever else the name has: `Primary MAC`, `mac_addresses`, `bmc-mac`.
const MAC_WORDS: &[&str] = &["mac", "macs", "hwaddr", "hwaddress", "lladdr"];
/// Words of names that say something about a MAC instead.
const OTHER_WORDS: &[&str] = &["count", "limit", "manufacturer", "status", "table", "type", "vendor"];

/// True when what has this name, written as `plain` does, are MACs.
pub fn is_of_macs(name: &str) -> bool {
    let words = || name.split('_').map(|word| word.trim_end_matches(|symbol: char| symbol.is_ascii_digit()));
    // `primaryMacAddress` is one word by now.
    let of_macs = |word: &str| MAC_WORDS.contains(&word) || word.contains("macaddr");
    let is_macs = words().any(of_macs) || name == "hardware_address";
    is_macs && !words().any(|word| OTHER_WORDS.contains(&word))
}

/// An entry of a list, with its note for its MACs.
pub struct Entry<'a> {
    note: Option<&'a str>,
    /// Each MAC once, however often the entry names it.
    seen: HashSet<Mac>,
}

impl<'a> Entry<'a> {
    pub fn new(note: Option<&'a str>) -> Self {
        Self { note, seen: HashSet::new() }
    }

    /// Takes the MACs of a field: one, or several with commas, semicolons, bars or blanks between.
    pub fn add_macs(
        &mut self,
        field: &str,
        line: u64,
        text: &str,
        macs: &mut Vec<ElsewhereMac>,
        problems: &mut Problems,
    ) {
        let whole = text.trim();
        let parts = match whole.parse::<Mac>() {
            Ok(_) => vec![whole],
            Err(_) => whole.split([',', ';', '|', ' ', '\n', '\t']).filter(|part| !part.is_empty()).collect(),
        };
        let read: Result<Vec<Mac>, _> = parts.iter().map(|part| part.parse::<Mac>()).collect();
        match read {
            Ok(read) if !read.is_empty() => {
                let note = || self.note.filter(|note| !note.is_empty());
                let note = note().map(|note| note.chars().take(NOTE_CHARS_MAX).collect::<String>());
                for mac_address in read.into_iter().filter(|mac| self.seen.insert(*mac)) {
                    macs.push(ElsewhereMac { mac_address, note: note.clone(), line });
                }
            }
            Err(error) if parts.iter().any(|part| part.parse::<Mac>().is_ok()) => problems.field(line, field, error),
            // The error shows the whole field, not just its first word.
            _ => problems.field(line, field, format!("`{}` is not a MAC address; {WHAT_TO_DO}", short(whole))),
        }
    }
}

const WHAT_TO_DO: &str = "expected one such as 02:a1:b2:c3:d4:e5, or several separated by commas";

fn short(text: &str) -> String {
    shown(&text.chars().take(80).collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_macs_are_known_and_what_is_said_about_them_is_not() {
        for name in ["mac", "mac_address", "primary_mac", "mac_addresses", "bmc_mac", "mac2", "primarymacaddress"] {
            assert!(is_of_macs(name), "{name}");
        }
        for name in ["name", "machine", "mac_vendor", "mac_count", "address", "description"] {
            assert!(!is_of_macs(name), "{name}");
        }
    }
}
