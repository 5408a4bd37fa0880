//! Keeps the long-lived tasks of a process running: one that panics or ends early is counted, logged and started again.
//!
//! A task that fails [`FAILURES_MAX`] times in a row cannot be helped by another start. The process then stops in order and
//! reports which task it was, so that its supervisor (systemd, Kubernetes) restarts it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::BrokerError;
use crate::domain::{Backoff, chain};
use crate::metrics::Metrics;
use crate::telemetry;
use crate::worker::supervision::task_health::{Beat, TaskHealth, TaskName};

/// Time before a task is started again, doubled with each failure in a row.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// A task that ran this long ran well: earlier failures no longer count.
const GOOD_RUN: Duration = Duration::from_secs(30);
/// Failures in a row after which a task is not started again.
const FAILURES_MAX: u32 = 10;

/// A task that failed too often in a row.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the task `{}` failed {FAILURES_MAX} times in a row, most recently: {reason}", task.as_str())]
pub struct TaskFailed {
    /// Which one.
    pub task: TaskName,
    /// How it last failed.
    pub reason: String,
}

/// What one task is, as `/readyz` reports it.
#[derive(Debug, Clone)]
pub struct TaskState {
    /// Which one.
    pub task: TaskName,
    /// What is wrong with it, where something is.
    pub trouble: Option<String>,
}

/// Why the worker, or one of its tasks, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The broker refused to be consumed from.
    #[error("cannot consume from the broker")]
    Consume(#[from] BrokerError),
    /// A task failed however often it was started again.
    #[error(transparent)]
    Task(#[from] TaskFailed),
}

/// Runs the tasks of a process. Cheap to clone.
#[derive(Clone)]
pub struct Supervisor(Arc<Shared>);

struct Shared {
    metrics: Arc<Metrics>,
    stopping: CancellationToken,
    running: TaskTracker,
    tasks: Mutex<Vec<Arc<TaskHealth>>>,
    failed: watch::Sender<Option<TaskFailed>>,
    backoff_min: Duration,
}

impl Supervisor {
    /// Without any task yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self::with_backoff(metrics, BACKOFF_MIN)
    }

    fn with_backoff(metrics: Arc<Metrics>, backoff_min: Duration) -> Self {
        Self(Arc::new(Shared {
            metrics,
            stopping: CancellationToken::new(),
            running: TaskTracker::new(),
            tasks: Mutex::default(),
            failed: watch::Sender::new(None),
            backoff_min,
        }))
    }

    /// Cancelled when the tasks are to end. A task that ends after that has done its work.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// Runs a task until the process stops; `make` makes it, again each time it failed. It calls [`Beat::now`] each time it
    /// goes round, at the latest after `period`; none for a task that may wait for ever.
    pub fn run<M, F>(&self, name: TaskName, period: Option<Duration>, make: M)
    where
        M: Fn(Beat) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), WorkerError>> + Send + 'static,
    {
        let health = Arc::new(TaskHealth::new(name, period));
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(health.clone());
        let shared = self.0.clone();
        self.0.running.spawn(async move { shared.keep_running(&health, make).await });
    }

    /// Waits until a task failed too often in a row.
    pub async fn failed(&self) -> TaskFailed {
        let mut failed = self.0.failed.subscribe();
        let failed = failed.wait_for(Option::is_some).await.ok().and_then(|failed| failed.clone());
        match failed {
            Some(failed) => failed,
            // The sender lives as long as this value.
            None => std::future::pending().await,
        }
    }

    /// Waits until all tasks have ended, which they do once [`Self::stopping`] is cancelled.
    pub async fn ended(&self) {
        self.0.running.close();
        self.0.running.wait().await;
    }

    /// How each task is.
    pub fn states(&self) -> Vec<TaskState> {
        let tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().map(|health| TaskState { task: health.name, trouble: health.trouble() }).collect()
    }
}

