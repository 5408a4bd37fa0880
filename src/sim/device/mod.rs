//! The switch as a state machine: one committed configuration, one shared candidate, one lock, fifty rollbacks and at
//! most one confirmed commit on its way back. Pure: the clock comes in with every call.

pub(crate) mod commit;
pub(crate) mod commit_check;
pub(crate) mod history;
pub(crate) mod load;
pub(crate) mod locking;
pub(crate) mod model;
pub(crate) mod reply_error;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use self::commit_check::DuplicateScope;
use self::history::Commit;
use self::reply_error::RpcError;
use crate::sim::config::edit::Edit;
use crate::sim::config::tree::Node;
use crate::sim::time::Millis;

/// How many earlier configurations a switch keeps beside the committed one (rollback 1 to 49).
pub(crate) const ROLLBACKS_MAX: usize = 49;

/// What differs from one switch to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub duplicates: DuplicateScope,
    /// Whether `commit check` and `validate` confirm a pending confirmed commit, as recent releases do.
    pub check_confirms: bool,
}

/// A user in configuration mode, or at least logged in.
#[derive(Debug, Clone)]
pub(crate) struct SimSession {
    pub user: String,
    /// Empty for a NETCONF session, `pts/0` for an operator.
    pub terminal: &'static str,
    pub since: Millis,
    pub private: Option<Private>,
}

/// A private copy: its tree, and the edits to replay at commit.
#[derive(Debug, Clone)]
pub(crate) struct Private {
    pub tree: Arc<Node>,
    pub edits: Vec<Edit>,
}

/// A confirmed commit that waits to be confirmed.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub pid: u32,
    pub deadline: Millis,
    pub restore: Arc<Node>,
}

/// The names of terminals. Who finds them all taken shares the last.
const TERMINALS: [&str; 8] = ["pts/0", "pts/1", "pts/2", "pts/3", "pts/4", "pts/5", "pts/6", "pts/7"];

/// The state of one switch.
#[derive(Debug)]
pub(crate) struct Device {
    pub(super) committed: Arc<Node>,
    pub(super) candidate: Arc<Node>,
    pub(super) dirty: bool,
    pub(super) changed_at: Millis,
    pub(super) locked_by: Option<u32>,
    pub(super) sessions: BTreeMap<u32, SimSession>,
    pub(super) rollbacks: VecDeque<Arc<Node>>,
    pub(super) history: VecDeque<Commit>,
    pub(super) pending: Option<Pending>,
    pub(super) rules: Rules,
    pub(super) commits: u64,
    next_pid: u32,
}

/// How a request fails: the errors that go into the reply.
pub(crate) type Refused = Vec<RpcError>;

impl Device {
    /// A switch that was configured at `now`.
    pub(crate) fn new(configuration: Arc<Node>, rules: Rules, now: Millis) -> Device {
        Device {
            candidate: configuration.clone(),
            committed: configuration,
            dirty: false,
            changed_at: now,
            locked_by: None,
            sessions: BTreeMap::new(),
            rollbacks: VecDeque::new(),
            history: VecDeque::from([Commit::initial(now)]),
            pending: None,
            rules,
            commits: 0,
            next_pid: 4201,
        }
    }

    /// Lets a session in and gives it its process id.
    pub(crate) fn open_session(&mut self, user: &str, terminal: &'static str, now: Millis) -> u32 {
        let pid = self.next_pid;
        self.next_pid += 7;
        self.sessions.insert(pid, SimSession { user: user.to_owned(), terminal, since: now, private: None });
        pid
    }

    /// The first terminal that no session has.
    pub(crate) fn free_terminal(&self) -> &'static str {
        let taken = |name: &str| self.sessions.values().any(|session| session.terminal == name);
        TERMINALS.iter().find(|name| !taken(name)).unwrap_or(&TERMINALS[TERMINALS.len() - 1])
    }

    /// Ends a session however it came about: its lock goes, and the changes made under it.
    pub(crate) fn end_session(&mut self, pid: u32) {
        if self.locked_by == Some(pid) {
            self.release();
        }
        self.sessions.remove(&pid);
    }

    /// Ends another session by force; a confirmed commit of its that waits is taken back at once.
    pub(crate) fn kill(&mut self, pid: u32, target: u32, now: Millis) -> Result<(), Refused> {
        if pid == target || !self.sessions.contains_key(&target) {
            return Err(vec![RpcError {
                class: Some(("protocol", "invalid-value")),
                ..RpcError::failed("invalid session-id")
            }]);
        }
        self.end_session(target);
        if self.pending.as_ref().is_some_and(|pending| pending.pid == target) {
            self.revert(now);
        }
        Ok(())
    }

    /// Whether the session still exists (it may have been killed).
    pub(crate) fn knows(&self, pid: u32) -> bool {
        self.sessions.contains_key(&pid)
    }

    /// The configuration the session edits: its private copy, or the shared candidate.
    pub(crate) fn candidate_of(&self, pid: u32) -> Arc<Node> {
        let private = self.sessions.get(&pid).and_then(|session| session.private.as_ref());
        private.map_or_else(|| self.candidate.clone(), |private| private.tree.clone())
    }

    /// Whether the session edits something that is not committed.
    pub(crate) fn is_changed(&self, pid: u32) -> bool {
        *self.candidate_of(pid) != *self.committed
    }

    /// The committed configuration (`number` 0) or the one `number` commits earlier.
    pub(crate) fn rollback(&self, number: usize) -> Option<Arc<Node>> {
        match number {
            0 => Some(self.committed.clone()),
            earlier => self.rollbacks.get(earlier - 1).cloned(),
        }
    }

    /// Takes back a confirmed commit whose time is over. Says whether it did.
    pub(crate) fn tick(&mut self, now: Millis) -> bool {
        let over = self.pending.as_ref().is_some_and(|pending| pending.deadline <= now);
        over && self.revert(now)
    }

    /// Puts the whole configuration from before the confirmed commit back, as a commit of its own.
    fn revert(&mut self, now: Millis) -> bool {
        let Some(pending) = self.pending.take() else {
            return false;
        };
        self.adopt(pending.restore, Commit::automatic(now));
        self.reset_candidate();
        true
    }

    /// Makes `tree` the committed configuration.
    pub(super) fn adopt(&mut self, tree: Arc<Node>, commit: Commit) {
        self.rollbacks.push_front(std::mem::replace(&mut self.committed, tree));
        self.rollbacks.truncate(ROLLBACKS_MAX);
        self.history.push_front(commit);
        self.history.truncate(ROLLBACKS_MAX + 1);
        self.commits += 1;
    }

    /// Starts anew: sessions and lock are gone, the running configuration stays, and a confirmed commit with it.
    pub(crate) fn reboot(&mut self) {
        self.sessions.clear();
        self.locked_by = None;
        self.pending = None;
        self.reset_candidate();
    }

    /// When the pending confirmed commit is taken back.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        self.pending.as_ref().map(|pending| pending.deadline)
    }
}

#[cfg(test)]
mod tests;
