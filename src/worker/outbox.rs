//! Publishes the events that the database holds: claim, publish, await the confirms, mark.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::broker::EventMessage;
use crate::domain::chain;
use crate::failpoint;
use crate::metrics::{BROKER, DATABASE};
use crate::store::{Event, EventClaim};
use crate::worker::context::Context;
use crate::worker::supervision::task_health::Beat;

/// Events published at once.
const EVENTS_MAX: u16 = 500;
/// Time for which claimed events are left to this worker.
pub(super) const CLAIM: Duration = Duration::from_secs(10);

/// Characters of a body's hash in the message's id.
const HASH_CHARS: usize = 8;

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
    let claims: Vec<EventClaim> = events.iter().map(Event::claim).collect();
    if let Err(error) = context.broker.publish_events(events.into_iter().map(message).collect()).await {
        tracing::warn!(error = chain(&error), events = claims.len(), "outbox: the broker failed; trying again");
        context.metrics.trouble(BROKER);
        let _ = context.store.events().unclaim(&claims).await;
        return false;
    }
    match context.store.events().mark_published(&claims).await {
        Ok(()) => true,
        Err(error) => {
            // They are published again once the claim runs out: at least once.
            tracing::warn!(error = chain(&error), "outbox: events published but not marked");
            false
        }
    }
}

/// The message's id is the same however often the event is published. The number alone would not do: a database that came back
/// older than it was gives the numbers of lost events, which consumers have seen, to new ones.
fn message(event: Event) -> EventMessage {
    let hash = hex::encode(Sha256::digest(&event.body));
    EventMessage {
        routing_key: event.routing_key,
        message_id: format!("event-{}-{}", event.id, &hash[..HASH_CHARS]),
        body: event.body.into_bytes(),
        correlation_id: event.correlation_id,
        traceparent: event.traceparent,
    }
}
