//! Publishes the events that the database holds: claim, publish, await the confirms, mark.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use crate::broker::EventMessage;
use crate::metrics::{BROKER, DATABASE};
use crate::store::Event;

/// Events claimed at once.
const EVENTS_MAX: i64 = 500;
/// Time for which claimed events are left to this worker.
const CLAIM: Duration = Duration::from_secs(30);
/// Longest time between two looks, for events that another process wrote.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Publishes until the worker stops; then once more, so that what the last settlements wrote goes out.
pub(super) async fn run(context: Arc<Context>) {
    loop {
        let published = publish(&context).await;
        if published > 0 {
            continue;
        }
        tokio::select! {
            () = context.stopping.cancelled() => return,
            () = context.events_due.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Publishes one group of events and says how many; failures are logged and count as none.
pub(super) async fn publish(context: &Context) -> usize {
    let events = match context.store.claim_events(EVENTS_MAX, CLAIM).await {
        Ok(events) => events,
        Err(error) => {
            tracing::warn!(error = super::chain(&error), "outbox: the database failed");
            context.metrics.trouble(DATABASE);
            return 0;
        }
    };
    if events.is_empty() {
        return 0;
    }
    let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
    if let Err(error) = context.broker.publish_events(events.into_iter().map(message).collect()).await {
        tracing::warn!(error = super::chain(&error), events = ids.len(), "outbox: the broker failed; trying again");
        context.metrics.trouble(BROKER);
        let _ = context.store.unclaim_events(&ids).await;
        return 0;
    }
    match context.store.mark_published(&ids).await {
        Ok(()) => ids.len(),
        Err(error) => {
            // They are published again once the claim runs out: at least once.
            tracing::warn!(error = super::chain(&error), "outbox: events published but not marked");
            0
        }
    }
}

fn message(event: Event) -> EventMessage {
    EventMessage {
        routing_key: event.routing_key,
        body: event.body.to_string().into_bytes(),
        message_id: format!("event-{}", event.id),
        correlation_id: event.correlation_id,
        traceparent: event.traceparent,
    }
}
