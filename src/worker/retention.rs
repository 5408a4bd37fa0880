//! Removes old rows, while this worker has the turn: a batch, then a pause that is many times as long as the batch took, so
//! that nobody waits for it, however much there is to remove.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::RetentionSettings;
use crate::domain::chain;
use crate::failpoint;
use crate::metrics::DATABASE;
use crate::store::{RetentionWindows, StoreError};
use crate::worker::context::Context;
use crate::worker::supervision::task_health::Beat;

/// How long a turn lasts that is not renewed.
const TURN: Duration = Duration::from_secs(60);
/// How many times as long as a batch the pause after it is: of one connection's time a twentieth.
const PAUSE_FACTOR: u32 = 19;
/// Bounds of the pause after a batch.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// Time between two looks whether a table is due, and whether the turn is free.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Removes until the worker stops.
pub(super) async fn run(context: Arc<Context>, beat: Beat) {
    let windows = windows(&context.settings.retention);
    // After a start there is more urgent work.
    let mut pause = PAUSE_MIN;
    while context.pause(pause).await {
        beat.now();
        failpoint::hit("retention::batch");
        pause = batch(&context, &windows).await.unwrap_or_else(|error| {
            tracing::warn!(error = chain(&error), "old rows were not removed; trying again");
            context.metrics.trouble(DATABASE);
            LOOK_EVERY
        });
    }
    let _ = context.store.retention().end_turn(&context.holder).await;
}

/// One batch where it is this worker's turn; gives the pause after it.
async fn batch(context: &Context, windows: &RetentionWindows) -> Result<Duration, StoreError> {
    let retention = context.store.retention();
    if !retention.take_turn(&context.holder, TURN).await? {
        return Ok(LOOK_EVERY);
    }
    let began = Instant::now();
    let batch = retention.next_batch(windows).await?;
    let took = began.elapsed();
    let Some(table) = batch.table else { return Ok(LOOK_EVERY) };
    tracing::debug!(table, removed = batch.removed, took_ms = took.as_millis(), "old rows removed");
    context.metrics.old_rows_removed(took);
    Ok((took * PAUSE_FACTOR).clamp(PAUSE_MIN, PAUSE_MAX))
}

fn windows(settings: &RetentionSettings) -> RetentionWindows {
    let days = |days: u32| (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 3_600));
    RetentionWindows {
        commands: days(settings.commands_days),
        events: days(settings.events_days),
        pushes: days(settings.pushes_days),
        dead_letters: days(settings.dead_letters_days),
        freezes: days(settings.freezes_days),
        revoked: days(settings.revoked_days),
        backups: days(settings.backups_days),
        backups_daily: days(settings.backups_daily_days),
    }
}
