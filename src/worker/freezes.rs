//! Going on at once when a freeze ends.
//!
//! The messages of a frozen site's rows are on the retry ladder and come back in their time. The rows wait in the
//! database: each worker looks a few times a second which sites are frozen, and when one no longer is, wakes the lanes
//! of all switches that have work. So whoever thaws a site, on whichever machine, need not know the workers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use crate::domain::Scope;
use crate::metrics::DATABASE;
use crate::store::StoreError;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks until the worker stops.
pub(super) async fn run(context: Arc<Context>) {
    let mut frozen = HashSet::new();
    while context.pause(LOOK_EVERY).await {
        match look(&context, &frozen).await {
            Ok(now) => frozen = now,
            Err(error) => {
                tracing::warn!(error = super::chain(&error), "cannot look which sites are frozen; trying again");
                context.metrics.trouble(DATABASE);
            }
        }
    }
}

/// The sites that are frozen now; where one of those before is not, its switches' lanes are woken.
async fn look(context: &Arc<Context>, before: &HashSet<Scope>) -> Result<HashSet<Scope>, StoreError> {
    let now: HashSet<Scope> = context.store.freezes().await?.into_iter().map(|freeze| freeze.site).collect();
    let thawed: Vec<&Scope> = before.difference(&now).collect();
    if !thawed.is_empty() {
        let waiting = context.store.switches_with_work(Duration::ZERO).await?;
        tracing::info!(?thawed, switches = waiting.len(), "no longer frozen; going on");
        waiting.iter().for_each(|(switch, _)| context.lanes.poke(context, switch));
    }
    Ok(now)
}
