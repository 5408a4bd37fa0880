//! One simulated switch as its connections share it: the device behind its mutex, the faults, and what is counted.

pub(crate) mod faults;
pub(crate) mod lock_watch;
pub(crate) mod open_session;
pub(crate) mod pace;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::faults::{FaultKind, Faults};
use self::lock_watch::{LockHold, LockWatch, Served};
use self::pace::Pace;
use crate::sim::device::Device;
use crate::sim::device::model::Model;
use crate::sim::time;

/// The login a switch takes.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub user: String,
    pub password: String,
    /// A public key that opens too, in the form of an `authorized_keys` line.
    pub key: Option<String>,
}

/// A switch and everything its sessions share.
pub(crate) struct Switch {
    pub name: String,
    pub model: Model,
    pub login: Credentials,
    device: Mutex<Device>,
    /// Held by whoever works on the database: a commit keeps the others waiting.
    pub database: tokio::sync::Mutex<()>,
    pub faults: Mutex<Faults>,
    pub deadline_changed: Notify,
    counts: Mutex<BTreeMap<String, u64>>,
    commit_time_ms: AtomicU64,
    pub pace: Pace,
    lock_watch: Mutex<LockWatch>,
    reply_bytes: AtomicU64,
    sessions: Mutex<HashMap<u32, CancellationToken>>,
    away_until: Mutex<Option<tokio::time::Instant>>,
    rate_limit: Option<usize>,
    /// MACs that were seen where nothing binds them.
    pub strays: Mutex<Vec<Stray>>,
    /// When connections of the last minute were accepted.
    accepted: Mutex<VecDeque<tokio::time::Instant>>,
}

/// A MAC that a server sends from another port than its bindings stand on.
#[derive(Debug, Clone)]
pub(crate) struct Stray {
    pub mac: String,
    pub interface: String,
    /// The port keeps it.
    pub kept: bool,
}

/// Whether a session has a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// A NETCONF session has none.
    None,
    /// The first that nobody uses.
    Next,
}

/// What a switch is made from.
pub(crate) struct SwitchParts {
    pub name: String,
    pub model: Model,
    pub login: Credentials,
    pub device: Device,
    pub faults: Faults,
    pub commit_time: Duration,
    pub pace: Pace,
    pub rate_limit: Option<usize>,
}

impl Switch {
    pub(crate) fn new(parts: SwitchParts) -> Arc<Switch> {
        let switch = Switch {
            name: parts.name,
            model: parts.model,
            login: parts.login,
            device: Mutex::new(parts.device),
            database: tokio::sync::Mutex::new(()),
            faults: Mutex::new(parts.faults),
            deadline_changed: Notify::new(),
            counts: Mutex::default(),
            commit_time_ms: AtomicU64::new(0),
            pace: parts.pace,
            lock_watch: Mutex::default(),
            reply_bytes: AtomicU64::default(),
            sessions: Mutex::default(),
            away_until: Mutex::default(),
            rate_limit: parts.rate_limit,
            strays: Mutex::default(),
            accepted: Mutex::default(),
        };
        switch.set_commit_time(parts.commit_time);
        Arc::new(switch)
    }

