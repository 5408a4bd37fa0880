//! Recording the results of a push, for as long as that takes: what was committed must not be forgotten.

use std::sync::Arc;

use crate::domain::{Backoff, Failure, FailureClass, chain};
use crate::metrics::DATABASE;
use crate::store::{Lease, PushResults, RecordedPush, StoreError};
use crate::worker::context::Context;

/// Tries that a stopping worker makes.
const TRIES_WHEN_STOPPING: u32 = 3;

/// Has the store record the results, counts them and wakes who goes on.
///
/// # Errors
/// [`StoreError::LeaseLost`]; what the database refuses for good; or its trouble where the worker stops. Whoever has the switch
/// next finds in the journal what was committed.
pub(in crate::worker) async fn save_results(
    context: &Arc<Context>,
    lease: &Lease,
    results: &PushResults<'_>,
) -> Result<RecordedPush, StoreError> {
    let recorded = until_written(context, lease, results).await?;
    for finished in &recorded.finished {
        match finished.failed {
            None => context.metrics.command_settled(finished.action.as_str(), finished.age),
            Some(code) => context.metrics.buried(code.as_str()),
        }
    }
    count_retries(context, results);
    context.wrote_events();
    if !recorded.due.is_empty() {
        context.wake(&recorded.due);
    }
    Ok(recorded)
}

/// Records that nothing could be done on the switch.
///
/// # Errors
/// As [`save_results`].
pub(in crate::worker) async fn save_trouble(
    context: &Arc<Context>,
    lease: &Lease,
    failure: &Failure,
) -> Result<(), StoreError> {
    let results = PushResults { whole: Some(failure), ..PushResults::default() };
    save_results(context, lease, &results).await.map(|_| ())
}

async fn until_written(
    context: &Context,
    lease: &Lease,
    results: &PushResults<'_>,
) -> Result<RecordedPush, StoreError> {
    let (mut backoff, mut tries_when_stopping) = (Backoff::default(), TRIES_WHEN_STOPPING);
    loop {
        let error = match context.store.pushes().record(lease, results).await {
            Err(error) if error.is_transient() => error,
            recorded => return recorded,
        };
        tracing::warn!(switch = %lease.switch, error = chain(&error), "could not record the results of a push; trying again");
        context.metrics.trouble(DATABASE);
        if context.stopping.is_cancelled() {
            tries_when_stopping -= 1;
            if tries_when_stopping == 0 {
                return Err(error);
            }
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}

fn count_retries(context: &Context, results: &PushResults<'_>) {
    let failed = results.results.iter().filter_map(|result| result.end.as_ref().err());
    let again = results.whole.into_iter().chain(failed).filter(|failure| failure.class() != FailureClass::Permanent);
    again.for_each(|failure| context.metrics.retried(failure.code.as_str()));
}
