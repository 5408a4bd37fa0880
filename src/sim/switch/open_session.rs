//! A session from the login to its end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Switch, Terminal};

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    /// The client closed it, or went away.
    Closed,
    /// The switch cuts the connection.
    Cut,
}

/// An open session, of NETCONF or the CLI. Its lock is given back when this is dropped, however the session ends.
pub(crate) struct OpenSession {
    pub switch: Arc<Switch>,
    pub pid: u32,
}

impl OpenSession {
    /// Logs `user` in; the token ends the session when it is killed or the switch goes down.
    pub(crate) fn open(switch: Arc<Switch>, user: &str, terminal: Terminal) -> (OpenSession, CancellationToken) {
        let (pid, killed) = switch.open_session(user, terminal);
        (OpenSession { switch, pid }, killed)
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.switch.end_session(self.pid);
    }
}
