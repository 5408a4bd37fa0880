//! Handing deliveries out: of each webhook and address the oldest one that waits, and never two at once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::row::{COLUMNS, Webhook};
use crate::store::database::clock::millis;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::Webhooks;

/// No delivery is claimed, and none waits between two attempts, for longer: what says so is of a clock that was put back since.
pub(in crate::store) const AHEAD_MAX_MS: i64 = 8 * 24 * 3_600_000;

/// A delivery in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    /// Its number.
    pub id: i64,
    /// What shows that it is in hand.
    pub(super) token: String,
    /// How often it was tried before.
    pub attempts: i64,
    /// From when its time counts, milliseconds since 1970.
    pub since_ms: i64,
    /// The event's number.
    pub event_id: i64,
    /// `vmac.active`, ...
    pub routing_key: String,
    /// The event's body, JSON.
    pub body: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
}

impl ClaimedDelivery {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            token: row.get("claim_token")?,
            attempts: row.get("attempts")?,
            since_ms: row.get("since_ms")?,
            event_id: row.get("event_id")?,
            routing_key: row.get("routing_key")?,
            body: row.get("body")?,
            occurred_at: row.get("created_at")?,
        })
    }
}

/// What holds for a webhook `h` that is sent to.
const IS_ACTIVE: &str = "h.paused_at IS NULL AND h.disabled_reason IS NULL";

/// What holds where a webhook has a delivery to try at this time; also where others of its address are in hand.
pub(in crate::store) fn is_due(now: &str, beyond: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM webhooks h WHERE {IS_ACTIVE} AND EXISTS (SELECT 1 FROM webhook_deliveries d
             WHERE d.webhook_id = h.id AND d.state = 'waiting' AND (d.next_at_ms <= {now} OR d.next_at_ms > {beyond})
                 AND (d.claimed_until_ms <= {now} OR d.claimed_until_ms > {beyond})))"
    )
}

impl Webhooks<'_> {
    /// The numbers of webhooks that something is due for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due(self) -> Result<Vec<i64>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = format!(
            "SELECT h.id FROM webhooks h WHERE {IS_ACTIVE} AND EXISTS (SELECT 1 FROM webhook_deliveries d
                 WHERE d.webhook_id = h.id AND d.state = 'waiting' AND (d.next_at_ms <= $1 OR d.next_at_ms > $2)
                     AND (d.claimed_until_ms <= $1 OR d.claimed_until_ms > $2)) ORDER BY h.id"
        );
        let rows = self.store.engine.read("find due webhooks", &sql, args![now_ms, now_ms + AHEAD_MAX_MS]).await?;
        rows.iter().map(|row| row.get("id")).collect()
    }

    /// Claims deliveries of a webhook for this long: of each address the oldest that waits, if it is due and none of its address is
    /// in hand. None where the webhook is away, paused or disabled.
    ///
    /// Claims for one webhook are made one after another, also over several workers: each sees what the one before claimed, and
    /// every event that was written before it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(
        self,
        webhook: i64,
        limit: usize,
        lasts: Duration,
    ) -> Result<Option<(Webhook, Vec<ClaimedDelivery>)>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let mut tx = self.store.begin("claim deliveries").await?;
        let sql = format!("SELECT {COLUMNS} FROM webhooks h WHERE h.id = $1 AND {IS_ACTIVE} {{for_update}}");
        let rows = tx.run("read a webhook", &sql, args![webhook]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (webhook, token) = (Webhook::from_row(row)?, Uuid::now_v7().to_string());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let arguments = args![webhook.id, now_ms, now_ms + AHEAD_MAX_MS, now_ms + millis(lasts), token.as_str(), limit];
        if tx.run("claim deliveries", CLAIM, arguments).await?.is_empty() {
            return Ok(None);
        }
        let claimed = read_claimed(&mut tx, webhook.id, &token).await?;
        tx.commit("claim deliveries").await?;
        Ok(Some((webhook, claimed)))
    }
}

/// The oldest of its address, in its order; what is in hand of the address holds it back too, whichever is older.
const CLAIM: &str = "UPDATE webhook_deliveries SET claimed_until_ms = $4, claim_token = $5 WHERE id {in}
        SELECT d.id FROM webhook_deliveries d
        WHERE d.webhook_id = $1 AND d.state = 'waiting' AND (d.next_at_ms <= $2 OR d.next_at_ms > $3)
            AND (d.claimed_until_ms <= $2 OR d.claimed_until_ms > $3)
            AND NOT EXISTS (SELECT 1 FROM webhook_deliveries o WHERE o.webhook_id = d.webhook_id
                AND o.order_key = d.order_key AND o.state = 'waiting' AND o.id <> d.id
                AND (o.event_id < d.event_id OR (o.claimed_until_ms > $2 AND o.claimed_until_ms <= $3)))
        ORDER BY d.next_at_ms, d.event_id LIMIT $6{/in}
    RETURNING id";

async fn read_claimed(tx: &mut Tx, webhook: i64, token: &str) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let sql = "SELECT d.id, d.claim_token, d.attempts, d.since_ms, d.event_id, e.routing_key,
                   CAST(e.body AS TEXT) AS body, e.created_at
               FROM webhook_deliveries d JOIN events e ON e.id = d.event_id
               WHERE d.webhook_id = $1 AND d.state = 'waiting' AND d.claim_token = $2 ORDER BY d.event_id";
    let rows = tx.run("read claimed deliveries", sql, args![webhook, token]).await?;
    rows.iter().map(ClaimedDelivery::from_row).collect()
}
