//! Sessions to switches: opened when a push needs one, kept for the next one while they are idle.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::domain::{Switch, SwitchName};
use crate::switch::{SwitchClient, Version};
use crate::worker::slots::SessionSlot;

/// A session that may be open.
pub(in crate::worker) struct SwitchSession {
    pub(super) switch: SwitchName,
    pub(super) open: Option<Open>,
    /// The version that the switch was left at by the newest push, where that is known.
    pub left_at: Option<Version>,
    /// Rows that it bound something for, and of which nobody asked yet whether that is in force.
    pub unasked: BTreeSet<i64>,
}

/// An open session.
pub(super) struct Open {
    pub client: SwitchClient,
    /// As the inventory had it when the session was opened.
    pub switch: Switch,
    pub slot: SessionSlot,
}

impl SwitchSession {
    fn new(switch: SwitchName) -> Self {
        Self { switch, open: None, left_at: None, unasked: BTreeSet::new() }
    }

    /// The open client.
    pub fn client(&mut self) -> Option<&mut SwitchClient> {
        self.open.as_mut().map(|open| &mut open.client)
    }

    /// Forgets a session that can no longer be used; the switch discards what it had not committed.
    pub fn abandon(&mut self) {
        self.open = None;
    }

    /// Closes the session in order.
    pub async fn close(&mut self) {
        if let Some(Open { client, slot: _slot, .. }) = self.open.take() {
            client.close().await;
        }
    }
}

/// The sessions that no push uses now.
#[derive(Default)]
pub(in crate::worker) struct IdleSessions {
    idle: Mutex<HashMap<SwitchName, (SwitchSession, Instant)>>,
    /// Those that are lent out to be put back soon; each ends with its loan.
    lent: Mutex<HashMap<SwitchName, watch::Receiver<()>>>,
}

/// A session is lent out while this lives: who wants it waits.
pub(in crate::worker) struct Loan(#[expect(dead_code, reason = "its end is what it tells")] watch::Sender<()>);

impl IdleSessions {
    /// Tells that the switch's session comes back once the loan has ended.
    pub fn lend(&self, switch: &SwitchName) -> Loan {
        let (loan, end) = watch::channel(());
        self.lent().insert(switch.clone(), end);
        Loan(loan)
    }

    /// The switch's session, which may have to be opened. One that is lent out is waited for.
    pub async fn take(&self, switch: &SwitchName) -> SwitchSession {
        let lent = self.lent().remove(switch);
        if let Some(mut lent) = lent {
            // It never changes: this is an error once the loan has ended.
            let _ = lent.changed().await;
        }
        let idle = self.idle().remove(switch);
        idle.map_or_else(|| SwitchSession::new(switch.clone()), |(session, _)| session)
    }

    /// Whether somebody waits for the session that is lent out.
    pub fn is_wanted(&self, switch: &SwitchName) -> bool {
        !self.lent().contains_key(switch)
    }

    /// Keeps a session for the next push.
    pub fn put_back(&self, session: SwitchSession) {
        if session.open.is_some() {
            self.idle().insert(session.switch.clone(), (session, Instant::now()));
        }
    }

    /// Takes out those that have been idle for at least `age`.
    pub(super) fn older_than(&self, age: Duration) -> Vec<SwitchSession> {
        let mut idle = self.idle();
        let old = idle.iter().filter(|(_, (_, since))| since.elapsed() >= age).map(|(switch, _)| switch.clone());
        let old: Vec<SwitchName> = old.collect();
        old.iter().filter_map(|switch| idle.remove(switch)).map(|(session, _)| session).collect()
    }

    /// Takes the one out that has been idle for longest.
    pub(super) fn oldest(&self) -> Option<SwitchSession> {
        let mut idle = self.idle();
        let oldest = idle.iter().min_by_key(|(_, (_, since))| *since).map(|(switch, _)| switch.clone())?;
        idle.remove(&oldest).map(|(session, _)| session)
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<SwitchName, (SwitchSession, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lent(&self) -> MutexGuard<'_, HashMap<SwitchName, watch::Receiver<()>>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
