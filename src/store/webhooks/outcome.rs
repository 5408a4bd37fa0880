//! What came of an attempt. Written only by whoever has the delivery in hand.

use chrono::{DateTime, Utc};

use super::claim::ClaimedDelivery;
use crate::store::database::engine::{Arg, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::Webhooks;

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// The receiver has it.
    Delivered,
    /// It is tried again at this time; later ones of its address wait with it.
    Again(DateTime<Utc>),
    /// It was tried for long enough; the next of its address goes on.
    Dead,
    /// The receiver wants no more: the webhook is disabled, and everything that waits for it is dead.
    Gone,
}

/// A delivery of a webhook, and what belongs to the order that it is in.
const OF_ITS_ORDER: &str = "UPDATE webhook_deliveries SET next_at_ms = $2 WHERE state = 'waiting'
    AND webhook_id = (SELECT i.webhook_id FROM webhook_deliveries i WHERE i.id = $1)
    AND order_key = (SELECT i.order_key FROM webhook_deliveries i WHERE i.id = $1)";

impl Webhooks<'_> {
    /// Notes what came of an attempt, and gives the delivery back. False where it is not in hand any more: nothing was written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(self, delivery: &ClaimedDelivery, end: DeliveryEnd, answer: &str) -> Result<bool, StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("record a delivery").await?;
        let state = match end {
            DeliveryEnd::Delivered => "delivered",
            DeliveryEnd::Again(_) => "waiting",
            DeliveryEnd::Dead | DeliveryEnd::Gone => "dead",
        };
        let ended: Option<DateTime<Utc>> = (state != "waiting").then_some(now);
        let sql = "UPDATE webhook_deliveries SET state = $3, attempts = attempts + 1, claimed_until_ms = 0, claim_token = NULL,
                       first_answer = COALESCE(first_answer, $4), last_answer = $4, last_tried_at = $5, ended_at = $6
                   WHERE id = $1 AND claim_token = $2 AND state = 'waiting' RETURNING webhook_id";
        let arguments = args![delivery.id, delivery.token.as_str(), state, answer, now, ended];
        let rows = tx.run("record a delivery", sql, arguments).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        after(&mut tx, delivery, end, row.get("webhook_id")?, now).await?;
        tx.commit("record a delivery").await?;
        Ok(true)
    }

    /// Gives a delivery back that was not tried.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(self, delivery: &ClaimedDelivery) -> Result<(), StoreError> {
        let sql =
            "UPDATE webhook_deliveries SET claimed_until_ms = 0, claim_token = NULL WHERE id = $1 AND claim_token = $2";
        let arguments = args![delivery.id, delivery.token.as_str()];
        self.store.engine.write_unsynced("give a delivery back", sql, arguments).await.map(|_| ())
    }
}

/// What an attempt means for the others of its webhook.
async fn after(
    tx: &mut Tx,
    delivery: &ClaimedDelivery,
    end: DeliveryEnd,
    webhook: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let next_at_ms: Arg = match end {
        // None of its address was ever put off.
        DeliveryEnd::Delivered if delivery.attempts == 0 => return Ok(()),
        DeliveryEnd::Delivered | DeliveryEnd::Dead => 0_i64.into(),
        DeliveryEnd::Again(at) => at.timestamp_millis().into(),
        DeliveryEnd::Gone => return disable(tx, webhook, now).await,
    };
    tx.run("put deliveries of an address off", OF_ITS_ORDER, vec![delivery.id.into(), next_at_ms]).await.map(|_| ())
}

async fn disable(tx: &mut Tx, webhook: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
    let reason = "the receiver answered 410 Gone";
    let sql = "UPDATE webhooks SET disabled_reason = $2 WHERE id = $1";
    tx.run("disable a webhook", sql, args![webhook, reason]).await?;
    let sql = "UPDATE webhook_deliveries SET state = 'dead', ended_at = $2, claimed_until_ms = 0, claim_token = NULL,
                   last_answer = $3
               WHERE webhook_id = $1 AND state = 'waiting'";
    let text = format!("not sent: {reason}");
    tx.run("give deliveries up", sql, args![webhook, now, text]).await.map(|_| ())
}
