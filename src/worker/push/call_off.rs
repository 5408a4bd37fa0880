//! Calling a push off when the worker stops: at once where that costs nothing, and never with a commit in flight.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::switch::Stage;

/// What a push waits for, as far as a stop is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum Phase {
    /// Nothing that matters: the switch discards what was not committed.
    Before,
    /// The answer to a commit or a confirmation.
    Commit,
    /// An answer between or after the two. Without it the journal has the push as sent, and the next push finds out how it ended.
    Question,
}

impl Phase {
    const fn of(stage: Stage) -> Self {
        match stage {
            Stage::Sent | Stage::ReadBack => Self::Commit,
            Stage::Committed | Stage::Answered | Stage::Confirmed => Self::Question,
            Stage::Connected
            | Stage::Locked
            | Stage::BackedUp
            | Stage::Read
            | Stage::Gathered
            | Stage::Loaded
            | Stage::Resolved
            | Stage::Unlocked
            | Stage::Settled => Self::Before,
        }
    }
}

/// Reports a push's phases, and counts it among the commits in flight from its commit to its known end.
pub(in crate::worker) struct InFlight<'a> {
    phase: watch::Sender<Phase>,
    count: &'a AtomicUsize,
}

impl<'a> InFlight<'a> {
    pub fn new(count: &'a AtomicUsize) -> Self {
        Self { phase: watch::Sender::new(Phase::Before), count }
    }

    /// Called at each stage of the push.
    pub fn reached(&self, stage: Stage) {
        self.note(Phase::of(stage));
    }

    /// What [`called_off`] watches.
    pub fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    fn note(&self, phase: Phase) {
        match (self.phase.send_replace(phase), phase) {
            (Phase::Before, Phase::Commit | Phase::Question) => _ = self.count.fetch_add(1, Ordering::Relaxed),
            (Phase::Commit | Phase::Question, Phase::Before) => _ = self.count.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.note(Phase::Before);
    }
}

/// Ends when a stopping worker has waited long enough for a push: `patience` from the stop, and as much again for each
/// answer between a commit and its confirmation. An answer to a commit has its own limit, `ssh.commit_timeout_ms`.
pub(in crate::worker) async fn called_off(
    stopping: &CancellationToken,
    patience: Duration,
    mut phases: watch::Receiver<Phase>,
) {
    stopping.cancelled().await;
    tokio::time::sleep(patience).await;
    loop {
        let phase = *phases.borrow_and_update();
        match phase {
            Phase::Before => return,
            Phase::Commit => _ = phases.changed().await,
            Phase::Question if tokio::time::timeout(patience, phases.changed()).await.is_err() => return,
            Phase::Question => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    /// Whether a push at `stage` is called off within many times the patience.
    async fn is_called_off_at(stage: Stage) -> bool {
        let (count, stopping) = (AtomicUsize::new(0), CancellationToken::new());
        let in_flight = InFlight::new(&count);
        in_flight.reached(stage);
        stopping.cancel();
        tokio::time::timeout(PATIENCE * 20, called_off(&stopping, PATIENCE, in_flight.phases())).await.is_ok()
    }

    #[tokio::test]
    async fn only_the_answer_to_a_commit_is_waited_for_without_end() {
        for stage in [Stage::Connected, Stage::Loaded, Stage::Committed, Stage::Answered, Stage::Resolved] {
            assert!(is_called_off_at(stage).await, "{stage:?}");
        }
        for stage in [Stage::Sent, Stage::ReadBack] {
            assert!(!is_called_off_at(stage).await, "{stage:?}");
        }
    }

    #[tokio::test]
    async fn a_question_after_a_commit_has_a_patience_of_its_own() {
        let (count, stopping) = (AtomicUsize::new(0), CancellationToken::new());
        let in_flight = InFlight::new(&count);
        in_flight.reached(Stage::Sent);
        stopping.cancel();
        let mut ending = std::pin::pin!(called_off(&stopping, PATIENCE, in_flight.phases()));
        assert!(tokio::time::timeout(PATIENCE * 5, &mut ending).await.is_err(), "called off during a commit");
        in_flight.reached(Stage::Committed);
        let asked = std::time::Instant::now();
        ending.await;
        assert!(asked.elapsed() >= PATIENCE);
    }

    #[test]
    fn a_push_counts_as_in_flight_from_its_commit_to_its_known_end() {
        let count = AtomicUsize::new(0);
        let in_flight = InFlight::new(&count);
        for (stage, expected) in [(Stage::Loaded, 0), (Stage::Sent, 1), (Stage::Committed, 1), (Stage::Resolved, 0)] {
            in_flight.reached(stage);
            assert_eq!(count.load(Ordering::Relaxed), expected, "{stage:?}");
        }
        in_flight.reached(Stage::Sent);
        drop(in_flight);
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
