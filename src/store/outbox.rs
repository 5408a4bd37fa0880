//! Events on their way to the broker: claimed, published, marked. At least once.

use std::time::Duration;

use serde_json::{Value, json};

use super::connect::Store;
use super::engine::{args, batch_arg};
use super::error::StoreError;

/// An event that is not published yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, which also orders events.
    pub id: i64,
    /// `vmac.active`, ...
    pub routing_key: String,
    /// The body.
    pub body: Value,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's trace.
    pub traceparent: Option<String>,
}

impl Store {
    /// Claims the oldest unpublished events for a while; another worker leaves them alone meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_events(&self, limit: i64, claim: Duration) -> Result<Vec<Event>, StoreError> {
        let now_ms = self.now().await?.timestamp_millis();
        let until_ms = now_ms + i64::try_from(claim.as_millis()).unwrap_or(0);
        let sql = "UPDATE events SET claimed_until_ms = $1 WHERE id IN (
                       SELECT id FROM events WHERE published_at IS NULL AND claimed_until_ms <= $2
                       ORDER BY id LIMIT $3 {skip_locked})
                   RETURNING id, routing_key, body, correlation_id, traceparent";
        let rows = self.engine.write("claim events", sql, args![until_ms, now_ms, limit]).await?;
        let events: Result<Vec<Event>, StoreError> = rows
            .iter()
            .map(|row| {
                Ok(Event {
                    id: row.get("id")?,
                    routing_key: row.get("routing_key")?,
                    body: row.json("body")?,
                    correlation_id: row.get("correlation_id")?,
                    traceparent: row.get("traceparent")?,
                })
            })
            .collect();
        let mut events = events?;
        events.sort_by_key(|event| event.id);
        Ok(events)
    }

    /// Notes that events were published.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_published(&self, ids: &[i64]) -> Result<(), StoreError> {
        let now = self.now().await?;
        let sql = "UPDATE events SET published_at = $2
                   WHERE id IN (SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows})";
        self.engine.write("mark events published", sql, vec![batch(ids), now.into()]).await?;
        Ok(())
    }

    /// Leaves claimed events to whoever comes next.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unclaim_events(&self, ids: &[i64]) -> Result<(), StoreError> {
        let sql = "UPDATE events SET claimed_until_ms = 0
                   WHERE id IN (SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows})";
        self.engine.write("unclaim events", sql, vec![batch(ids)]).await?;
        Ok(())
    }
}

fn batch(ids: &[i64]) -> super::engine::Arg {
    batch_arg(ids.iter().map(|id| json!({"id": id})).collect())
}
