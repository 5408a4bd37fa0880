//! Checking and committing a candidate.

use std::sync::Arc;

use super::commit_check::{FoundBinding, bindings, check};
use super::history::Commit;
use super::reply_error::RpcError;
use super::{Device, Pending, Refused};
use crate::sim::config::apply::apply;
use crate::sim::config::tree::Node;
use crate::sim::time::Millis;

/// What a commit asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CommitRequest {
    pub check_only: bool,
    /// Take it back after this many seconds unless confirmed.
    pub confirmed_s: Option<u64>,
    pub log: Option<String>,
}

/// `confirm-timeout` where none is given: ten minutes in both forms of the RPC.
pub(crate) const CONFIRM_DEFAULT_S: u64 = 600;

impl Device {
    /// What the daemons and the lock say to committing now; nothing changes yet.
    pub(crate) fn may_commit(&self, pid: u32, request: &CommitRequest, now: Millis) -> Result<(), Refused> {
        self.nobody_else_holds(pid, now)?;
        let private = self.is_private(pid);
        if private && request.confirmed_s.is_some() {
            return Err(vec![RpcError::failed("commit confirmed not supported for private configuration")]);
        }
        if private && self.dirty {
            return Err(vec![RpcError::failed("shared configuration database modified")]);
        }
        match check(&self.to_commit(pid), self.rules.duplicates) {
            errors if errors.is_empty() => Ok(()),
            errors => Err(errors),
        }
    }

    /// The first binding that a commit would add.
    pub(crate) fn new_binding(&self, pid: u32) -> Option<FoundBinding> {
        let committed: Vec<_> = bindings(&self.committed).into_iter().map(|held| held.binding).collect();
        bindings(&self.to_commit(pid)).into_iter().find(|found| !committed.contains(&found.binding))
    }

    /// Checks the candidate, and thereby confirms what is pending where the release does so.
    pub(crate) fn commit_check(&mut self, pid: u32, now: Millis) -> Result<(), Refused> {
        self.may_commit(pid, &CommitRequest::default(), now)?;
        if self.rules.check_confirms {
            self.pending = None;
        }
        Ok(())
    }

    /// Commits the candidate. Whatever was pending before is confirmed by it.
    pub(crate) fn commit(&mut self, pid: u32, request: &CommitRequest, now: Millis) -> Result<(), Refused> {
        if request.check_only {
            return self.commit_check(pid, now);
        }
        self.may_commit(pid, request, now)?;
        let before = self.committed.clone();
        let tree = self.to_commit(pid);
        self.adopt(tree, self.entry(pid, request, now));
        self.pending = request.confirmed_s.map(|seconds| Pending {
            pid,
            deadline: now.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)),
            restore: before,
        });
        self.renew_copies(pid);
        Ok(())
    }

    fn entry(&self, pid: u32, request: &CommitRequest, now: Millis) -> Commit {
        let session = self.sessions.get(&pid);
        Commit {
            at_ms: now,
            user: session.map_or_else(|| "root".to_owned(), |session| session.user.clone()),
            client: session.map_or("other", |session| if session.terminal.is_empty() { "netconf" } else { "cli" }),
            comment: request.confirmed_s.map(|seconds| format!("commit confirmed, rollback in {}mins", seconds / 60)),
            log: request.log.clone(),
        }
    }

    fn is_private(&self, pid: u32) -> bool {
        self.sessions.get(&pid).is_some_and(|session| session.private.is_some())
    }

    /// The configuration a commit of this session would make: a private copy's edits are replayed on what is committed.
    fn to_commit(&self, pid: u32) -> Arc<Node> {
        let Some(private) = self.sessions.get(&pid).and_then(|session| session.private.as_ref()) else {
            return self.candidate.clone();
        };
        let mut tree = (*self.committed).clone();
        apply(&mut tree, &private.edits);
        Arc::new(tree)
    }

    fn renew_copies(&mut self, pid: u32) {
        self.reset_candidate();
        let committed = self.committed.clone();
        if let Some(private) = self.sessions.get_mut(&pid).and_then(|session| session.private.as_mut()) {
            private.tree = committed;
            private.edits.clear();
        }
    }
}
