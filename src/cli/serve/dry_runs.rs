//! Dry runs for the API: the same as `--dry-run`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::broker::Message;
use crate::cli::vmacs::dry_run;
use crate::domain::{Code, Failure};
use crate::web::{DryRunReport, DryRunner};
use crate::worker::{self, WorkerParts};

/// Longest wait for a switch that a worker is pushing to.
const PATIENCE: Duration = Duration::from_secs(30);
/// Dry runs at the same time: each holds leases, and up to sixteen sessions.
const AT_ONCE_MAX: usize = 4;

/// Simulates commands as the worker of this process would run them.
pub struct WorkerDryRuns {
    parts: WorkerParts,
    turns: Arc<Semaphore>,
}

impl WorkerDryRuns {
    pub fn new(parts: WorkerParts) -> Self {
        Self { parts, turns: Arc::new(Semaphore::new(AT_ONCE_MAX)) }
    }
}

#[async_trait]
impl DryRunner for WorkerDryRuns {
    /// The dry run goes on when its client has gone away, so that sessions and leases are released in order.
    async fn dry_run(&self, messages: Vec<Message>) -> Result<DryRunReport, Failure> {
        let (parts, turns) = (self.parts.clone(), self.turns.clone());
        #[expect(clippy::disallowed_methods, reason = "one dry run, which is bounded in time")]
        let running = tokio::spawn(async move {
            let _turn = turns.acquire().await;
            let tried = worker::dry_run(&parts.store, &parts.settings, messages, PATIENCE).await?;
            Ok(dry_run::report(&tried))
        });
        let broken = |error| Failure::new(Code::WorkerTrouble, format!("the dry run ended early: {error}"));
        running.await.map_err(broken)?
    }
}
