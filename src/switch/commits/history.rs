//! The switch's commit history (`get-commit-information`), newest first.

use super::commit_log;
use crate::switch::netconf::Element;

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitEntry {
    /// 0 for the newest.
    pub sequence: u32,
    /// Who.
    pub user: String,
    /// When, seconds since 1970 by the switch's clock.
    pub at_s: Option<i64>,
    /// What Junos notes, such as `commit confirmed, rollback in 5mins`.
    pub comment: String,
    /// What the committer noted.
    pub log: String,
}

/// A confirmed commit that may still wait for its confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingConfirm {
    /// The commit.
    pub entry: CommitEntry,
    /// Minutes after which it is rolled back.
    pub timeout_min: i64,
}

impl CommitEntry {
    /// Identifies this commit among others, also after newer ones.
    pub fn identity(&self) -> String {
        let at_s = self.at_s.map(|at_s| at_s.to_string()).unwrap_or_default();
        format!("{at_s} {} {} {}", self.user, self.comment, self.log)
    }

    /// True for the same commit, whatever its sequence number.
    pub(in crate::switch) fn is_like(&self, other: &Self) -> bool {
        self.at_s == other.at_s && self.user == other.user && self.comment == other.comment && self.log == other.log
    }

    /// True where it says that it confirms the push that it names.
    pub(in crate::switch) fn is_confirmation(&self) -> bool {
        self.push_id().is_some() && self.log.ends_with(commit_log::CONFIRMED)
    }

    /// The push that made it, where it says that one did.
    pub fn push_id(&self) -> Option<&str> {
        commit_log::push_id(&self.log)
    }
}

/// The commits since the one of that identity, newest first: all of them if it is gone, none if none was known.
pub fn commits_since<'a>(history: &'a [CommitEntry], known: Option<&str>) -> &'a [CommitEntry] {
    let Some(known) = known else { return &[] };
    let at = history.iter().position(|entry| entry.identity() == known);
    &history[..at.unwrap_or(history.len())]
}

/// What asks for it.
pub(in crate::switch) const REQUEST: &str = "<get-commit-information/>";

/// The entries of a reply.
pub(in crate::switch) fn read(root: &Element) -> Vec<CommitEntry> {
    let Some(information) = root.find("commit-information") else { return Vec::new() };
    let text = |element: &Element, name| element.text_of(name).unwrap_or_default().to_owned();
    information
        .all("commit-history")
        .enumerate()
        .map(|(position, entry)| CommitEntry {
            sequence: entry.text_of("sequence-number").and_then(|text| text.parse().ok()).unwrap_or(position as u32),
            user: text(entry, "user"),
            at_s: entry.child("date-time").and_then(|time| time.attribute("seconds")).and_then(|s| s.parse().ok()),
            comment: text(entry, "comment"),
            log: text(entry, "log"),
        })
        .collect()
}

/// The newest commit, when it is a confirmed one: only the newest can still be pending, because any later
/// commit confirms it, and a roll-back is itself a later commit.
pub fn pending_confirm(history: &[CommitEntry]) -> Option<PendingConfirm> {
    let entry = history.first()?;
    let minutes = entry.comment.strip_prefix("commit confirmed, rollback in ")?;
    let timeout_min = minutes.trim_end_matches(|symbol: char| !symbol.is_ascii_digit()).parse().ok()?;
    Some(PendingConfirm { entry: entry.clone(), timeout_min })
}

impl PendingConfirm {
    /// Seconds that Junos was seen to roll back late (up to 35 s), with a margin.
    const LATE_S: i64 = 120;

    /// True when by the switch's clock it must have been rolled back or confirmed by now.
    pub fn is_over(&self, switch_now_s: i64) -> bool {
        self.entry.at_s.is_some_and(|at_s| switch_now_s > at_s + self.timeout_min * 60 + Self::LATE_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(comment: &str) -> CommitEntry {
        CommitEntry { sequence: 0, user: "a".into(), at_s: Some(1_000), comment: comment.into(), log: String::new() }
    }

    #[test]
    fn what_was_committed_since_is_told_and_whose_push_it_was() {
        let mut own = entry("commit confirmed, rollback in 10mins");
        own.log = "vmacd 0199-push trace 4bf9".to_owned();
        let (own, other) = (own, CommitEntry { at_s: Some(900), ..entry("") });
        let history = [own.clone(), other.clone()];
        assert_eq!(commits_since(&history, Some(&other.identity())), std::slice::from_ref(&own));
        assert_eq!(commits_since(&history, Some(&own.identity())), []);
        assert_eq!(commits_since(&history, Some("gone")).len(), 2);
        assert_eq!(commits_since(&history, None), [], "nothing was known");
        assert_eq!((own.push_id(), other.push_id()), (Some("0199-push"), None));
    }

    #[test]
    fn only_the_newest_commit_can_be_pending() {
        let confirmed = entry("commit confirmed, rollback in 5mins");
        let pending = pending_confirm(std::slice::from_ref(&confirmed)).expect("pending");
        assert_eq!(pending.timeout_min, 5);
        assert!(!pending.is_over(1_000 + 300) && pending.is_over(1_000 + 300 + 121));
        assert_eq!(pending_confirm(&[entry(""), confirmed]), None);
    }
}
