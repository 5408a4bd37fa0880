//! When commands last arrived for a switch: whether it is worth waiting a moment before the changes are gathered.
//!
//! A commit takes seconds, and so does the next one: a burst of commands that has begun to arrive is better carried
//! by one commit than by two. A command that comes alone is not waited with.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::SwitchName;

/// A burst is over when nothing came for so long.
const QUIET: Duration = Duration::from_millis(5);
/// So many messages being taken in are a burst; a few at a time are what always comes, mostly for other switches.
const BURST_MIN: usize = 16;
/// Longest wait for a burst, as a part of what the switch's last push took.
const PUSH_PART: u32 = 8;
/// The same where no push is known, and the most there is.
const WAIT_UNKNOWN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_millis(500);

/// The arrivals of one worker.
#[derive(Debug, Default)]
pub(in crate::worker) struct Arrivals {
    last: Mutex<HashMap<SwitchName, Last>>,
    /// Messages being taken in now; for which switches they are is not known yet.
    admitting: AtomicUsize,
}

/// The last command for a switch.
#[derive(Debug, Clone, Copy)]
struct Last {
    at: Instant,
    /// Another came just before it.
    is_burst: bool,
}

/// Messages that are being taken in, until dropped.
pub(in crate::worker) struct Admitting<'a> {
    arrivals: &'a Arrivals,
    messages: usize,
}

impl Drop for Admitting<'_> {
    fn drop(&mut self) {
        self.arrivals.admitting.fetch_sub(self.messages, Ordering::Relaxed);
    }
}

impl Arrivals {
    /// So many messages are being taken in.
    pub fn admitting(&self, messages: usize) -> Admitting<'_> {
        self.admitting.fetch_add(messages, Ordering::Relaxed);
        Admitting { arrivals: self, messages }
    }

    /// A command for the switch arrived.
    pub fn note(&self, switch: &SwitchName) {
        let (at, mut last) = (Instant::now(), self.last());
        let is_burst = last.get(switch).is_some_and(|last| at.duration_since(last.at) < QUIET);
        last.insert(switch.clone(), Last { at, is_burst });
    }

    /// Ends when the burst for the switch is over, or after a small part of what its last push took.
    pub async fn burst_over(&self, switch: &SwitchName, last_push: Option<Duration>) {
        let deadline = Instant::now() + last_push.map_or(WAIT_UNKNOWN, |took| (took / PUSH_PART).min(WAIT_MAX));
        while let Some(until) = self.busy_until(switch) {
            if until >= deadline {
                return tokio::time::sleep_until(deadline.into()).await;
            }
            tokio::time::sleep_until(until.into()).await;
        }
    }

    /// When to look again; none when the burst is over.
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

    async fn waited(arrivals: &Arrivals, last_push: Option<Duration>) -> Duration {
        let started = Instant::now();
        arrivals.burst_over(&switch(), last_push).await;
        started.elapsed()
    }

    #[tokio::test]
    async fn a_command_that_came_alone_is_not_waited_with() {
        let arrivals = Arrivals::default();
        assert!(waited(&arrivals, None).await < QUIET, "nothing ever came");
        arrivals.note(&switch());
        assert!(waited(&arrivals, None).await < QUIET);
    }

    #[tokio::test]
    async fn a_trickle_for_other_switches_is_not_waited_for() {
        let arrivals = Arrivals::default();
        arrivals.note(&switch());
        let _admitting = (arrivals.admitting(3), arrivals.admitting(4));
        assert!(waited(&arrivals, None).await < QUIET);
    }

    #[tokio::test]
    async fn a_burst_is_waited_for_at_most_a_part_of_a_push() {
        let arrivals = Arrivals::default();
        arrivals.note(&switch());
        arrivals.note(&switch());
        assert!((5..250).contains(&waited(&arrivals, None).await.as_millis()), "the burst ends");
        let _admitting = arrivals.admitting(BURST_MIN);
        let waited = waited(&arrivals, Some(Duration::from_millis(400))).await;
        assert!((50..250).contains(&waited.as_millis()), "{waited:?}");
    }
}
