//! Writing down what a push came to, for as long as that takes: what was committed must not be forgotten.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Failure, FailureClass, chain};
use crate::metrics::DATABASE;
use crate::store::{Lease, PushResults, Settled, StoreError};
use crate::worker::context::Context;

/// Tries that a stopping worker makes.
const TRIES_WHEN_STOPPING: u32 = 3;

/// Has the store write the results, and counts and tells what came of them.
///
/// # Errors
/// [`StoreError::LeaseLost`]; what the database refuses for good; or its trouble where the worker stops. The journal then
/// leads whoever has the switch next to what was committed.
pub(in crate::worker) async fn settle(
    context: &Arc<Context>,
    lease: &Lease,
    results: &PushResults<'_>,
) -> Result<Settled, StoreError> {
    let settled = until_written(context, lease, results).await?;
    for finished in &settled.finished {
        match finished.failed {
            None => context.metrics.command_settled(finished.action.as_str(), finished.age),
            Some(code) => context.metrics.buried(code.as_str()),
        }
    }
    count_retries(context, results);
    context.events_due.notify_one();
    if !settled.due.is_empty() {
        context.poke(&settled.due);
    }
    Ok(settled)
}

/// Writes down that nothing could be done on the switch.
///
/// # Errors
/// As [`settle`].
pub(in crate::worker) async fn trouble(
    context: &Arc<Context>,
    lease: &Lease,
    failure: &Failure,
) -> Result<(), StoreError> {
    let results = PushResults { whole: Some(failure), ..PushResults::default() };
    settle(context, lease, &results).await.map(|_| ())
}

async fn until_written(context: &Context, lease: &Lease, results: &PushResults<'_>) -> Result<Settled, StoreError> {
    let (mut delay, mut tries_when_stopping) = (Duration::from_millis(50), TRIES_WHEN_STOPPING);
    loop {
        let error = match context.store.settle(lease, results).await {
            Err(error) if error.is_transient() => error,
            settled => return settled,
        };
        tracing::warn!(switch = %lease.switch, error = chain(&error), "results not written; trying again");
        context.metrics.trouble(DATABASE);
        if context.stopping.is_cancelled() {
            tries_when_stopping -= 1;
            if tries_when_stopping == 0 {
                return Err(error);
            }
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_secs(5));
    }
}

fn count_retries(context: &Context, results: &PushResults<'_>) {
    let failed = results.results.iter().filter_map(|result| result.end.as_ref().err());
    let again = results.whole.into_iter().chain(failed).filter(|failure| failure.class() != FailureClass::Permanent);
    again.for_each(|failure| context.metrics.retried(failure.code.as_str()));
}
