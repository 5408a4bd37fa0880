//! Moves messages that the broker gave up on from their queue into the table `dead_letters`.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Batch, Consumer, DeadReason, Delivery, Message};
use crate::domain::{Backoff, Issued, chain};
use crate::failpoint;
use crate::metrics::DATABASE;
use crate::store::DeadLetter;
use crate::worker::context::Context;

/// Dead letters written in one transaction.
const BATCH_MAX: usize = 50;

/// Collects until the consumer ends or the worker stops.
pub(in crate::worker) async fn run(context: Arc<Context>, mut consumer: Consumer) {
    let mut stopping = std::pin::pin!(context.stopping.cancelled());
    loop {
        let batch = tokio::select! {
            () = &mut stopping => break,
            batch = consumer.next_batch(BATCH_MAX, Duration::from_millis(5)) => batch,
        };
        match batch {
            Some(batch) => {
                failpoint::hit("dead_queue::batch");
                collect(&context, batch).await;
            }
            None => return,
        }
    }
    consumer.stop().await;
}

async fn collect(context: &Context, batch: Batch) {
    let Batch { deliveries, receipt } = batch;
    let now = context.store.time().await;
    let letter = |delivery: Delivery| dead_letter(delivery.dead_reason(now), delivery.message);
    let letters: Vec<_> = deliveries.into_iter().map(letter).collect();
    if !keep(context, &letters).await {
        return;
    }
    letters.iter().for_each(|letter| context.metrics.buried(letter.reason_code.as_str()));
    context.wrote_events();
    if let Err(error) = context.broker.ack(receipt).await {
        // They are redelivered and recognised by their burial id.
        tracing::warn!(error = chain(&error), "dead letters stored but not acknowledged; they are redelivered");
    }
}

/// Stores dead letters, however long the database is away; false where the worker stops meanwhile.
pub(in crate::worker) async fn keep(context: &Context, letters: &[DeadLetter]) -> bool {
    let mut backoff = Backoff::default();
    while let Err(error) = context.store.dead_letters().keep(letters).await {
        tracing::warn!(letters = letters.len(), error = chain(&error), "cannot store dead letters; trying again");
        context.metrics.trouble(DATABASE);
        if !context.pause(backoff.next_wait()).await {
            return false;
        }
    }
    true
}

/// The letter of a message that cannot be done, for this reason.
pub(in crate::worker) fn dead_letter(reason: DeadReason, message: Message) -> DeadLetter {
    // A message that the broker gave up on was never stamped: from now on it has a time, also when it is replayed.
    let issued_at_ms = match message.issued() {
        Issued::Unsaid => Some(reason.last_failed_ms),
        _ => message.issued_at_ms,
    };
    DeadLetter {
        burial_id: reason.burial_id,
        message_identity: message.identity(),
        body_hash: message.content_hash(),
        message_id: message.message_id,
        message_key: message.key,
        correlation_id: message.correlation_id,
        traceparent: message.traceparent,
        routing_key: message.routing_key,
        issued_at_ms,
        timestamp: message.timestamp,
        arrival: message.arrival,
        replay_number: message.replay_number,
        body: message.body,
        long_body: message.long_body,
        headers: message.headers.into(),
        reason_code: reason.code,
        error_text: reason.text,
        attempts: i64::from(reason.attempts),
        switch: reason.switch,
        server_id: reason.server_id,
        ip_address: reason.ip,
        first_failed_ms: reason.first_failed_ms,
        last_failed_ms: reason.last_failed_ms,
    }
}
