//! Events on their way to the broker: claimed, published, marked. At least once. `events` keeps what happened for good and
//! is never changed; `unpublished_events` names those of which the broker does not know yet.
//!
//! A process that publishes claims the events that it writes itself, as it writes them, and has them at hand once their
//! transaction is committed. Those of a process that died are claimed by another when that claim has run out.
//!
//! Claims and marks do not wait for the disk ([`Engine::write_unsynced`](crate::store::database::engine::Engine::write_unsynced)): where
//! Postgres crashes and loses one, the event is still in `unpublished_events` and is published once more, which consumers must
//! expect anyway. The rows of `unpublished_events` themselves are written with what they tell of.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::store::connect::Store;
use crate::store::database::engine::{Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::events::body::EventRow;

/// Events kept at hand; what is more is claimed later.
const AT_HAND_MAX: usize = 20_000;

/// An event that is not published yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, which also orders events.
    pub id: i64,
    /// `vmac.active`, ...
    pub routing_key: String,
    /// The body, JSON.
    pub body: String,
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
            body: row.get("body")?,
            correlation_id: row.get("correlation_id")?,
            traceparent: row.get("traceparent")?,
        })
    }
}

/// Who publishes the events that this process writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Publisher {
    /// Whichever process claims them.
    #[default]
    Anyone,
    /// This process, which claims them for so long.
    ThisProcess { claim_ms: i64 },
    /// Nobody: there is no broker to publish to.
    Nobody,
}

/// How this process's events reach the broker, and those that it has at hand.
#[derive(Debug, Default)]
pub(in crate::store) struct Outbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    publisher: Publisher,
    at_hand: Vec<Event>,
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the events of a transaction that was committed.
    pub fn committed(&self, events: Vec<Event>) {
        let mut state = self.state();
        let is_ours = matches!(state.publisher, Publisher::ThisProcess { .. });
        if is_ours && state.at_hand.len() < AT_HAND_MAX {
            state.at_hand.extend(events);
        }
    }

    /// Until when an event that is written at `now` is claimed; none where nobody publishes it.
    fn claimed_until_ms(&self, now: DateTime<Utc>) -> Option<i64> {
        match self.state().publisher {
            Publisher::Anyone => Some(0),
            Publisher::ThisProcess { claim_ms } => Some(now.timestamp_millis() + claim_ms),
            Publisher::Nobody => None,
        }
    }
}

/// Writes a batch of events.
pub(in crate::store) async fn write_events(
    tx: &mut Tx,
    rows: Vec<EventRow<'_>>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO events (routing_key, body, message_key, correlation_id, traceparent, vmac_id, created_at)
               SELECT e.value->>'routing_key', e.value->'body', e.value->>'message_key', e.value->>'correlation_id',
                   e.value->>'traceparent', CAST(e.value->>'vmac_id' AS BIGINT), $2
               FROM {rows} WHERE true
               RETURNING id, routing_key, CAST(body AS TEXT) AS body, correlation_id, traceparent";
    let until_ms = tx.outbox().claimed_until_ms(now);
    if let (true, Some(until_ms)) = (tx.is_postgres(), until_ms) {
        let sql = format!(
            "WITH written AS ({sql}),
                 outbox AS (INSERT INTO unpublished_events (event_id, claimed_until_ms) SELECT id, $3 FROM written)
             SELECT id, routing_key, body, correlation_id, traceparent FROM written ORDER BY id"
        );
        let rows = tx.batch("write events", &sql, rows, args![now, until_ms]).await?;
        let events = rows.iter().map(Event::from_row).collect::<Result<Vec<_>, _>>()?;
        tx.wrote(events);
        return Ok(());
    }
    let rows = tx.batch("write events", sql, rows, args![now]).await?;
    let Some(until_ms) = until_ms else { return Ok(()) };
    let events = rows.iter().map(Event::from_row).collect::<Result<Vec<_>, _>>()?;
    let sql = "INSERT INTO unpublished_events (event_id, claimed_until_ms)
               SELECT CAST(e.value->>'id' AS BIGINT), $2 FROM {rows} WHERE true";
    tx.batch("write the outbox", sql, ids(events.iter().map(|event| event.id)), args![until_ms]).await?;
    tx.wrote(events);
    Ok(())
}

impl Store {
    /// From now on this process publishes: it claims the events that it writes for this long.
    pub fn claim_own_events(&self, claim: Duration) {
        let claim_ms = i64::try_from(claim.as_millis()).unwrap_or(i64::MAX / 4);
        self.outbox.state().publisher = Publisher::ThisProcess { claim_ms };
    }

    /// From now on the events that this process writes are for nobody to publish: readers find them in `events`.
    pub fn publish_nowhere(&self) {
        self.outbox.state().publisher = Publisher::Nobody;
    }

    /// Takes up to so many of the events that this process wrote and claimed, in the order of their transactions.
    pub fn own_events(&self, limit: usize) -> Vec<Event> {
        let at_hand = &mut self.outbox.state().at_hand;
        let count = limit.min(at_hand.len());
        at_hand.drain(..count).collect()
    }

    /// Claims the oldest unpublished events for a while; another worker leaves them alone meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_events(&self, limit: i64, claim: Duration) -> Result<Vec<Event>, StoreError> {
        let now_ms = self.now().await?.timestamp_millis();
        let until_ms = now_ms + i64::try_from(claim.as_millis()).unwrap_or(0);
        // A claim that runs longer than any is one of a clock that has been put back since.
        let beyond_ms = until_ms + (until_ms - now_ms);
        let sql = "UPDATE unpublished_events SET claimed_until_ms = $1 WHERE event_id {in}
                       SELECT event_id FROM unpublished_events WHERE claimed_until_ms <= $2 OR claimed_until_ms > $4
                       ORDER BY event_id LIMIT $3 {skip_locked}{/in}
                   RETURNING event_id";
        let rows = self.engine.write_unsynced("claim events", sql, args![until_ms, now_ms, limit, beyond_ms]).await?;
        let claimed = rows.iter().map(|row| row.get("event_id")).collect::<Result<Vec<i64>, _>>()?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, routing_key, CAST(body AS TEXT) AS body, correlation_id, traceparent FROM events
                   WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in} ORDER BY id";
        let rows = self.engine.read("read claimed events", sql, vec![batch_arg(ids(claimed))]).await?;
        rows.iter().map(Event::from_row).collect()
    }

    /// Notes that events were published.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_published(&self, published: &[i64]) -> Result<(), StoreError> {
        let sql = "DELETE FROM unpublished_events
                   WHERE event_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
        self.engine
            .write_unsynced("mark events published", sql, vec![batch_arg(ids(published.iter().copied()))])
            .await?;
        Ok(())
    }

    /// Leaves claimed events to whoever comes next.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unclaim_events(&self, claimed: &[i64]) -> Result<(), StoreError> {
        let sql = "UPDATE unpublished_events SET claimed_until_ms = 0
                   WHERE event_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
        self.engine.write_unsynced("unclaim events", sql, vec![batch_arg(ids(claimed.iter().copied()))]).await?;
        Ok(())
    }
}

fn ids(ids: impl IntoIterator<Item = i64>) -> Vec<Value> {
    ids.into_iter().map(|id| json!({"id": id})).collect()
}
