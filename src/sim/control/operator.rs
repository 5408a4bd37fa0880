//! The operator at the terminal: edits, commits and locks that are not ours.

use super::handle::SimHandle;
use crate::sim::config::set_lines::read_set;
use crate::sim::device::commit::CommitRequest;
use crate::sim::device::load::{Action, Load};
use crate::sim::switch::locked;
use crate::sim::time;

impl SimHandle {
    /// Makes edits in the shared candidate, as an operator does who forgets to commit.
    ///
    /// # Errors
    /// The switch's words when a line is wrong or somebody holds the lock.
    pub fn operator_edit(&self, set_lines: &str) -> Result<(), String> {
        let pid = self.operator_pid();
        let (edits, errors) = read_set(set_lines);
        let load = Load { action: Action::Merge, edits, errors, located: false };
        let report = self.switch.device().load(pid, &load, time::now()).map_err(|errors| words(&errors))?;
        if report.iter().any(|error| !error.warning) { Err(words(&report)) } else { Ok(()) }
    }

    /// Commits the shared candidate, as an operator does at the terminal.
    ///
    /// # Errors
    /// The switch's words when it refuses.
    pub fn operator_commit(&self) -> Result<(), String> {
        self.commit(&CommitRequest::default())
    }

    fn commit(&self, request: &CommitRequest) -> Result<(), String> {
        let pid = self.operator_pid();
        let committed = self.switch.device().commit(pid, request, time::now());
        self.switch.deadline_changed.notify_one();
        committed.map_err(|errors| words(&errors))
    }

    /// Makes an edit and commits it for so many minutes unless confirmed.
    ///
    /// # Errors
    /// The switch's words when it refuses.
    pub fn operator_commit_confirmed(&self, set_lines: &str, minutes: u64) -> Result<(), String> {
        self.operator_edit(set_lines)?;
        self.commit(&CommitRequest { confirmed_s: Some(minutes * 60), ..CommitRequest::default() })
    }

    /// Throws the shared candidate's edits away.
    ///
    /// # Errors
    /// The switch's words when somebody else holds the lock.
    pub fn operator_discard(&self) -> Result<(), String> {
        let pid = self.operator_pid();
        self.switch.device().load_rollback(pid, 0, time::now()).map_err(|errors| words(&errors))
    }

    /// Takes the exclusive lock, as `configure exclusive` does.
    ///
    /// # Errors
    /// The switch's words when somebody holds it.
    pub fn operator_lock(&self) -> Result<(), String> {
        let pid = self.operator_pid();
        self.switch.device().lock(pid, time::now()).map_err(|errors| words(&errors))
    }

    /// Ends the operator's session, and its lock with it.
    pub fn operator_unlock(&self) {
        if let Some(pid) = locked(&self.operator).take() {
            self.switch.device().end_session(pid);
        }
    }

    fn operator_pid(&self) -> u32 {
        let mut operator = locked(&self.operator);
        let mut device = self.switch.device();
        match *operator {
            Some(pid) if device.knows(pid) => pid,
            _ => *operator.insert(device.open_session("admin", "pts/0", time::now())),
        }
    }
}

fn words(errors: &[crate::sim::device::reply_error::RpcError]) -> String {
    errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
}