impl Shared {
    async fn keep_running<M, F>(&self, health: &Arc<TaskHealth>, make: M)
    where
        M: Fn(Beat) -> F,
        F: Future<Output = Result<(), WorkerError>>,
    {
        let (mut failures, mut backoff) = (0, Backoff::new(self.backoff_min));
        loop {
            let began = Instant::now();
            health.started();
            // What tasks share is behind locks that survive a panic; the rest goes with the task.
            let task = AssertUnwindSafe(async { make(Beat::new(health.clone())).await });
            let Some(reason) = self.reason(task.catch_unwind().await) else { return };
            self.metrics.task_restarted(health.name.as_str());
            if began.elapsed() >= GOOD_RUN {
                (failures, backoff) = (0, Backoff::new(self.backoff_min));
            }
            failures += 1;
            if failures == FAILURES_MAX {
                return self.give_up(health, reason);
            }
            let wait = backoff.next_wait();
            let (task, retry_in_ms) = (health.name.as_str(), wait.as_millis());
            tracing::error!(task, reason, retry_in_ms, "a task ended early; starting it again");
            health.failed(format!("restarting: it {reason}"));
            if self.stopping.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// Why the task is to be made again; none where it ended because the process stops.
    fn reason(&self, ended: std::thread::Result<Result<(), WorkerError>>) -> Option<String> {
        let is_stopping = self.stopping.is_cancelled();
        match ended {
            Err(_) => Some(telemetry::take_last_panic().unwrap_or_else(|| "panicked".to_owned())),
            Ok(_) if is_stopping => None,
            Ok(Ok(())) => Some("ended by itself".to_owned()),
            Ok(Err(error)) => Some(format!("failed: {}", chain(&error))),
        }
    }

    fn give_up(&self, health: &TaskHealth, reason: String) {
        let failed = TaskFailed { task: health.name, reason };
        tracing::error!(task = health.name.as_str(), "{failed}; stopping");
        health.failed(failed.to_string());
        self.failed.send_if_modified(|first| first.is_none().then(|| *first = Some(failed)).is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervisor() -> (Supervisor, Arc<Metrics>) {
        let metrics = Arc::<Metrics>::default();
        (Supervisor::with_backoff(metrics.clone(), Duration::from_millis(1)), metrics)
    }

    fn restarts(metrics: &Metrics) -> Option<String> {
        let text = metrics.text(&crate::metrics::Figures::default());
        text.lines().find(|line| line.starts_with("vmacd_tasks_restarted_total")).map(str::to_owned)
    }

    #[tokio::test]
    async fn a_task_that_panics_is_counted_and_made_again() {
        let (supervisor, metrics) = supervisor();
        let (begun, mut beginnings) = tokio::sync::mpsc::unbounded_channel();
        let stopping = supervisor.stopping().clone();
        let runs = std::sync::atomic::AtomicU32::new(0);
        supervisor.run(TaskName::Outbox, None, move |_| {
            let (stopping, begun) = (stopping.clone(), begun.clone());
            let run = runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async move {
                assert!(run > 0, "the first run fails");
                let _ = begun.send(run);
                stopping.cancelled().await;
                Ok(())
            }
        });
        assert_eq!(beginnings.recv().await, Some(1));
        assert_eq!(supervisor.states()[0].trouble, None);
        assert_eq!(restarts(&metrics).as_deref(), Some("vmacd_tasks_restarted_total{task=\"outbox\"} 1"));
        supervisor.stopping().cancel();
        supervisor.ended().await;
        assert_eq!(restarts(&metrics).as_deref(), Some("vmacd_tasks_restarted_total{task=\"outbox\"} 1"));
    }

    #[tokio::test]
    async fn a_task_that_ends_early_each_time_is_named_in_the_end() {
        let (supervisor, _) = supervisor();
        supervisor.run(TaskName::Drift, None, |_| async { Ok(()) });
        let failed = supervisor.failed().await;
        assert_eq!(failed.task, TaskName::Drift);
        let text = "the task `drift` failed 10 times in a row, most recently: ended by itself";
        assert_eq!(failed.to_string(), text);
        assert_eq!(supervisor.states()[0].trouble.as_deref(), Some(text));
    }
}
