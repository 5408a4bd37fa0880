//! Publishes the events that the database holds: claim, publish, await the confirms, mark.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::EventMessage;
use crate::domain::chain;
use crate::failpoint;
use crate::metrics::{BROKER, DATABASE};
use crate::store::Event;
use crate::worker::context::Context;
use crate::worker::supervision::task_health::Beat;

/// Events published at once.
const EVENTS_MAX: u16 = 500;
/// Time for which claimed events are left to this worker.
pub(super) const CLAIM: Duration = Duration::from_secs(10);

/// Time between two beats of a task that has nothing to do.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// Publishes until the worker stops; then once more, so that the events of the last pushes are published.
pub(super) async fn run(context: Arc<Context>, beat: Beat) {
    // Events that were at hand when the task ran before, where it is started again.
    publish(&context).await;
    loop {
        beat.now();
        tokio::select! {
            () = context.stopping.cancelled() => return publish(&context).await,
            () = context.events_due.notified() => publish_own(&context).await,
            () = context.others_events_due.notified() => publish(&context).await,
            () = tokio::time::sleep(BEAT_EVERY) => {}
        }
    }
}

/// Publishes until no event is left or it fails.
pub(super) async fn publish(context: &Context) {
    publish_own(context).await;
    while publish_group(context, claimed(context).await).await {}
}

async fn publish_own(context: &Context) {
    failpoint::hit("outbox::publish");
    while publish_group(context, context.store.events().take_own(EVENTS_MAX.into())).await {}
}

async fn claimed(context: &Context) -> Vec<Event> {
    context.store.events().claim(EVENTS_MAX.into(), CLAIM).await.unwrap_or_else(|error| {
        tracing::warn!(error = chain(&error), "outbox: the database failed");
        context.metrics.trouble(DATABASE);
        Vec::new()
    })
}

/// Publishes one group of claimed events; false when there are none, or it fails, which is logged.
async fn publish_group(context: &Context, events: Vec<Event>) -> bool {
    if events.is_empty() {
        return false;
    }
    let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
    if let Err(error) = context.broker.publish_events(events.into_iter().map(message).collect()).await {
        tracing::warn!(error = chain(&error), events = ids.len(), "outbox: the broker failed; trying again");
        context.metrics.trouble(BROKER);
        let _ = context.store.events().unclaim(&ids).await;
        return false;
    }
    match context.store.events().mark_published(&ids).await {
        Ok(()) => true,
        Err(error) => {
            // They are published again once the claim runs out: at least once.
            tracing::warn!(error = chain(&error), "outbox: events published but not marked");
            false
        }
    }
}

fn message(event: Event) -> EventMessage {
    EventMessage {
        routing_key: event.routing_key,
        body: event.body.into_bytes(),
        message_id: format!("event-{}", event.id),
        correlation_id: event.correlation_id,
        traceparent: event.traceparent,
    }
}
