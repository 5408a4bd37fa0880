//! Keeping a switch's lease while something is done to the switch, and waiting for it.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Settings;
use crate::domain::{Code, Failure, SwitchName, chain};
use crate::store::{Lease, Store, StoreError};

/// Renews the lease for as long as it is polled. That the lease is gone is found out by the checks
/// before each commit and each write.
pub(super) async fn keep(store: &Store, lease: &Lease, ttl: Duration) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(ttl / 3).await;
        match store.renew(lease, ttl).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(switch = %lease.switch, "the lease went to another worker during a push"),
            Err(error) => tracing::warn!(switch = %lease.switch, error = chain(&error), "lease not renewed"),
        }
    }
}

/// Does the work while the lease is renewed.
pub(super) async fn keeping<T>(store: &Store, lease: &Lease, ttl: Duration, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = keep(store, lease, ttl) => match never {},
    }
}

/// Takes the lease, waiting for whoever has it.
///
/// # Errors
/// [`Code::LeaseHeld`] naming the holder once the time is over, or [`Code::DatabaseTrouble`].
pub(super) async fn wait_for(
    store: &Store,
    settings: &Settings,
    switch: &SwitchName,
    holder: &str,
    patience: Duration,
) -> Result<Lease, Failure> {
    let deadline = Instant::now() + patience;
    let (ttl, poll) = (Duration::from_millis(settings.lease.ttl_ms), Duration::from_millis(settings.lease.poll_ms));
    loop {
        if let Some(lease) = store.acquire(switch, holder, ttl).await.map_err(|error| failure(&error))? {
            return Ok(lease);
        }
        if Instant::now() >= deadline {
            let other = store.lease_holder(switch).await.map_err(|error| failure(&error))?;
            let other = other.unwrap_or_else(|| "somebody".to_owned());
            let text = format!("{switch}: the worker {other} has been pushing to it for {patience:?}");
            return Err(Failure::new(Code::LeaseHeld, text));
        }
        tokio::time::sleep(poll.min(deadline - Instant::now())).await;
    }
}

/// What an error of the store is for a push.
pub(super) fn failure(error: &StoreError) -> Failure {
    let code = match error {
        StoreError::LeaseLost { .. } => Code::LeaseLost,
        _ => Code::DatabaseTrouble,
    };
    Failure::new(code, chain(error))
}
