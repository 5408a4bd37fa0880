//! Events on their way to the broker: claimed, published, marked. At least once. `events` keeps what happened for good and
//! is never changed; `unpublished_events` names those of which the broker does not know yet.
//!
//! A process that publishes claims the events that it writes itself, as it writes them, and has them at hand once their
//! transaction is committed. Those of a process that died are claimed by another when that claim has run out.
//!
//! Claims and marks do not wait for the disk ([`Engine::write_unsynced`](crate::store::database::engine::Engine::write_unsynced)): where
//! Postgres crashes and loses one, the event is still in `unpublished_events` and is published once more, which consumers must
//! expect anyway. The rows of `unpublished_events` themselves are written in the same transaction as what they report.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::store::database::engine::{args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::database::statement::Arg;
use crate::store::database::tx::Tx;
use crate::store::events::body::EventRow;
use crate::store::events::outbox::{Event, EventClaim};
use crate::store::parts::Events;

/// The events that are claimed as these claims say: by their numbers, and until when.
const CLAIMED: &str = "event_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}
    AND claimed_until_ms {in}SELECT CAST(e.value->>'until_ms' AS BIGINT) FROM {rows}{/in}";

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
        let events = rows.iter().map(|row| Event::from_row(row, until_ms)).collect::<Result<Vec<_>, _>>()?;
        tx.wrote(events);
        return Ok(());
    }
    let rows = tx.batch("write events", sql, rows, args![now]).await?;
    let Some(until_ms) = until_ms else { return Ok(()) };
    let events = rows.iter().map(|row| Event::from_row(row, until_ms)).collect::<Result<Vec<_>, _>>()?;
    let sql = "INSERT INTO unpublished_events (event_id, claimed_until_ms)
               SELECT CAST(e.value->>'id' AS BIGINT), $2 FROM {rows} WHERE true";
    tx.batch("write the outbox", sql, ids(events.iter().map(|event| event.id)), args![until_ms]).await?;
    tx.wrote(events);
    Ok(())
}

impl Events<'_> {
    /// From now on this process publishes: it claims the events that it writes for this long.
    pub fn claim_own(self, claim: Duration) {
        self.store.outbox.publish_here(claim);
    }

    /// From now on the events that this process writes are for nobody to publish: readers find them in `events`.
    pub fn publish_nowhere(self) {
        self.store.outbox.publish_nowhere();
    }

    /// Takes up to `limit` of the events that this process wrote and claimed, in the order of their transactions.
    pub fn take_own(self, limit: usize) -> Vec<Event> {
        self.store.outbox.take(limit)
    }

    /// Claims the oldest unpublished events for a while; another worker leaves them alone meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(self, limit: i64, claim: Duration) -> Result<Vec<Event>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let until_ms = now_ms + i64::try_from(claim.as_millis()).unwrap_or(0);
        // A claim that runs longer than any is one of a clock that has been put back since.
        let beyond_ms = until_ms + (until_ms - now_ms);
        let sql = "UPDATE unpublished_events SET claimed_until_ms = $1 WHERE event_id {in}
                       SELECT event_id FROM unpublished_events WHERE claimed_until_ms <= $2 OR claimed_until_ms > $4
                       ORDER BY event_id LIMIT $3 {skip_locked}{/in}
                   RETURNING event_id";
        let rows =
            self.store.engine.write_unsynced("claim events", sql, args![until_ms, now_ms, limit, beyond_ms]).await?;
        let claimed = rows.iter().map(|row| row.get("event_id")).collect::<Result<Vec<i64>, _>>()?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, routing_key, CAST(body AS TEXT) AS body, correlation_id, traceparent FROM events
                   WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in} ORDER BY id";
        let rows = self.store.engine.read("read claimed events", sql, vec![batch_arg(ids(claimed))]).await?;
        rows.iter().map(|row| Event::from_row(row, until_ms)).collect()
    }

    /// Notes that events were published. What is claimed by another by now is left to that one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_published(self, published: &[EventClaim]) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM unpublished_events WHERE {CLAIMED}");
        self.store.engine.write_unsynced("mark events published", &sql, vec![claims(published)]).await?;
        Ok(())
    }

    /// Gives claimed events back, so that any worker can claim them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unclaim(self, claimed: &[EventClaim]) -> Result<(), StoreError> {
        let sql = format!("UPDATE unpublished_events SET claimed_until_ms = 0 WHERE {CLAIMED}");
        self.store.engine.write_unsynced("unclaim events", &sql, vec![claims(claimed)]).await?;
        Ok(())
    }
}

fn claims(claims: &[EventClaim]) -> Arg {
    batch_arg(claims.iter().map(|claim| json!(claim)).collect())
}

fn ids(ids: impl IntoIterator<Item = i64>) -> Vec<Value> {
    ids.into_iter().map(|id| json!({"id": id})).collect()
}
