//! The state that all tasks of the worker share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::Broker;
use crate::config::Settings;
use crate::domain::SwitchName;
use crate::metrics::Metrics;
use crate::store::{Admission, Store};
use crate::worker::intake::arrival_numbers::ArrivalNumbers;
use crate::worker::intake::bursts::Bursts;
use crate::worker::slots::Slots;
use crate::worker::supervision::outages::Outages;
use crate::worker::supervision::supervise::Supervisor;
use crate::worker::switches::lease::Leases;
use crate::worker::switches::memory::Memory;
use crate::worker::switches::session::IdleSessions;

/// What the worker is made of, put together by the composition root.
#[derive(Clone)]
pub struct WorkerParts {
    /// The rows.
    pub store: Store,
    /// The messages.
    pub broker: Broker,
    /// The validated settings.
    pub settings: Arc<Settings>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What keeps the tasks of the process running.
    pub supervisor: Supervisor,
    /// Since when broker and database are unreachable.
    pub outages: Arc<Outages>,
}

/// The shared state of one worker.
pub(super) struct Context {
    pub store: Store,
    pub broker: Broker,
    pub settings: Arc<Settings>,
    pub metrics: Arc<Metrics>,
    /// This worker's name in leases, journals and logs.
    pub holder: String,
    /// Notified when this worker admitted work for a switch whose lease it does not have.
    pub work_admitted: Notify,
    /// Notified when this process wrote events, so that the outbox publishes at once.
    pub events_due: Notify,
    /// Notified when there are events that another process wrote and does not publish.
    pub others_events_due: Notify,
    /// Notified when there may be deliveries to webhooks.
    pub deliveries_due: Notify,
    /// Whether there were webhooks a second ago. Only a hint: without any, nobody is woken for each event.
    pub has_webhooks: AtomicBool,
    /// No new work is begun once this is cancelled.
    pub stopping: CancellationToken,
    /// Cancelled once the worker has stopped: leases are renewed until then.
    pub ended: CancellationToken,
    /// The switches that are being driven; a shutdown waits for them.
    pub lanes: TaskTracker,
    /// Bounds the sessions and pushes that run at the same time.
    pub slots: Slots,
    /// Pushes whose commit was sent and whose end is not known yet: a shutdown waits for them.
    pub commits_in_flight: AtomicUsize,
    pub leases: Leases,
    pub idle_sessions: IdleSessions,
    pub memory: Memory,
    pub bursts: Bursts,
    pub arrival_numbers: Arc<ArrivalNumbers>,
    pub supervisor: Supervisor,
    pub outages: Arc<Outages>,
}

impl Context {
    pub fn new(parts: WorkerParts) -> Arc<Self> {
        let WorkerParts { store, broker, settings, metrics, supervisor, outages } = parts;
        Arc::new(Self {
            holder: holder_name(&settings.worker.name),
            slots: Slots::new(
                settings.worker.sessions_max,
                settings.worker.pushes_max,
                settings.limits.site_pushes_max,
                metrics.clone(),
            ),
            store,
            broker,
            settings,
            metrics,
            work_admitted: Notify::new(),
            events_due: Notify::new(),
            others_events_due: Notify::new(),
            deliveries_due: Notify::new(),
            has_webhooks: AtomicBool::new(false),
            stopping: supervisor.stopping().clone(),
            ended: CancellationToken::new(),
            lanes: TaskTracker::new(),
            commits_in_flight: AtomicUsize::new(0),
            leases: Leases::default(),
            idle_sessions: IdleSessions::default(),
            memory: Memory::default(),
            bursts: Bursts::default(),
            arrival_numbers: Arc::default(),
            supervisor,
            outages,
        })
    }

    /// Notes a command that was admitted, and wakes the lanes or the dispatcher for its switches.
    pub fn admitted(&self, admission: &Admission) {
        if let Admission::Work { switches, .. } = admission {
            switches.iter().for_each(|switch| self.bursts.note(switch));
            self.wake(switches);
        }
    }

    /// Has the events published and sent that this process wrote.
    pub fn wrote_events(&self) {
        self.events_due.notify_one();
        if self.has_webhooks.load(Ordering::Relaxed) {
            self.deliveries_due.notify_one();
        }
    }

    /// Wakes the dispatcher for work on these switches; a lane that has one of them sees the work itself.
    pub fn wake(&self, switches: &[SwitchName]) {
        let elsewhere = switches.iter().filter(|switch| !self.leases.note_new_work(switch)).count();
        if elsewhere > 0 {
            self.work_admitted.notify_one();
        }
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

/// What this machine calls itself; empty where it does not say.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// The name from the settings, else host, process and a random part: a restarted worker is another
/// holder, because it does not know what the one before it was doing.
pub(super) fn holder_name(name: &str) -> String {
    let host = host_name();
    let base = if name.is_empty() { host.as_str() } else { name };
    let base = if base.is_empty() { "worker" } else { base };
    format!("{base}/{}/{:08x}", std::process::id(), rand::random::<u32>())
}
