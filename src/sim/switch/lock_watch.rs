//! What sessions ask of the switch while they hold the configuration lock, so that a test can say what a push costs.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How many holds are remembered.
const HOLDS_MAX: usize = 1_000;

/// One time that a NETCONF session held the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct LockHold {
    /// The requests that were served meanwhile, in their order; the one that took the lock is not among them.
    pub requests: Vec<String>,
    /// How often the client had read every reply before it sent another of these requests. A request that is sent along
    /// with one that is still being answered makes none of its own; where replies take no time at all, a switch cannot
    /// tell the two apart.
    pub round_trips: usize,
    /// The bytes of their replies, with the framing.
    pub bytes: usize,
    /// For how long the lock was held.
    #[serde(rename = "held_ms", serialize_with = "ms")]
    pub held: Duration,
    /// How much of that commits and their confirmations took.
    #[serde(rename = "committing_ms", serialize_with = "ms")]
    pub committing: Duration,
}

fn ms<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// A request that was served.
pub(crate) struct Served<'a> {
    pub pid: u32,
    pub name: &'a str,
    /// Whether it was sent after the reply to the one before it was.
    pub alone: bool,
    /// The size of its reply.
    pub bytes: usize,
    pub began: Instant,
}

/// The holds so far, and the one that lasts.
#[derive(Debug, Default)]
pub(crate) struct LockWatch {
    current: Option<(u32, Instant, LockHold)>,
    ended: VecDeque<LockHold>,
}

impl LockWatch {
    /// Takes a request down; `holder` is who holds the lock after it.
    pub(crate) fn served(&mut self, served: &Served<'_>, holder: Option<u32>) {
        match &mut self.current {
            Some((pid, _, hold)) if *pid == served.pid => hold.add(served),
            _ if holder == Some(served.pid) => {
                self.current = Some((served.pid, Instant::now(), LockHold::default()));
            }
            _ => {}
        }
        if holder != Some(served.pid) {
            self.released(served.pid);
        }
    }

    /// The session has the lock no longer, if it had it.
    pub(crate) fn released(&mut self, pid: u32) {
        if let Some((_, since, hold)) = self.current.take_if(|(holder, ..)| *holder == pid) {
            self.ended.push_back(LockHold { held: since.elapsed(), ..hold });
            let excess = self.ended.len().saturating_sub(HOLDS_MAX);
            self.ended.drain(..excess);
        }
    }

    pub(crate) fn ended(&self) -> Vec<LockHold> {
        self.ended.iter().cloned().collect()
    }

    pub(crate) fn forget(&mut self) {
        self.ended.clear();
    }
}

impl LockHold {
    fn add(&mut self, served: &Served<'_>) {
        if served.alone || self.requests.is_empty() {
            self.round_trips += 1;
        }
        self.requests.push(served.name.to_owned());
        self.bytes += served.bytes;
        if matches!(served.name, "commit" | "commit-configuration") {
            self.committing += served.began.elapsed();
        }
    }
}
