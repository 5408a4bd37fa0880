//! Going on at once when a freeze ends.
//!
//! The messages of a frozen site's rows are on the retry ladder and come back in their time. The rows wait in the
//! database: each worker looks every other second which freezes ended of late, and wakes the lanes of all switches that have
//! work. So whoever thaws a site, on whichever machine, need not know the workers.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::context::Context;
use crate::metrics::DATABASE;
use crate::store::StoreError;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How far a look goes back behind the one before: machines' clocks differ, and a statement takes its time. To wake a
/// lane twice costs next to nothing.
const OVERLAP: Duration = Duration::from_secs(3);

/// Looks until the worker stops.
pub(super) async fn run(context: Arc<Context>) {
    let mut looked = None;
    while context.pause(LOOK_EVERY).await {
        match look(&context, looked).await {
            Ok(now) => looked = Some(now),
            Err(error) => {
                tracing::warn!(error = super::chain(&error), "cannot look which sites are frozen; trying again");
                context.metrics.trouble(DATABASE);
            }
        }
    }
}

/// Wakes every switch that has work where a freeze ended since the last look, or not long before the first.
async fn look(context: &Arc<Context>, looked: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, StoreError> {
    let now = context.store.now().await?;
    let since = looked.unwrap_or(now - Duration::from_millis(context.settings.worker.sweep_after_ms)) - OVERLAP;
    let thawed = context.store.thawed_since(since).await?;
    if !thawed.is_empty() {
        let waiting = context.store.switches_with_work(Duration::ZERO).await?;
        if !waiting.is_empty() {
            tracing::info!(?thawed, switches = waiting.len(), "no longer frozen; going on");
        }
        waiting.iter().for_each(|(switch, _)| context.lanes.poke(context, switch));
    }
    Ok(now)
}