    /// The device, with everything done that was due by now.
    pub(crate) fn device(&self) -> MutexGuard<'_, Device> {
        let mut device = locked(&self.device);
        if device.tick(time::now()) {
            tracing::info!(switch = %self.name, "commit was not confirmed; automatic rollback complete");
        }
        device
    }

    /// Counts an occasion for `kind` and says whether it goes wrong now.
    pub(crate) fn strikes(&self, kind: FaultKind) -> bool {
        self.strikes_with(kind).is_some()
    }

    /// Whether the fault is set, without giving it an occasion to strike.
    pub(crate) fn is_set(&self, kind: FaultKind) -> bool {
        locked(&self.faults).is_set(kind)
    }

    /// Like [`Switch::strikes`], with the fault's parameter.
    pub(crate) fn strikes_with(&self, kind: FaultKind) -> Option<Option<Duration>> {
        let struck = locked(&self.faults).strikes_with(kind);
        if struck.is_some() {
            tracing::info!(switch = %self.name, fault = kind.name(), "fault");
        }
        struck
    }

    pub(crate) fn count(&self, rpc: &str) {
        *locked(&self.counts).entry(rpc.to_owned()).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        locked(&self.counts).clone()
    }

    pub(crate) fn commit_time(&self) -> Duration {
        Duration::from_millis(self.commit_time_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn set_commit_time(&self, span: Duration) {
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.commit_time_ms.store(ms, Ordering::Relaxed);
    }

    /// Opens a session; the token ends it when it is killed or the switch goes down.
    pub(crate) fn open_session(&self, user: &str, terminal: Terminal) -> (u32, CancellationToken) {
        let mut device = self.device();
        let name = match terminal {
            Terminal::None => "",
            Terminal::Next => device.free_terminal(),
        };
        let pid = device.open_session(user, name, time::now());
        drop(device);
        let token = CancellationToken::new();
        locked(&self.sessions).insert(pid, token.clone());
        (pid, token)
    }

    pub(crate) fn end_session(&self, pid: u32) {
        locked(&self.sessions).remove(&pid);
        self.device().end_session(pid);
        locked(&self.lock_watch).released(pid);
    }

    pub(crate) fn reply_bytes(&self) -> u64 {
        self.reply_bytes.load(Ordering::Relaxed)
    }

    /// Takes down what a request cost, and what of it while the lock was held.
    pub(crate) fn note(&self, served: &Served<'_>) {
        self.reply_bytes.fetch_add(u64::try_from(served.bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        let holder = self.device().locked_by;
        locked(&self.lock_watch).served(served, holder);
    }

    pub(crate) fn lock_holds(&self) -> Vec<LockHold> {
        locked(&self.lock_watch).ended()
    }

    pub(crate) fn forget_lock_holds(&self) {
        locked(&self.lock_watch).forget();
    }

    /// Cuts the connection of one session.
    pub(crate) fn cut(&self, pid: u32) {
        if let Some(token) = locked(&self.sessions).remove(&pid) {
            token.cancel();
        }
    }

    /// Cuts every connection.
    pub(crate) fn cut_all(&self) {
        locked(&self.sessions).drain().for_each(|(_, token)| token.cancel());
    }

    /// Goes away for `span` and comes back with the running configuration.
    pub(crate) fn reboot(&self, span: Duration) {
        *locked(&self.away_until) = Some(tokio::time::Instant::now() + span);
        self.device().reboot();
        self.cut_all();
        self.deadline_changed.notify_one();
    }

    /// Whether connections are refused right now.
    pub(crate) fn is_away(&self) -> bool {
        locked(&self.away_until).is_some_and(|until| tokio::time::Instant::now() < until)
    }

    /// Counts a connection, and says whether it is one too many within a minute (JNPR "rate-limit").
    pub(crate) fn is_rate_limited(&self) -> bool {
        let Some(limit) = self.rate_limit else { return false };
        let (mut accepted, now) = (locked(&self.accepted), tokio::time::Instant::now());
        while accepted.front().is_some_and(|at| now - *at > Duration::from_secs(60)) {
            accepted.pop_front();
        }
        accepted.push_back(now);
        accepted.len() > limit
    }

    /// Takes unconfirmed commits back when their time is over, for as long as it is polled.
    pub(crate) async fn keep_time(&self) {
        loop {
            let deadline = self.device().deadline();
            let left = deadline.map(|at| Duration::from_millis(u64::try_from(at - time::now()).unwrap_or(0)));
            let expiry = async {
                match left {
                    Some(left) => tokio::time::sleep(left.min(Duration::from_secs(86_400))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = expiry => drop(self.database.lock().await),
                () = self.deadline_changed.notified() => {}
            }
        }
    }
}

/// The data behind a mutex, also after a panic elsewhere: each change to it is a whole one.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
