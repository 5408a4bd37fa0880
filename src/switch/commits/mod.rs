//! The switch's commits: their history, and what a push notes with each of its own.

pub(in crate::switch) mod commit_log;
pub(in crate::switch) mod history;
