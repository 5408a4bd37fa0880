//! What every task of the worker shares.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arrivals::Arrivals;
use super::lanes::Lanes;
use super::retry::RetryPolicy;
use super::settle::Held;
use super::slots::Slots;
use super::turnstile::Turnstile;
use super::waiting::Waiting;
use crate::broker::Broker;
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::store::Store;

/// What the worker is made of, put together by the composition root.
#[derive(Clone)]
pub struct Parts {
    /// The rows.
    pub store: Store,
    /// The messages.
    pub broker: Broker,
    /// The validated settings.
    pub settings: Arc<Settings>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The shared state of one worker.
pub(super) struct Context {
    pub store: Store,
    pub broker: Broker,
    pub settings: Arc<Settings>,
    pub metrics: Arc<Metrics>,
    pub policy: RetryPolicy,
    /// This worker's name in leases, journals and logs.
    pub holder: String,
    /// Told when rows changed, so that the outbox publishes at once.
    pub events_due: Notify,
    /// No new work is begun once this is cancelled.
    pub stopping: CancellationToken,
    /// Tasks that settle messages; a shutdown waits for them.
    pub settling: TaskTracker,
    /// Bounds the sessions and pushes that run at the same time.
    pub slots: Slots,
    /// Pushes whose commit was sent and whose end is not known yet: a shutdown waits for them.
    pub commits_in_flight: AtomicUsize,
    pub lanes: Lanes,
    pub arrivals: Arrivals,
    pub turnstile: Turnstile,
    /// Held while the messages for a subnet's addresses are published.
    pub spreading: tokio::sync::Mutex<()>,
    waiting: Mutex<Waiting<Held>>,
}

impl Context {
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { store, broker, settings, metrics } = parts;
        let retry = &settings.retry;
        let policy = RetryPolicy {
            attempts_max: retry.attempts_max,
            delay_min: Duration::from_millis(retry.delay_min_ms),
            delay_max: Duration::from_millis(retry.delay_max_ms),
            age_max: Duration::from_millis(retry.age_max_ms),
            circuit_open: Duration::from_millis(settings.worker.circuit_open_ms),
        };
        Arc::new(Self {
            holder: holder_name(&settings.worker.name),
            slots: Slots::new(settings.worker.sessions_max, settings.worker.pushes_max, metrics.clone())
                .with_site_pushes_max(settings.limits.site_pushes_max),
            policy,
            store,
            broker,
            settings,
            metrics,
            events_due: Notify::new(),
            stopping: CancellationToken::new(),
            settling: TaskTracker::new(),
            commits_in_flight: AtomicUsize::new(0),
            lanes: Lanes::default(),
            arrivals: Arrivals::default(),
            turnstile: Turnstile::default(),
            spreading: tokio::sync::Mutex::default(),
            waiting: Mutex::default(),
        })
    }

    /// The registry of held messages. Never kept across an await.
    pub fn waiting(&self) -> MutexGuard<'_, Waiting<Held>> {
        // A panic elsewhere leaves the maps consistent enough: every method is short and total.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends after this long, or once no commit is in flight after that.
    pub async fn no_commit_in_flight_after(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
        while self.commits_in_flight.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sleeps, but wakes at once when the worker stops. False when it stops.
    pub async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            () = self.stopping.cancelled() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }
}

/// The name from the settings, else host, process and a random part: a restarted worker is another
/// holder, because it does not know what the one before it was doing.
pub(super) fn holder_name(name: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let base = if name.is_empty() { host.trim() } else { name };
    let base = if base.is_empty() { "worker" } else { base };
    format!("{base}/{}/{:08x}", std::process::id(), rand::random::<u32>())
}
