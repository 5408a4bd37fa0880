//! Freezes a site automatically when commits failed on several of its switches: nothing more is committed there until an
//! operator thaws it. `domain::auto_freeze` decides when; here is what happens then.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Scope, SiteName, chain, reason_to_stop};
use crate::store::{Lease, StoreError};
use crate::worker::context::Context;

/// The time in which failures are counted.
const WINDOW: Duration = Duration::from_secs(600);

/// Freezes the site of the lease's switch where too many of its commits failed recently.
pub(super) async fn consider(context: &Arc<Context>, lease: &Lease, site: Option<&SiteName>) {
    if let Err(error) = stop(context, lease, site).await {
        tracing::warn!(switch = %lease.switch, error = chain(&error), "cannot decide whether to freeze the site");
    }
}

async fn stop(context: &Context, lease: &Lease, site: Option<&SiteName>) -> Result<(), StoreError> {
    let (store, limits) = (&context.store, &context.settings.limits);
    let failed = store.pushes().failed_at_site_of(&lease.switch, WINDOW).await?;
    let Some(reason) = reason_to_stop(&failed, limits.stop_failures_max, WINDOW) else { return Ok(()) };
    if store.freezes().freeze_automatically(site, &reason, &context.holder).await? {
        let site = Scope::Site(site.cloned());
        tracing::error!(%site, reason, "site frozen automatically: nothing is committed there until somebody thaws it");
    }
    Ok(())
}
