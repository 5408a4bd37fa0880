//! Whether one task is running, and goes round.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The long-lived tasks of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskName {
    /// Takes connections over HTTP.
    Http,
    /// Admits commands.
    Intake,
    /// Moves dead letters into the database.
    Collector,
    /// Finds the switches that are due.
    Dispatcher,
    /// Renews the leases in hand.
    Leases,
    /// Closes idle sessions.
    Sessions,
    /// Publishes events.
    Outbox,
    /// Checks what the switches hold.
    Drift,
    /// Writes that this worker runs.
    Presence,
    /// Removes old rows.
    Retention,
    /// Sends events to webhooks.
    Webhooks,
}

impl TaskName {
    /// Its name in logs, metrics and `/readyz`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Intake => "intake",
            Self::Collector => "collector",
            Self::Dispatcher => "dispatcher",
            Self::Leases => "leases",
            Self::Sessions => "sessions",
            Self::Outbox => "outbox",
            Self::Drift => "drift",
            Self::Presence => "presence",
            Self::Retention => "retention",
            Self::Webhooks => "webhooks",
        }
    }
}

/// Periods without a beat after which a task counts as hanging.
const PERIODS_MAX: u32 = 3;

/// How one task is.
pub(in crate::worker) struct TaskHealth {
    pub name: TaskName,
    /// The longest time between two beats of a task that goes round; none where it may wait for ever.
    period: Option<Duration>,
    state: Mutex<State>,
}

struct State {
    trouble: Option<String>,
    beat_at: Instant,
}

impl TaskHealth {
    pub fn new(name: TaskName, period: Option<Duration>) -> Self {
        Self { name, period, state: Mutex::new(State { trouble: None, beat_at: Instant::now() }) }
    }

    /// It was made, for the first time or again.
    pub fn started(&self) {
        *self.state() = State { trouble: None, beat_at: Instant::now() };
    }

    /// It does not run, for this reason.
    pub fn failed(&self, trouble: String) {
        self.state().trouble = Some(trouble);
    }

    /// What is wrong with it, where something is.
    pub fn trouble(&self) -> Option<String> {
        let state = self.state();
        state.trouble.clone().or_else(|| self.silence(state.beat_at.elapsed()))
    }

    fn silence(&self, silent: Duration) -> Option<String> {
        let hangs = self.period.is_some_and(|period| silent > period * PERIODS_MAX);
        hangs.then(|| format!("no heartbeat for {} s", silent.as_secs()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a task shows that it goes round with.
pub struct Beat(Arc<TaskHealth>);

impl Beat {
    pub(in crate::worker) fn new(health: Arc<TaskHealth>) -> Self {
        Self(health)
    }

    /// The task goes round.
    pub fn now(&self) {
        self.0.state().beat_at = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_does_not_go_round_is_told_after_three_periods() {
        let health = TaskHealth::new(TaskName::Outbox, Some(Duration::from_secs(1)));
        assert_eq!(health.silence(Duration::from_secs(3)), None);
        assert_eq!(health.silence(Duration::from_secs(4)).as_deref(), Some("no heartbeat for 4 s"));
    }

    #[test]
    fn a_beat_ends_the_silence() {
        let health = Arc::new(TaskHealth::new(TaskName::Outbox, Some(Duration::from_secs(60))));
        health.state().beat_at -= Duration::from_secs(181);
        assert!(health.trouble().is_some());
        Beat::new(health.clone()).now();
        assert_eq!(health.trouble(), None);
    }

    #[test]
    fn a_task_that_may_wait_for_ever_is_never_told() {
        let health = TaskHealth::new(TaskName::Intake, None);
        assert_eq!(health.silence(Duration::from_secs(86_400)), None);
    }
}
