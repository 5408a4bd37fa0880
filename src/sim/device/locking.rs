//! Who may edit: the exclusive lock of the shared candidate, and private copies.

use super::reply_error::RpcError;
use super::{Device, Private, Refused};
use crate::sim::time::{self, Millis};

impl Device {
    /// Takes the exclusive lock of the shared candidate.
    pub(crate) fn lock(&mut self, pid: u32, now: Millis) -> Result<(), Refused> {
        if self.locked_by == Some(pid) {
            return Err(vec![RpcError::failed("Configuration database is already open")]);
        }
        self.nobody_else_holds(pid, now)?;
        if self.dirty {
            return Err(vec![RpcError::failed("configuration database modified")]);
        }
        self.locked_by = Some(pid);
        Ok(())
    }

    /// Gives the lock back; what was not committed is discarded.
    pub(crate) fn unlock(&mut self, pid: u32) -> Result<(), Refused> {
        if self.locked_by != Some(pid) {
            return Err(vec![RpcError::failed("Configuration database is not open")]);
        }
        self.release();
        Ok(())
    }

    pub(super) fn release(&mut self) {
        self.locked_by = None;
        self.reset_candidate();
    }

    pub(super) fn reset_candidate(&mut self) {
        self.candidate = self.committed.clone();
        self.dirty = false;
    }

    /// Refuses while another session holds the lock.
    pub(crate) fn nobody_else_holds(&self, pid: u32, now: Millis) -> Result<(), Refused> {
        match self.locked_by {
            Some(holder) if holder != pid => Err(vec![RpcError::lock_denied(self.locked_text(holder, now), holder)]),
            _ => Ok(()),
        }
    }

    fn locked_text(&self, holder: u32, now: Millis) -> String {
        let (user, terminal, since) =
            self.sessions.get(&holder).map_or(("root", "", now), |s| (s.user.as_str(), s.terminal, s.since));
        locked_text(user, terminal, holder, since, now)
    }

    /// Makes a private copy for the session.
    pub(crate) fn open_private(&mut self, pid: u32, now: Millis) -> Result<(), Refused> {
        self.nobody_else_holds(pid, now)?;
        if self.dirty {
            return Err(vec![RpcError::failed("shared configuration database modified")]);
        }
        let tree = self.committed.clone();
        match self.sessions.get_mut(&pid) {
            Some(session) if session.private.is_none() => {
                session.private = Some(Private { tree, edits: Vec::new() });
                Ok(())
            }
            _ => Err(vec![RpcError::failed("Configuration database is already open")]),
        }
    }

    /// Drops the session's private copy.
    pub(crate) fn close_private(&mut self, pid: u32) -> Result<(), Refused> {
        let private = self.sessions.get_mut(&pid).and_then(|session| session.private.take());
        private.map(drop).ok_or_else(|| vec![RpcError::failed("Configuration database is not open")])
    }
}

/// The refusal a lock gets while someone holds it, with the two spaces an absent terminal name leaves.
pub(crate) fn locked_text(user: &str, terminal: &str, pid: u32, since: Millis, now: Millis) -> String {
    let idle = match now - since {
        fresh if fresh < 60_000 => String::new(),
        idle => format!(", idle {}", time::duration(idle)),
    };
    let since = time::shown(since);
    format!(
        "configuration database locked by:\n  {user} terminal {terminal} (pid {pid}) on since {since}{idle}\n      exclusive "
    )
}
