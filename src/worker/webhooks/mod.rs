//! Sends events to webhooks: claims what is due, tries it, writes down what came of it.
//!
//! Of each webhook and address one delivery is in hand at a time, by whichever worker; the others of the address wait for it, also
//! while it is retried. [`slots`] bounds how many are in hand at once, over all and for each webhook, so that a slow receiver
//! holds no other up. [`attempt`] is one of them.

mod attempt;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::domain::chain;
use crate::failpoint;
use crate::metrics::DATABASE;
use crate::store::StoreError;
use crate::webhooks::WebhookClient;
use crate::worker::context::Context;
use crate::worker::supervision::task_health::Beat;
use attempt::{Attempt, Sender};
use slots::Slots;

/// Time between two beats of a task that has nothing to do.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// How long a shutdown waits for the deliveries in hand; their claims run out for others after that.
const END_MAX: Duration = Duration::from_secs(3);

/// Sends until the worker stops.
pub(super) async fn run(context: Arc<Context>, beat: Beat) {
    let allowed = context.settings.internal_nets().unwrap_or_default();
    let answer_max = Duration::from_millis(context.settings.webhooks.answer_timeout_ms);
    let sender =
        Arc::new(Sender { client: WebhookClient::new(allowed, answer_max), context: context.clone(), answer_max });
    // Each in a task of its own: one may hold the connection that the next claim waits for.
    let (mut slots, mut in_hand) = (Slots::new(context.settings.worker.sessions_max), JoinSet::new());
    // What a task before this one left.
    context.deliveries_due.notify_one();
    loop {
        beat.now();
        tokio::select! {
            () = context.stopping.cancelled() => break,
            () = context.deliveries_due.notified() => {}
            Some(Ok(webhook)) = in_hand.join_next(), if !in_hand.is_empty() => slots.free(webhook),
            () = tokio::time::sleep(BEAT_EVERY) => continue,
        }
        failpoint::hit("webhooks::claim");
        match claim(&context, &sender, &mut slots).await {
            Ok(attempts) => attempts.into_iter().for_each(|attempt| {
                in_hand.spawn(sender.clone().run(attempt));
            }),
            Err(error) => {
                tracing::warn!(error = chain(&error), "webhooks: the database failed; trying again");
                context.metrics.trouble(DATABASE);
            }
        }
    }
    let _ = tokio::time::timeout(END_MAX, async { while in_hand.join_next().await.is_some() {} }).await;
}

/// Claims as many deliveries as there are free slots.
async fn claim(context: &Context, sender: &Sender, slots: &mut Slots) -> Result<Vec<Attempt>, StoreError> {
    let mut attempts = Vec::new();
    for webhook in context.store.webhooks().due().await? {
        let free = slots.of(webhook);
        if free == 0 {
            continue;
        }
        let asked = Instant::now();
        let claimed = context.store.webhooks().claim(webhook, free, sender.claim()).await?;
        let Some((webhook, deliveries)) = claimed else { continue };
        let webhook = Arc::new(webhook);
        for delivery in deliveries {
            slots.take(webhook.id);
            attempts.push(Attempt { webhook: webhook.clone(), delivery, asked });
        }
    }
    Ok(attempts)
}
