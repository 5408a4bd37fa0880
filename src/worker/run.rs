//! Starting and stopping the worker.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::context::{Context, Parts};
use super::settle::{Verdict, settle};
use super::{collect, drift, freezes, intake, outbox, sweep};
use crate::broker::{BrokerError, Prefetch, QueueKind};

/// Dead letters held unacknowledged at once.
const DEAD_PREFETCH: Prefetch = Prefetch { messages: 100, bytes: 8 << 20 };

/// Why the worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The broker refused to be consumed from.
    #[error("cannot consume from the broker")]
    Consume(#[from] BrokerError),
}

/// A running worker.
pub struct Worker {
    context: Arc<Context>,
    tasks: JoinSet<()>,
}

impl Worker {
    /// Starts every task of the worker.
    ///
    /// # Errors
    /// When the broker cannot be consumed from.
    pub async fn start(parts: Parts) -> Result<Self, WorkerError> {
        let context = Context::new(parts);
        context.store.claim_own_events(outbox::CLAIM);
        let broker = &context.settings.broker;
        let prefetch = Prefetch { messages: broker.prefetch, bytes: broker.prefetch_bytes_max };
        let commands = context.broker.consume(QueueKind::Commands, prefetch).await?;
        let dead = context.broker.consume(QueueKind::Dead, DEAD_PREFETCH).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(intake::run(context.clone(), commands));
        tasks.spawn(collect::run(context.clone(), dead));
        tasks.spawn(sweep::run(context.clone()));
        tasks.spawn(freezes::run(context.clone()));
        tasks.spawn(outbox::run(context.clone()));
        tasks.spawn(drift::run(context.clone()));
        Ok(Self { context, tasks })
    }

    /// This worker's name in leases and journals.
    pub fn name(&self) -> &str {
        &self.context.holder
    }

    /// Runs until `shutdown` is cancelled, then stops: no new work, the commits in flight finish, their
    /// results are written and their events published, what is held is handed back, leases released.
    pub async fn run_until(mut self, shutdown: CancellationToken) {
        shutdown.cancelled().await;
        tracing::info!("stopping: finishing the commits in flight");
        self.context.stopping.cancel();
        let half = Duration::from_millis(self.context.settings.worker.shutdown_grace_ms) / 2;
        let in_order = tokio::select! {
            () = self.context.lanes.ended() => true,
            () = self.context.no_commit_in_flight_after(half) => false,
        };
        if !in_order || tokio::time::timeout(half, self.hand_back()).await.is_err() {
            tracing::warn!("stopped before everything was finished; what is not acknowledged comes again");
        }
    }

    async fn hand_back(&mut self) {
        let held = self.context.waiting().take_all();
        settle(&self.context, held.into_iter().map(|held| (held, Verdict::HandBack)).collect());
        while self.tasks.join_next().await.is_some() {}
        let left = self.context.waiting().take_all();
        settle(&self.context, left.into_iter().map(|held| (held, Verdict::HandBack)).collect());
        self.context.settling.close();
        self.context.settling.wait().await;
        outbox::publish(&self.context).await;
    }
}
