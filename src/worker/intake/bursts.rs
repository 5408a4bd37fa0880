//! Bursts of commands: whether it is worth waiting a moment before the changes for a switch are gathered.
//!
//! A commit takes seconds, and so does the next one: a burst of commands that has begun to arrive is better carried
//! by one commit than by two. A lone command does not wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::SwitchName;

/// A burst is over when nothing came for this long.
const QUIET: Duration = Duration::from_millis(5);
/// This many messages being admitted are a burst; a few at a time are usual, mostly for other switches.
const BURST_MIN: usize = 16;
/// Longest wait for a burst, as a part of what the switch's last push took.
const PUSH_PART: u32 = 8;
/// The same where no push is known, and the most there is.
const WAIT_UNKNOWN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_millis(500);

/// The bursts of one worker.
#[derive(Debug, Default)]
pub(in crate::worker) struct Bursts {
    last: Mutex<HashMap<SwitchName, Last>>,
    /// Messages being admitted now; their switches are not known yet.
    admitting: AtomicUsize,
}

/// The last command for a switch.
#[derive(Debug, Clone, Copy)]
struct Last {
    at: Instant,
    /// Another came just before it.
    is_burst: bool,
}

/// Messages that are being admitted, until dropped.
pub(in crate::worker) struct Admitting<'a> {
    bursts: &'a Bursts,
    messages: usize,
}

impl Drop for Admitting<'_> {
    fn drop(&mut self) {
        self.bursts.admitting.fetch_sub(self.messages, Ordering::Relaxed);
    }
}

impl Bursts {
    /// Counts messages as being admitted until the value is dropped.
    pub fn admitting(&self, messages: usize) -> Admitting<'_> {
        self.admitting.fetch_add(messages, Ordering::Relaxed);
        Admitting { bursts: self, messages }
    }

    /// A command for the switch arrived.
    pub fn note(&self, switch: &SwitchName) {
        let (at, mut last) = (Instant::now(), self.last());
        let is_burst = last.get(switch).is_some_and(|last| at.duration_since(last.at) < QUIET);
        last.insert(switch.clone(), Last { at, is_burst });
    }

    /// Ends when the burst for the switch is over, or after a small part of what its last push took.
    pub async fn over(&self, switch: &SwitchName, last_push: Option<Duration>) {
        let deadline = Instant::now() + last_push.map_or(WAIT_UNKNOWN, |took| (took / PUSH_PART).min(WAIT_MAX));
        while let Some(until) = self.busy_until(switch) {
            if until >= deadline {
                return tokio::time::sleep_until(deadline.into()).await;
            }
            tokio::time::sleep_until(until.into()).await;
        }
    }

    /// When to check again; none when the burst is over.
    fn busy_until(&self, switch: &SwitchName) -> Option<Instant> {
        let (now, last) = (Instant::now(), self.last().get(switch).copied()?);
        if self.admitting.load(Ordering::Relaxed) >= BURST_MIN {
            Some(now + QUIET)
        } else {
            Some(last.at + QUIET).filter(|until| last.is_burst && *until > now)
        }
    }

    fn last(&self) -> MutexGuard<'_, HashMap<SwitchName, Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch() -> SwitchName {
        "sw".parse().expect("a name")
    }

    async fn waited(bursts: &Bursts, last_push: Option<Duration>) -> Duration {
        let started = Instant::now();
        bursts.over(&switch(), last_push).await;
        started.elapsed()
    }

    #[tokio::test]
    async fn a_command_that_came_alone_is_not_waited_with() {
        let bursts = Bursts::default();
        assert!(waited(&bursts, None).await < QUIET, "nothing ever came");
        bursts.note(&switch());
        assert!(waited(&bursts, None).await < QUIET);
    }

    #[tokio::test]
    async fn a_trickle_for_other_switches_is_not_waited_for() {
        let bursts = Bursts::default();
        bursts.note(&switch());
        let _admitting = (bursts.admitting(3), bursts.admitting(4));
        assert!(waited(&bursts, None).await < QUIET);
    }

    #[tokio::test]
    async fn a_burst_is_waited_for_at_most_a_part_of_a_push() {
        let bursts = Bursts::default();
        bursts.note(&switch());
        bursts.note(&switch());
        assert!((5..250).contains(&waited(&bursts, None).await.as_millis()), "the burst ends");
        let _admitting = bursts.admitting(BURST_MIN);
        let waited = waited(&bursts, Some(Duration::from_millis(400))).await;
        assert!((50..250).contains(&waited.as_millis()), "{waited:?}");
    }
}
