//! One attempt to deliver an event.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::domain::{RetryPolicy, chain};
use crate::metrics::DATABASE;
use crate::store::{ClaimedDelivery, DeliveryEnd, Webhook};
use crate::webhooks::{Answer, AnswerKind, OutgoingEvent, WebhookClient, WebhookMessage};
use crate::worker::context::Context;

/// How much longer than an answer takes a delivery is left to this worker.
const SLACK: Duration = Duration::from_secs(5);

/// What attempts are made with.
pub(super) struct Sender {
    pub client: WebhookClient,
    pub context: Arc<Context>,
    pub answer_max: Duration,
}

/// A delivery to be tried.
pub(super) struct Attempt {
    pub webhook: Arc<Webhook>,
    pub delivery: ClaimedDelivery,
    /// When it was claimed, at the latest.
    pub asked: Instant,
}

impl Sender {
    /// How long a delivery is left to this worker.
    pub fn claim(&self) -> Duration {
        self.answer_max + 2 * SLACK
    }

    /// Tries a delivery and writes down what came of it; gives the webhook's number.
    pub async fn run(self: Arc<Self>, attempt: Attempt) -> i64 {
        // One that panics, which is logged, gives its slot back all the same; its claim runs out.
        let _ = AssertUnwindSafe(self.attempt(&attempt)).catch_unwind().await;
        attempt.webhook.id
    }

    async fn attempt(&self, attempt: &Attempt) {
        if attempt.asked.elapsed() < SLACK {
            let answer = self.send(attempt).await;
            self.record(attempt, &answer).await;
        } else {
            // This process was paused for so long that another may have it soon: out of its order nothing is sent.
            let _ = self.context.store.webhooks().release(&attempt.delivery).await;
        }
    }

    async fn send(&self, attempt: &Attempt) -> Answer {
        let ClaimedDelivery { event_id, routing_key, body, occurred_at, .. } = attempt.delivery.clone();
        let event = OutgoingEvent::new(event_id, routing_key, body, occurred_at);
        let (webhook, now) = (&attempt.webhook, self.context.store.time().await);
        let message = WebhookMessage::new(&event, webhook.form, &webhook.secrets(now), now);
        self.client.send(webhook.url.clone(), message).await
    }

    async fn record(&self, attempt: &Attempt, answer: &Answer) {
        let (store, Attempt { webhook, delivery, .. }) = (&self.context.store, attempt);
        self.context.metrics.webhook_tried(answer.kind.as_str());
        let age_max = Duration::from_millis(self.context.settings.webhooks.age_max_ms);
        let end = end(answer.kind, delivery, &self.context.settings.retry.policy(), age_max, store.time().await);
        tell(webhook, delivery, answer, end);
        if let Err(error) = store.webhooks().record(delivery, end, &answer.text).await {
            // It is tried again once the claim runs out: at least once.
            tracing::warn!(webhook = %webhook.name, delivery = delivery.id, error = chain(&error), "webhooks: an attempt was not recorded");
            self.context.metrics.trouble(DATABASE);
        }
    }
}

/// What becomes of a delivery. Pure.
fn end(
    kind: AnswerKind,
    delivery: &ClaimedDelivery,
    retry: &RetryPolicy,
    age_max: Duration,
    now: DateTime<Utc>,
) -> DeliveryEnd {
    let age_ms = now.timestamp_millis() - delivery.since_ms;
    match kind {
        AnswerKind::Delivered => DeliveryEnd::Delivered,
        AnswerKind::Gone => DeliveryEnd::Gone,
        _ if u128::try_from(age_ms).unwrap_or_default() >= age_max.as_millis() => DeliveryEnd::Dead,
        _ => DeliveryEnd::Again(now + retry.delay(delivery.attempts + 1)),
    }
}

fn tell(webhook: &Webhook, delivery: &ClaimedDelivery, answer: &Answer, end: DeliveryEnd) {
    let (name, id, attempt) = (&webhook.name, delivery.id, delivery.attempts + 1);
    match end {
        DeliveryEnd::Delivered => tracing::debug!(webhook = %name, delivery = id, attempt, "event delivered"),
        DeliveryEnd::Again(_) if attempt == 1 => {
            tracing::warn!(webhook = %name, delivery = id, answer = answer.text, "an event was not delivered; trying again");
        }
        DeliveryEnd::Again(_) => {
            tracing::debug!(webhook = %name, delivery = id, attempt, answer = answer.text, "an event was not delivered");
        }
        DeliveryEnd::Dead => {
            tracing::error!(webhook = %name, delivery = id, attempt, answer = answer.text, "an event could not be delivered; gave up");
        }
        DeliveryEnd::Gone => tracing::error!(webhook = %name, "disabled: the receiver answered 410 Gone"),
    }
}
