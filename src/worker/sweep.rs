//! Drives again what no message drives: commands whose message is gone (a purged queue, a crash
//! between two steps) and rows that wait for a switch nobody is looking at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::Context;
use super::lane::reconcile;
use crate::broker::Message;
use crate::domain::MessageKey;
use crate::metrics::{BROKER, DATABASE};
use crate::store::{OpenCommand, StoreError};

/// Commands published again in one round; the rest follows in the next.
const COMMANDS_PER_ROUND_MAX: i64 = 500;

/// Sweeps at the interval of the settings until the worker stops.
pub(super) async fn run(context: Arc<Context>) {
    let interval = Duration::from_millis(context.settings.worker.sweep_interval_ms);
    while context.pause(interval).await {
        if let Err(error) = sweep(&context).await {
            tracing::warn!(error = super::chain(&error), "sweep failed; trying again");
            context.metrics.trouble(DATABASE);
        }
    }
}

async fn sweep(context: &Arc<Context>) -> Result<(), StoreError> {
    let after = Duration::from_millis(context.settings.worker.sweep_after_ms);
    watch_held(context, after).await?;
    let forgotten = context.store.open_commands_due(after, COMMANDS_PER_ROUND_MAX).await?;
    publish_again(context, forgotten).await?;
    for (switch, _) in context.store.switches_with_work(after).await? {
        context.lanes.poke(context, &switch);
    }
    Ok(())
}

/// Looks after the messages held for long: settles those that another worker finished, and notes that
/// the others are still held, so that no sweeper publishes them again.
async fn watch_held(context: &Arc<Context>, after: Duration) -> Result<(), StoreError> {
    let Some(since) = Instant::now().checked_sub(after / 3) else { return Ok(()) };
    let keys = context.waiting().keys_since(since);
    for keys in keys.chunks(500) {
        reconcile(context, keys).await?;
        let still: Vec<_> = keys.iter().filter(|key| context.waiting().holds(key)).map(due_now).collect();
        context.store.note_due(&still).await?;
    }
    Ok(())
}

fn due_now(key: &MessageKey) -> (MessageKey, Duration) {
    (key.clone(), Duration::ZERO)
}

async fn publish_again(context: &Arc<Context>, commands: Vec<(OpenCommand, Vec<u8>)>) -> Result<(), StoreError> {
    let mut published = Vec::new();
    for (command, body) in commands {
        let key = command.key.clone();
        if context.waiting().holds(&key) {
            continue;
        }
        if let Err(error) = context.broker.publish_command(message(command, body)).await {
            tracing::warn!(error = super::chain(&error), "cannot publish forgotten commands again");
            context.metrics.trouble(BROKER);
            break;
        }
        published.push(due_now(&key));
    }
    if !published.is_empty() {
        tracing::info!(commands = published.len(), "published commands again whose messages were gone");
    }
    context.store.note_due(&published).await
}

fn message(command: OpenCommand, body: Vec<u8>) -> Message {
    Message {
        message_id: command.message_id,
        correlation_id: command.correlation_id,
        traceparent: command.traceparent,
        routing_key: command.action.routing_key().to_owned(),
        body,
        attempt: u32::try_from(command.attempts).unwrap_or(0),
        first_seen_ms: Some(command.received_at.timestamp_millis()),
        key: Some(command.key.0),
        issued_at_ms: Some(command.position.moment.ms),
        arrival: Some(command.position.arrival),
        replay_number: command.replay_number,
        ..Message::default()
    }
}
