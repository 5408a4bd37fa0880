//! What a switch held at one version of its configuration, so that it need not be read again while that is the newest.
//!
//! The version is the commit history as a whole: each commit, and each roll-back, puts an entry in front. Times, users and
//! texts of single entries may be the same twice, so nothing less than all of them is compared.

mod read_ahead;

use crate::domain::plan::{PortVlans, PresentBinding, Wish};
use crate::domain::{Dialect, InterfaceName};
use crate::switch::commits::history::CommitEntry;

/// The version of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(Vec<CommitEntry>);

/// The configuration as a push keeps it before its commit.
#[derive(Clone, PartialEq, Eq)]
pub enum PushBackup {
    /// The text itself, byte for byte; it may hold secrets.
    Text(Vec<u8>),
    /// Stored already, under this name.
    Stored(String),
}

impl std::fmt::Debug for PushBackup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Stored(name) => f.debug_tuple("Stored").field(name).finish(),
        }
    }
}

/// What a switch held at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownConfiguration {
    /// The version; none if the history cannot identify one.
    pub version: Option<Version>,
    /// The dialect that it was read in.
    pub dialect: Dialect,
    /// The whole configuration.
    pub backup: PushBackup,
    /// The bindings.
    pub bindings: Vec<PresentBinding>,
    /// What it says of ports and VLANs.
    pub port_vlans: PortVlans,
    /// The ports that it was read for.
    pub ports: Vec<InterfaceName>,
}

impl Version {
    /// The version that a history identifies; none if the history could look the same after another commit: without
    /// times, or with nothing but entries that are all alike.
    pub fn of(history: &[CommitEntry]) -> Option<Self> {
        let newest = history.first().filter(|newest| newest.at_s.is_some())?;
        let all_alike = history.len() > 1 && history.iter().all(|entry| entry.is_like(newest));
        (!all_alike).then(|| Self(history.to_vec()))
    }

    /// True when this history is of that version.
    pub fn is(&self, history: &[CommitEntry]) -> bool {
        are_alike(&self.0, history)
    }
}

impl KnownConfiguration {
    /// True if it is of the version that this history identifies.
    pub fn is_of(&self, history: &[CommitEntry]) -> bool {
        self.version.as_ref().is_some_and(|version| version.is(history))
    }

    /// True if it was read for all ports of the wishes.
    pub fn covers(&self, wishes: &[Wish]) -> bool {
        wishes.iter().all(|wish| self.ports.iter().any(|port| port.same_interface(&wish.interface)))
    }
}

/// True if a confirmation took effect: the two newest entries are the confirmation and the push's commit, on top of the
/// history as it was before. With anything else between them, such as a roll-back, the configuration has to be read.
pub(in crate::switch) fn confirmation_took(before: &[CommitEntry], after: &[CommitEntry], push_id: &str) -> bool {
    let [confirmation, commit, rest @ ..] = after else { return false };
    let is_ours = |entry: &CommitEntry| entry.push_id() == Some(push_id);
    // A switch keeps so many entries and no more: the oldest may have gone.
    let rest_is_as_before = after.len() >= before.len() && rest.len() <= before.len();
    is_ours(confirmation)
        && confirmation.is_confirmation()
        && is_ours(commit)
        && !commit.is_confirmation()
        && rest_is_as_before
        && are_alike(rest, &before[..rest.len()])
}

fn are_alike(one: &[CommitEntry], other: &[CommitEntry]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_like(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at_s: i64, log: &str) -> CommitEntry {
        CommitEntry { sequence: 0, user: "a".into(), at_s: Some(at_s), comment: String::new(), log: log.into() }
    }

    #[test]
    fn a_history_that_could_be_another_is_no_version() {
        let one = entry(1_000, "");
        assert_eq!(Version::of(&[]), None);
        assert_eq!(Version::of(&[CommitEntry { at_s: None, ..one.clone() }, one.clone()]), None);
        assert_eq!(Version::of(&[one.clone(), one.clone()]), None, "as full as it may be, another would not show");
        assert!(Version::of(std::slice::from_ref(&one)).is_some());
    }

    #[test]
    fn two_commits_in_one_second_and_a_clock_that_was_set_back_are_other_versions() {
        let history = [entry(1_000, ""), entry(900, "")];
        let version = Version::of(&history).expect("a version");
        assert!(version.is(&history));
        let numbered: Vec<_> =
            (0..).zip(&history).map(|(sequence, of)| CommitEntry { sequence, ..of.clone() }).collect();
        assert!(version.is(&numbered), "numbers are counted from the newest");
        for newer in [entry(1_000, ""), entry(100, ""), entry(900, ""), entry(2_000, "x")] {
            let newer = [&[newer], &history[..]].concat();
            assert!(!version.is(&newer) && !version.is(&newer[..2]), "{newer:?}");
        }
        assert!(!version.is(&history[1..]) && !version.is(&[]));
    }

    #[test]
    fn a_confirmation_took_where_it_stands_on_its_commit_and_that_on_what_was_before() {
        let (before, ours, confirmed) =
            ([entry(3, "x"), entry(2, "y")], entry(4, "vmacd p-1 trace 7"), entry(5, "vmacd p-1 confirmed"));
        let table = [
            (vec![confirmed.clone(), ours.clone(), before[0].clone(), before[1].clone()], true),
            // The oldest have gone.
            (vec![confirmed.clone(), ours.clone()], true),
            // Rolled back before it was confirmed.
            (vec![confirmed.clone(), entry(4, ""), ours.clone(), before[0].clone()], false),
            (vec![ours.clone(), before[0].clone(), before[1].clone()], false),
            (vec![confirmed.clone(), confirmed.clone(), before[0].clone()], false),
            (vec![confirmed.clone(), ours.clone(), before[1].clone(), before[1].clone()], false),
            (vec![confirmed.clone(), entry(4, "vmacd p-2"), before[0].clone(), before[1].clone()], false),
            (vec![confirmed, ours, entry(4, ""), before[0].clone(), before[1].clone()], false),
            (vec![], false),
        ];
        for (after, expected) in table {
            assert_eq!(confirmation_took(&before, &after, "p-1"), expected, "{after:?}");
        }
    }
}
