//! Stopping a site by itself: when commits on several of its switches went wrong, no more are made there until
//! somebody has looked. When that is, `domain::stop` says; here is what happens then.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use crate::domain::{Failure, Scope, reason_to_stop, speaks_against_site};
use crate::store::{Lease, StoreError};

/// Writes down which pushes under the lease went wrong after their commit, and stops the site where that is too much.
pub(super) async fn consider<'a>(context: &Arc<Context>, lease: &Lease, failures: impl Iterator<Item = &'a Failure>) {
    if !failures.into_iter().any(speaks_against_site) {
        return;
    }
    if let Err(error) = stop(context, lease).await {
        tracing::warn!(switch = %lease.switch, error = super::chain(&error), "cannot tell whether to stop the site");
    }
}

async fn stop(context: &Context, lease: &Lease) -> Result<(), StoreError> {
    let (store, limits) = (&context.store, &context.settings.limits);
    if !store.note_failed_pushes(lease).await? {
        return Ok(());
    }
    let window = Duration::from_millis(limits.stop_window_ms);
    let failed = store.failed_pushes(&lease.switch, window).await?;
    let Some(reason) = reason_to_stop(&failed, limits.stop_failures_max, window) else { return Ok(()) };
    let site = store.switch(&lease.switch).await?.switch.site;
    if store.stop_site(site.as_ref(), &reason, &context.holder).await? {
        tracing::error!(site = %Scope::Site(site), reason, "site stopped: nothing is committed there until somebody thaws it");
    }
    Ok(())
}
