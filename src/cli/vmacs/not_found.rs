//! The fault of an address without a virtual MAC: why the last request for it failed, or that no worker runs.

use crate::cli::fault::Fault;
use crate::domain::{BindableAddress, VmacName};
use crate::store::{DeadLetterFilter, Store, StoreError};

/// The fault of looking `what` up; for an address that is missing its hint says why.
pub async fn fault_for_missing(error: StoreError, store: &Store, what: VmacName) -> Fault {
    let hint = match (&error, what) {
        (StoreError::NotFound { .. }, VmacName::Ip(ip)) => hint(store, ip).await.ok().flatten(),
        _ => None,
    };
    let fault = Fault::from(error);
    match hint {
        Some(hint) => fault.with_hint(hint),
        None => fault,
    }
}

async fn hint(store: &Store, ip: BindableAddress) -> Result<Option<String>, StoreError> {
    let newest = DeadLetterFilter { ip: Some(ip), newest_first: true, limit: 1, ..DeadLetterFilter::default() };
    if let Some(letter) = store.dead_letters().list(&newest).await?.pop() {
        let (id, text) = (letter.id, letter.error_text);
        return Ok(Some(format!("a request for it failed: {text}; `vmacd dead-letters show {id}` shows the details")));
    }
    let now = store.now().await?;
    let is_running = store.workers().list().await?.iter().any(|worker| !worker.is_silent(now));
    let text = "no worker is running on this database; accepted requests wait until `vmacd serve` runs";
    Ok((!is_running).then(|| text.to_owned()))
}
