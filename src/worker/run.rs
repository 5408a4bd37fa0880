//! Starting and stopping the worker.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::checks::drift;
use super::context::{Context, WorkerParts};
use super::intake::{self, dead_queue};
use super::lanes::dispatcher;
use super::outbox;
use super::retention;
use super::supervision::presence;
use super::supervision::supervise::{Supervisor, WorkerError};
use super::supervision::task_health::{Beat, TaskName};
use super::switches::{renewal, session_upkeep};
use super::webhooks;
use crate::broker::{Broker, Prefetch, QueueKind};

/// Commands held unacknowledged at once: two batches, one being admitted and one being read. A connection that breaks counts one
/// delivery for each of them, and a quorum queue gives up a message after its delivery limit.
const PREFETCH: u16 = 1_000;
/// Dead letters held unacknowledged at once.
const DEAD_PREFETCH: Prefetch = Prefetch { messages: 100, bytes: 8 << 20 };

/// A running worker.
pub struct Worker {
    context: Arc<Context>,
    supervisor: Supervisor,
}

impl Worker {
    /// Starts every task of the worker.
    pub fn start(parts: WorkerParts) -> Self {
        let supervisor = parts.supervisor.clone();
        let context = Context::new(parts);
        let worker = Self { context, supervisor };
        worker.start_consumers();
        worker.start_rounds();
        worker
    }

    fn start_consumers(&self) {
        let broker = &self.context.settings.broker;
        let prefetch = Prefetch { messages: PREFETCH, bytes: broker.prefetch_bytes_max };
        let context = self.context.clone();
        self.supervisor.run(TaskName::Intake, None, move |_| {
            let context = context.clone();
            async move {
                let commands = context.broker.consume(QueueKind::Commands, prefetch).await?;
                intake::run(context, commands).await;
                Ok(())
            }
        });
        let context = self.context.clone();
        self.supervisor.run(TaskName::Collector, None, move |_| {
            let context = context.clone();
            async move {
                let dead = context.broker.consume(QueueKind::Dead, DEAD_PREFETCH).await?;
                dead_queue::run(context, dead).await;
                Ok(())
            }
        });
    }

    /// Starts the periodic tasks. In one round a statement may take all its time.
    fn start_rounds(&self) {
        let settings = &self.context.settings;
        let statement = Duration::from_millis(settings.database.statement_timeout_ms);
        self.round(TaskName::Dispatcher, statement, dispatcher::run);
        self.round(TaskName::Leases, statement + Duration::from_millis(settings.lease.ttl_ms), renewal::keep);
        self.round(TaskName::Sessions, statement, session_upkeep::close_idle);
        self.round(TaskName::Presence, statement, presence::run);
        if settings.drift.interval_ms > 0 {
            self.round(TaskName::Drift, statement, drift::run);
        }
        self.round(TaskName::Retention, statement, retention::run);
        self.round(TaskName::Webhooks, statement, webhooks::run);
        match self.context.broker {
            Broker::Amqp(_) => {
                self.context.store.events().claim_own(outbox::CLAIM);
                self.round(TaskName::Outbox, statement, outbox::run);
            }
            // Without a broker events stay rows, for readers of the database.
            Broker::Embedded(_) => self.context.store.events().publish_nowhere(),
        }
    }

    fn round<F>(&self, name: TaskName, period: Duration, run: fn(Arc<Context>, Beat) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let context = self.context.clone();
        self.supervisor.run(name, Some(period), move |beat| {
            let running = run(context.clone(), beat);
            async move {
                running.await;
                Ok(())
            }
        });
    }

    /// This worker's name in leases and journals.
    pub fn name(&self) -> &str {
        &self.context.holder
    }

    /// Runs until `shutdown` is cancelled, then stops: no new work, the commits in flight finish, their results are written
    /// and their events published, leases are given back.
    ///
    /// # Errors
    /// [`WorkerError::Task`] where a task failed too often in a row. The worker has stopped in the same way then.
    pub async fn run_until(self, shutdown: CancellationToken) -> Result<(), WorkerError> {
        let ended = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            failed = self.supervisor.failed() => Err(failed.into()),
        };
        tracing::info!("stopping: finishing the commits in flight");
        self.supervisor.stopping().cancel();
        self.context.lanes.close();
        let half = Duration::from_millis(self.context.settings.worker.shutdown_grace_ms) / 2;
        let in_order = tokio::select! {
            () = self.context.lanes.wait() => true,
            () = self.context.no_commit_in_flight_after(half) => false,
        };
        self.context.ended.cancel();
        if !in_order || tokio::time::timeout(half, self.end()).await.is_err() {
            tracing::warn!("stopped before everything was finished; it is continued after the next start");
        }
        ended
    }

    async fn end(&self) {
        self.supervisor.ended().await;
        session_upkeep::close_all_idle(&self.context).await;
        if matches!(self.context.broker, Broker::Amqp(_)) {
            // In a task of its own: if it panics, which is logged, the worker still stops in order.
            let context = self.context.clone();
            #[expect(clippy::disallowed_methods, reason = "it is awaited here")]
            let _ = tokio::spawn(async move { outbox::publish(&context).await }).await;
        }
    }
}
