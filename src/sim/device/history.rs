//! The commit history, as `get-commit-information` reports it.

use crate::sim::time::{self, Millis};
use crate::sim::xml::escape;

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// When it took effect, in milliseconds since the epoch.
    pub at_ms: i64,
    /// The user who committed; `root` for what the switch did by itself.
    pub user: String,
    /// `netconf`, `cli`, or `other` for what the switch did by itself.
    pub client: &'static str,
    /// The switch's own remark, such as `commit confirmed, rollback in 2mins`.
    pub comment: Option<String>,
    /// The message that came with the commit.
    pub log: Option<String>,
}

impl Commit {
    pub(crate) fn initial(now: Millis) -> Commit {
        Commit { at_ms: now, user: "root".into(), client: "other", comment: None, log: None }
    }

    pub(crate) fn automatic(now: Millis) -> Commit {
        Commit::initial(now)
    }
}

/// The `commit-information` of `history`, newest first; `marked` where the newest waits to be confirmed and the release
/// says so.
pub(crate) fn information<'a>(history: impl Iterator<Item = &'a Commit>, marked: bool) -> String {
    let entry = |(number, commit): (usize, &Commit)| entry(number, commit, marked && number == 0);
    let entries: String = history.enumerate().map(entry).collect();
    format!("<commit-information>\n{entries}</commit-information>\n")
}

/// What newer releases say of a commit that waits to be confirmed (seen on vSRX 24.4R2).
const MARK: &str = "<commit-confirmed>rollback pending</commit-confirmed>\n";

fn entry(number: usize, commit: &Commit, marked: bool) -> String {
    let optional = |tag: &str, text: &Option<String>| match text {
        Some(text) => format!("<{tag}>{}</{tag}>\n", escape(text)),
        None => String::new(),
    };
    format!(
        "<commit-history>\n<sequence-number>{number}</sequence-number>\n<user>{}</user>\n<client>{}</client>\n{}{}{}{}</commit-history>\n",
        escape(&commit.user),
        commit.client,
        date_time(commit.at_ms),
        optional("comment", &commit.comment),
        if marked { MARK } else { "" },
        optional("log", &commit.log),
    )
}

fn date_time(at: Millis) -> String {
    format!("<date-time junos:seconds=\"{}\">{}</date-time>\n", time::seconds(at), time::shown(at))
}

/// The `commit-revision-information` of the newest commit; releases from 14.1 on have it.
pub(crate) fn revision(commit: &Commit, host: &str, commits: u64) -> String {
    let comment =
        commit.comment.as_ref().map_or_else(String::new, |text| format!("<comment>{}</comment>\n", escape(text)));
    format!(
        "<commit-revision-information>\n<revision>{host}-{}-{commits}</revision>\n<user>{}</user>\n<client>{}</client>\n{}{comment}</commit-revision-information>\n",
        time::seconds(commit.at_ms),
        escape(&commit.user),
        commit.client,
        date_time(commit.at_ms),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_commit_is_marked_as_waiting_and_where_the_release_says_so() {
        let commits = [Commit::initial(2_000), Commit::initial(1_000)];
        let marked = information(commits.iter(), true);
        let (newest, older) = marked.split_once("</commit-history>").unwrap();
        assert!(newest.contains("<sequence-number>0</sequence-number>") && newest.contains(MARK));
        assert!(!older.contains(MARK) && !information(commits.iter(), false).contains(MARK));
    }
}
