//! Entries of the log of who changed what. Each has a hash over itself and the hash before it, so that an entry that was
//! changed, put in or taken out shows.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// By which way a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Via {
    /// The API.
    #[serde(rename = "api")]
    Api,
    /// A page.
    #[serde(rename = "page")]
    Page,
    /// The command line.
    #[serde(rename = "command line")]
    CommandLine,
    /// vmacd itself, at its start.
    #[serde(rename = "vmacd")]
    Vmacd,
}

impl Via {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Api, Self::Page, Self::CommandLine, Self::Vmacd];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::CommandLine => "command line",
            Self::Vmacd => "vmacd",
        }
    }
}

/// What somebody is about to change, or what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewLogEntry {
    /// The name of the token, or of the login at the command line.
    pub who: String,
    /// Their role; empty at the command line, where the credentials of the database decide.
    pub role: String,
    /// By which way.
    pub via: Via,
    /// From which address, over the network.
    pub address: Option<String>,
    /// What is done, such as `freeze`.
    pub action: String,
    /// To what, such as a site's name.
    pub subject: String,
    /// What was asked for, as it was asked, or what changed.
    pub details: Value,
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogEntry {
    /// Its number; no number is left out.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub entry: NewLogEntry,
    /// The hash over the entry and the hash before it, in hex.
    pub hash: String,
}

/// Where a log is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// An entry does not have its hash.
    #[error("entry {0} was changed, or an entry before it was removed or put in")]
    Changed(i64),
    /// Numbers are left out.
    #[error("entries {from} to {to} are missing")]
    Missing {
        /// The first that is missing.
        from: i64,
        /// The last.
        to: i64,
    },
}

impl LogEntry {
    /// The entry with the hash that belongs behind that one.
    pub fn chained(id: i64, at: DateTime<Utc>, entry: NewLogEntry, before: &str) -> Self {
        let hash = hash(id, at, &entry, before);
        Self { id, at, entry, hash }
    }
}

/// Checks that these entries follow each other, the first behind this number and hash.
///
/// # Errors
/// The first [`ChainFault`].
pub fn check_chain(mut before: (i64, String), entries: &[LogEntry]) -> Result<(i64, String), ChainFault> {
    for entry in entries {
        if entry.id != before.0 + 1 {
            return Err(ChainFault::Missing { from: before.0 + 1, to: entry.id - 1 });
        }
        if hash(entry.id, entry.at, &entry.entry, &before.1) != entry.hash {
            return Err(ChainFault::Changed(entry.id));
        }
        before = (entry.id, entry.hash.clone());
    }
    Ok(before)
}

/// SHA-256 over the entry as a JSON array, which leaves no doubt about where one text ends and the next begins.
fn hash(id: i64, at: DateTime<Utc>, entry: &NewLogEntry, before: &str) -> String {
    let NewLogEntry { who, role, via, address, action, subject, details } = entry;
    let whole =
        (before, id, at.timestamp_millis(), who, role, via.as_str(), address, action, subject, details.to_string());
    // Texts, numbers and options always become JSON.
    hex::encode(Sha256::digest(serde_json::to_vec(&whole).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(count: i64) -> Vec<LogEntry> {
        let mut before = String::new();
        let made = |id: i64| {
            let entry = NewLogEntry {
                who: "ops-1".to_owned(),
                role: "operator".to_owned(),
                via: Via::Api,
                address: None,
                action: "freeze".to_owned(),
                subject: format!("site-{id}"),
                details: json!({"reason": "upgrade"}),
            };
            let at = DateTime::from_timestamp_millis(1_000 * id).unwrap_or_default();
            let entry = LogEntry::chained(id, at, entry, &before);
            before.clone_from(&entry.hash);
            entry
        };
        (1..=count).map(made).collect()
    }

    fn check(entries: &[LogEntry]) -> Result<i64, ChainFault> {
        check_chain((0, String::new()), entries).map(|(id, _)| id)
    }

    #[test]
    fn entries_as_they_were_written_are_right() {
        assert_eq!(check(&entries(4)), Ok(4));
        assert_eq!(check(&[]), Ok(0));
    }

    #[test]
    fn what_was_changed_moved_or_taken_out_shows() {
        let change = |change: fn(&mut Vec<LogEntry>)| {
            let mut entries = entries(4);
            change(&mut entries);
            check(&entries)
        };
        let changed = |id| Err(ChainFault::Changed(id));
        assert_eq!(change(|all| all[1].entry.who = "ops-2".to_owned()), changed(2));
        assert_eq!(change(|all| all[1].entry.address = Some("10.0.0.1".to_owned())), changed(2));
        assert_eq!(change(|all| all[2].entry.details = json!({})), changed(3));
        assert_eq!(change(|all| all[2].at += chrono::TimeDelta::seconds(1)), changed(3));
        assert_eq!(change(|all| drop(all.remove(1))), Err(ChainFault::Missing { from: 2, to: 2 }));
        // Whoever also numbers the rest anew has to make every hash behind it anew.
        let renumbered = change(|all| {
            all.remove(1);
            all.iter_mut().zip(1..).for_each(|(entry, id)| entry.id = id);
        });
        assert_eq!(renumbered, changed(2));
    }
}
