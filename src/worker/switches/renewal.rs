//! Renewing the leases in hand.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::chain;
use crate::failpoint;
use crate::metrics::DATABASE;
use crate::worker::context::Context;
use crate::worker::supervision::task_health::Beat;
use crate::worker::switches::lease::renew;

/// Renews every lease in hand until the worker has stopped.
pub(in crate::worker) async fn keep(context: Arc<Context>, beat: Beat) {
    let ttl = Duration::from_millis(context.settings.lease.ttl_ms);
    while context.ended.run_until_cancelled(tokio::time::sleep(ttl / 3)).await.is_some() {
        beat.now();
        failpoint::hit("lease::renew");
        let held = context.leases.all();
        if let Err(error) = renew(&context.store, &held, ttl).await {
            tracing::warn!(leases = held.len(), error = chain(&error), "leases not renewed; trying again");
            context.metrics.trouble(DATABASE);
        }
    }
}
