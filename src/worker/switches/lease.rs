//! The leases in hand: each is trusted by this process's own clock, for less than the database granted, and one statement
//! renews them all.
//!
//! Trust is counted from before the question was sent, so that it ends before the database lets anybody else have the
//! lease, however long the answer took. After that nothing is committed; no question is needed for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Settings;
use crate::domain::{Code, Failure, SwitchName, chain};
use crate::store::{Lease, Renewed, Store, StoreError};

/// The part of a lease's time by which two clocks may run apart meanwhile.
const MARGIN: u32 = 10;
/// Time between two attempts to get a lease that another holds.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// A lease that this process holds.
#[derive(Debug)]
pub(in crate::worker) struct LeaseInHand {
    pub lease: Lease,
    ttl: Duration,
    trusted_until: Mutex<Instant>,
    /// Work for the switch was admitted since its rows were gathered last.
    has_new_work: AtomicBool,
}

impl LeaseInHand {
    /// A lease granted by the answer to a question that was sent at `asked`.
    pub fn new(lease: Lease, asked: Instant, ttl: Duration) -> Self {
        let (trusted_until, has_new_work) = (Mutex::new(asked + trust(ttl)), AtomicBool::new(false));
        Self { lease, ttl, trusted_until, has_new_work }
    }

    /// Fails once the lease can no longer be trusted.
    pub fn check(&self) -> Result<(), Failure> {
        if Instant::now() < *self.trusted_until() {
            return Ok(());
        }
        Err(failure(&StoreError::LeaseLost { switch: self.lease.switch.to_string() }))
    }

    /// Whether work was admitted since this was asked before.
    pub fn take_new_work(&self) -> bool {
        self.has_new_work.swap(false, Ordering::SeqCst)
    }

    /// How long the database grants it for.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// It was renewed by the answer to a question that was sent at `asked`.
    pub fn renewed(&self, asked: Instant) {
        let mut until = self.trusted_until();
        *until = (*until).max(asked + trust(self.ttl));
    }

    fn lost(&self) {
        *self.trusted_until() = Instant::now();
    }

    fn trusted_until(&self) -> MutexGuard<'_, Instant> {
        self.trusted_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn trust(ttl: Duration) -> Duration {
    ttl - ttl / MARGIN
}

/// The leases of a worker's lanes.
#[derive(Debug, Default)]
pub(in crate::worker) struct Leases(Mutex<HashMap<SwitchName, Arc<LeaseInHand>>>);

impl Leases {
    /// Adds a lease.
    pub fn hold(&self, lease: LeaseInHand) -> Arc<LeaseInHand> {
        let lease = Arc::new(lease);
        self.held().insert(lease.lease.switch.clone(), lease.clone());
        lease
    }

    /// Lets go of a lease. True where work was admitted for its switch meanwhile: the dispatcher must poll once more.
    pub fn let_go(&self, lease: &LeaseInHand) -> bool {
        self.held().remove(&lease.lease.switch);
        lease.take_new_work()
    }

    /// Notes that work was admitted for the switch. True where its lease is in hand: then its lane goes on with that work.
    pub fn note_new_work(&self, switch: &SwitchName) -> bool {
        let held = self.held();
        let lease = held.get(switch);
        lease.inspect(|lease| lease.has_new_work.store(true, Ordering::SeqCst)).is_some()
    }

