//! What every statement on Postgres runs with.

use std::time::Duration;

/// Longest time for a transaction between two of its statements: what holds locks and says nothing is paused or cut off.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(5);

/// Whether statements have a session of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::store) enum Sessions {
    /// A connection is a session: its settings and prepared statements stay.
    #[default]
    Own,
    /// Behind a pooler in transaction mode two transactions of a connection may run in two sessions, and somebody else's next
    /// transaction in the same: nothing may be left in a session or expected there.
    Pooled,
}

/// The settings of connections whose commits wait for the disk, or do not.
#[derive(Debug, Clone)]
pub(in crate::store) struct SessionSettings {
    pub sessions: Sessions,
    settings: Vec<(&'static str, String)>,
}

impl SessionSettings {
    /// The server ends what takes too long by itself: a statement that its client gave up would go on waiting for its
    /// locks, and a worker that is paused or cut off within a transaction would keep everybody else from theirs, among them
    /// whoever admits in its place: between two statements there is no work that takes seconds.
    ///
    /// A plan that was made while a table was small reads all of it, and is kept until the table is analysed: an index is
    /// used wherever there is one. Compiling a statement costs more than a batch gains by it.
    pub fn new(sessions: Sessions, timeout: Duration) -> Self {
        let idle = timeout.min(IDLE_IN_TRANSACTION_MAX);
        let settings = vec![
            ("statement_timeout", timeout.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", idle.as_millis().to_string()),
            ("enable_seqscan", "off".to_owned()),
            ("jit", "off".to_owned()),
        ];
        Self { sessions, settings }
    }

    /// The same with commits that do not wait for the disk.
    pub fn unsynced(mut self) -> Self {
        self.settings.push(("synchronous_commit", "off".to_owned()));
        self
    }

    /// What a new connection is sent; nothing where it is no session.
    pub fn for_connection(&self) -> Option<String> {
        (self.sessions == Sessions::Own).then(|| self.joined("SET"))
    }

    /// What begins a transaction. One message, so that it costs no more time than a plain BEGIN.
    pub fn begin(&self) -> String {
        match self.sessions {
            Sessions::Own => "BEGIN".to_owned(),
            Sessions::Pooled => format!("BEGIN; {}", self.joined("SET LOCAL")),
        }
    }

    fn joined(&self, set: &str) -> String {
        let each: Vec<_> = self.settings.iter().map(|(name, value)| format!("{set} {name} = {value}")).collect();
        each.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    #[test]
    fn a_session_of_its_own_is_set_up_once() {
        let settings = SessionSettings::new(Sessions::Own, TIMEOUT).unsynced();
        let once = "SET statement_timeout = 30000; SET idle_in_transaction_session_timeout = 5000; SET enable_seqscan = off; \
                    SET jit = off; SET synchronous_commit = off";
        assert_eq!((settings.for_connection().as_deref(), settings.begin().as_str()), (Some(once), "BEGIN"));
    }

    #[test]
    fn behind_a_pooler_nothing_is_left_in_a_session() {
        let settings = SessionSettings::new(Sessions::Pooled, TIMEOUT);
        assert_eq!(settings.for_connection(), None);
        let begin = settings.begin();
        assert!(begin.starts_with("BEGIN; SET LOCAL statement_timeout = 30000; "), "{begin}");
        assert_eq!(begin.matches("SET ").count(), begin.matches("SET LOCAL ").count());
    }
}
