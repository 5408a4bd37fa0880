//! Events on their way to the broker: claimed, published, marked. At least once.
//!
//! A process that publishes claims the events that it writes itself, as it writes them, and has them at hand once their
//! transaction is committed. Those of a process that died are claimed by another when that claim has run out.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::connect::Store;
use super::engine::{Row, Tx, args, batch_arg};
use super::error::StoreError;

/// Events kept at hand; what is more is claimed later.
const FRESH_MAX: usize = 20_000;

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

impl Event {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            routing_key: row.get("routing_key")?,
            body: row.json("body")?,
            correlation_id: row.get("correlation_id")?,
            traceparent: row.get("traceparent")?,
        })
    }
}

/// The events that this process wrote and has claimed.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    /// For how long it claims what it writes; 0 while it does not publish.
    claim_ms: AtomicI64,
    events: Mutex<Vec<Event>>,
}

impl Fresh {
    /// Takes the events of a transaction that was committed.
    pub fn add(&self, events: Vec<Event>) {
        let mut fresh = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if self.claim_ms.load(Ordering::Relaxed) > 0 && fresh.len() < FRESH_MAX {
            fresh.extend(events);
        }
    }

    /// Until when what is written at `now` is claimed.
    fn claimed_until_ms(&self, now: DateTime<Utc>) -> i64 {
        match self.claim_ms.load(Ordering::Relaxed) {
            0 => 0,
            claim_ms => now.timestamp_millis() + claim_ms,
        }
    }
}

/// Writes a batch of rows of `events`, as [`super::event_body::event_row`] makes them.
pub(super) async fn write_events(tx: &mut Tx, rows: Vec<Value>, now: DateTime<Utc>) -> Result<(), StoreError> {
    let sql = "INSERT INTO events
                   (routing_key, body, message_key, correlation_id, traceparent, vmac_id, created_at, claimed_until_ms)
               SELECT e.value->>'routing_key', e.value->'body', e.value->>'message_key', e.value->>'correlation_id',
                   e.value->>'traceparent', CAST(e.value->>'vmac_id' AS BIGINT), $2, $3
               FROM {rows} WHERE true RETURNING id, routing_key, body, correlation_id, traceparent";
    let until_ms = tx.fresh.claimed_until_ms(now);
    for row in tx.batch("write events", sql, rows, args![now, until_ms]).await? {
        tx.events.push(Event::from_row(&row)?);
    }
    Ok(())
}

impl Store {
    /// From now on this process publishes: it claims the events that it writes for this long.
    pub fn claim_own_events(&self, claim: Duration) {
        self.engine.fresh.claim_ms.store(i64::try_from(claim.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }

    /// Takes up to so many of the events that this process wrote and claimed, in the order of their transactions.
    pub fn own_events(&self, limit: usize) -> Vec<Event> {
        let mut fresh = self.engine.fresh.events.lock().unwrap_or_else(PoisonError::into_inner);
        let count = limit.min(fresh.len());
        fresh.drain(..count).collect()
    }

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
        let mut events = rows.iter().map(Event::from_row).collect::<Result<Vec<_>, _>>()?;
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