    /// Those in hand now.
    pub fn all(&self) -> Vec<Arc<LeaseInHand>> {
        self.held().values().cloned().collect()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<SwitchName, Arc<LeaseInHand>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn renew(store: &Store, held: &[Arc<LeaseInHand>], ttl: Duration) -> Result<(), StoreError> {
    let asked = Instant::now();
    let leases: Vec<Lease> = held.iter().map(|lease| lease.lease.clone()).collect();
    let renewed = store.leases().renew(&leases, ttl).await?;
    held.iter().for_each(|lease| take_note(lease, &renewed, asked));
    Ok(())
}

/// A lease whose row is locked keeps its trust as it was, and is renewed the next time.
fn take_note(lease: &LeaseInHand, renewed: &Renewed, asked: Instant) {
    let switch = &lease.lease.switch;
    if renewed.held.contains(switch) {
        lease.renewed(asked);
    } else if !renewed.busy.contains(switch) {
        lease.lost();
    }
}

/// Does the work while its lease is renewed: for operators' commands, which have no worker.
pub(in crate::worker) async fn keeping<T>(store: &Store, lease: &Arc<LeaseInHand>, work: impl Future<Output = T>) -> T {
    let renewing = async {
        loop {
            tokio::time::sleep(lease.ttl / 3).await;
            if let Err(error) = renew(store, std::slice::from_ref(lease), lease.ttl).await {
                tracing::warn!(switch = %lease.lease.switch, error = chain(&error), "lease not renewed; trying again");
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = renewing => unreachable!("it is renewed for as long as the work goes on"),
    }
}

/// Takes the lease; waits for its holder.
///
/// # Errors
/// [`Code::LeaseHeld`] naming the holder once the time is over, or [`Code::DatabaseTrouble`].
pub(in crate::worker) async fn wait_for(
    store: &Store,
    settings: &Settings,
    switch: &SwitchName,
    holder: &str,
    patience: Duration,
) -> Result<Arc<LeaseInHand>, Failure> {
    let deadline = Instant::now() + patience;
    let ttl = Duration::from_millis(settings.lease.ttl_ms);
    loop {
        let asked = Instant::now();
        if let Some(lease) = store.leases().acquire(switch, holder, ttl).await.map_err(|error| failure(&error))? {
            return Ok(Arc::new(LeaseInHand::new(lease, asked, ttl)));
        }
        if Instant::now() >= deadline {
            let other = store.leases().holder(switch).await.map_err(|error| failure(&error))?;
            let other = other.unwrap_or_else(|| "somebody".to_owned());
            let text = format!("{switch}: the worker {other} has been pushing to it for {patience:?}");
            return Err(Failure::new(Code::LeaseHeld, text));
        }
        tokio::time::sleep(ASK_EVERY.min(deadline - Instant::now())).await;
    }
}

/// What an error of the store is for a push.
pub(in crate::worker) fn failure(error: &StoreError) -> Failure {
    let code = match error {
        StoreError::LeaseLost { .. } => Code::LeaseLost,
        StoreError::NotFound { what: "switch", .. } => Code::UnknownSwitch,
        _ => Code::DatabaseTrouble,
    };
    Failure::new(code, chain(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn in_hand(asked_ago: Duration) -> LeaseInHand {
        let lease = Lease { switch: "sw-1".parse().expect("a name"), holder: "w".to_owned(), token: 1 };
        let asked = Instant::now().checked_sub(asked_ago).expect("an instant");
        LeaseInHand::new(lease, asked, TTL)
    }

    #[test]
    fn a_lease_is_trusted_for_less_than_was_granted_counted_from_the_question() {
        assert!(in_hand(Duration::from_millis(8_900)).check().is_ok());
        let late = in_hand(Duration::from_millis(9_000)).check().expect_err("the answer took nine seconds");
        assert_eq!(late.code, Code::LeaseLost);
    }

    #[test]
    fn a_renewal_counts_from_its_own_question_and_a_lost_lease_is_not_trusted() {
        let lease = in_hand(Duration::from_secs(9));
        lease.renewed(Instant::now());
        assert!(lease.check().is_ok());
        lease.lost();
        assert!(lease.check().is_err());
    }

    #[test]
    fn a_lease_that_is_busy_keeps_its_trust_and_only_one_that_is_lost_loses_it() {
        let (early, lease) = (Instant::now(), in_hand(Duration::from_secs(3)));
        let of = || vec![lease.lease.switch.clone()];
        let until = *lease.trusted_until();
        take_note(&lease, &Renewed { busy: of(), ..Renewed::default() }, early);
        assert_eq!(*lease.trusted_until(), until);
        take_note(&lease, &Renewed { held: of(), ..Renewed::default() }, early);
        assert_eq!(*lease.trusted_until(), early + trust(TTL));
        take_note(&lease, &Renewed::default(), Instant::now());
        assert!(lease.check().is_err());
    }

    #[test]
    fn work_that_comes_while_a_lease_is_in_hand_is_not_forgotten_when_it_is_let_go() {
        let (leases, switch) = (Leases::default(), "sw-1".parse().expect("a name"));
        assert!(!leases.note_new_work(&switch), "nobody has it: the dispatcher must poll");
        let lease = leases.hold(in_hand(Duration::ZERO));
        assert!(leases.note_new_work(&switch));
        assert!(lease.take_new_work(), "seen before the rows were gathered");
        assert!(!leases.let_go(&lease));
        let lease = leases.hold(in_hand(Duration::ZERO));
        assert!(leases.note_new_work(&switch));
        assert!(leases.let_go(&lease), "it came too late for the last push");
    }
}
