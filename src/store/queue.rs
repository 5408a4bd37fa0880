//! The table of the embedded queue: messages are claimed for a while, and removed when acknowledged.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::connect::Store;
use super::engine::{Row, args, batch_arg};
use super::error::StoreError;
use crate::domain::BODY_BYTES_MAX;

/// A message to be queued.
#[derive(Debug, Clone)]
pub struct NewQueueMessage {
    /// The queue.
    pub queue: String,
    /// Properties and headers.
    pub properties: Value,
    /// The body.
    pub body: Vec<u8>,
    /// How long it is not handed out.
    pub delay: Duration,
}

/// A message handed out.
#[derive(Debug, Clone)]
pub struct QueueMessage {
    /// Its number.
    pub id: i64,
    /// Proof of this delivery; it is worth nothing once the claim ran out and the message went to another.
    pub claim_token: String,
    /// Properties and headers.
    pub properties: Value,
    /// The body, or the first [`BODY_BYTES_MAX`] bytes of a longer one.
    pub body: Vec<u8>,
    /// The size of the whole body.
    pub body_bytes: i64,
    /// How often it was handed out, this time included.
    pub deliveries: i64,
}

/// When this process queued messages last: an answer of the clock that is a moment behind the one before would let a
/// message overtake the one that was queued before it.
#[derive(Debug, Default)]
pub(super) struct QueuedAt(AtomicI64);

/// A clock that is behind by more was set back.
const BEHIND_MAX_MS: i64 = 1_000;

impl QueuedAt {
    fn next(&self, now_ms: i64) -> i64 {
        let next = |last: i64| if last < now_ms + BEHIND_MAX_MS { last.max(now_ms) } else { now_ms };
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        next(before.unwrap_or(now_ms))
    }
}

/// A longer body is read in pieces of so many bytes.
const PIECE_BYTES: i64 = 8 << 20;

/// How much is claimed at once.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLimit {
    /// Messages.
    pub messages: i64,
    /// Bytes of their bodies; the last message may exceed it.
    pub bytes: i64,
}

const OF_CLAIMS: &str = "(SELECT q.id FROM queue_messages q JOIN {rows}
    ON q.id = CAST(e.value->>'id' AS BIGINT) AND q.claim_token = e.value->>'claim_token')";

impl QueueMessage {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            claim_token: row.get("claim_token")?,
            properties: row.json("properties")?,
            body: row.get("body")?,
            body_bytes: row.get("body_bytes")?,
            deliveries: row.get("deliveries")?,
        })
    }
}

impl Store {
    /// Queues messages and, in the same transaction, removes those that they take the place of, each
    /// named by number and claim.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_publish(
        &self,
        messages: &[NewQueueMessage],
        in_place_of: &[(i64, String)],
    ) -> Result<(), StoreError> {
        let now_ms = self.queued_at.next(self.now().await?.timestamp_millis());
        let mut tx = self.engine.begin("queue messages").await?;
        for message in messages {
            let sql = "INSERT INTO queue_messages (queue, properties, body, available_at_ms, enqueued_at_ms)
                       VALUES ($1, $2, $3, $4, $5)";
            let available_at_ms = now_ms + millis(message.delay);
            let arguments = args![
                message.queue.as_str(),
                message.properties.clone(),
                message.body.clone(),
                available_at_ms,
                now_ms
            ];
            tx.run("queue a message", sql, arguments).await?;
        }
        let sql = format!("DELETE FROM queue_messages WHERE id IN {OF_CLAIMS}");
        tx.batch("take messages off the queue", &sql, claims(in_place_of), Vec::new()).await?;
        tx.commit("queue messages").await
    }

    /// Hands out messages that are due, oldest first; they come again when the claim runs out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_claim(
        &self,
        queue: &str,
        limit: ClaimLimit,
        claim: Duration,
    ) -> Result<Vec<QueueMessage>, StoreError> {
        let now_ms = self.now().await?.timestamp_millis();
        let sql = "UPDATE queue_messages SET claim_token = $1, available_at_ms = $2, deliveries = deliveries + 1
                   WHERE id IN (SELECT s.id FROM (
                           SELECT d.id, SUM(d.bytes) OVER (ORDER BY d.available_at_ms, d.id) - d.bytes AS ahead FROM (
                               SELECT id, available_at_ms, CAST(LENGTH(body) AS BIGINT) AS bytes FROM queue_messages
                               WHERE queue = $3 AND available_at_ms <= $4
                               ORDER BY available_at_ms, id LIMIT $5 {skip_locked}) d) s
                       WHERE s.ahead < $6)
                   RETURNING id, claim_token, properties, SUBSTR(body, 1, CAST($7 AS INTEGER)) AS body,
                       CAST(LENGTH(body) AS BIGINT) AS body_bytes, deliveries";
        let arguments = args![
            Uuid::now_v7().to_string(),
            now_ms + millis(claim),
            queue,
            now_ms,
            limit.messages,
            limit.bytes,
            BODY_BYTES_MAX as i64
        ];
        let rows = self.engine.write("hand messages out", sql, arguments).await?;
        let mut messages = rows.iter().map(QueueMessage::from_row).collect::<Result<Vec<_>, _>>()?;
        messages.sort_by_key(|message| message.id);
        Ok(messages)
    }

    /// A piece of a message's body, from this byte on; empty behind its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_body(&self, id: i64, at: i64) -> Result<Vec<u8>, StoreError> {
        let sql =
            "SELECT SUBSTR(body, CAST($2 AS INTEGER), CAST($3 AS INTEGER)) AS piece FROM queue_messages WHERE id = $1";
        let rows = self.engine.read("read a long body", sql, args![id, at + 1, PIECE_BYTES]).await?;
        rows.first().map_or(Ok(Vec::new()), |row| row.get("piece"))
    }

    /// Removes messages that were handed out under these claims, and says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_ack(&self, of: &[(i64, String)]) -> Result<usize, StoreError> {
        if of.is_empty() {
            return Ok(0);
        }
        let sql = format!("DELETE FROM queue_messages WHERE id IN {OF_CLAIMS} RETURNING id");
        Ok(self.engine.write("take messages off the queue", &sql, vec![batch_arg(claims(of))]).await?.len())
    }

    /// Sets when messages handed out under these claims come again: at once, or after a longer claim.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_reclaim(&self, of: &[(i64, String)], after: Duration) -> Result<(), StoreError> {
        if of.is_empty() {
            return Ok(());
        }
        let at_ms = self.now().await?.timestamp_millis() + millis(after);
        let sql = format!("UPDATE queue_messages SET available_at_ms = $2 WHERE id IN {OF_CLAIMS}");
        self.engine.write("set when messages come again", &sql, vec![batch_arg(claims(of)), at_ms.into()]).await?;
        Ok(())
    }

    /// How many messages of the queue are due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_depth(&self, queue: &str) -> Result<i64, StoreError> {
        let now_ms = self.now().await?.timestamp_millis();
        let sql = "SELECT COUNT(*) AS due FROM queue_messages WHERE queue = $1 AND available_at_ms <= $2";
        let rows = self.engine.read("count messages", sql, args![queue, now_ms]).await?;
        rows.first().ok_or(StoreError::NoAnswer { what: "count messages" })?.get("due")
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

fn claims(of: &[(i64, String)]) -> Vec<Value> {
    of.iter().map(|(id, claim_token)| json!({"id": id, "claim_token": claim_token})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_trembles_does_not_let_a_message_overtake_another() {
        let queued_at = QueuedAt::default();
        assert_eq!(
            [5_000, 4_999, 5_001, 4_500, 1_000].map(|now_ms| queued_at.next(now_ms)),
            [5_000, 5_000, 5_001, 5_001, 1_000]
        );
    }
}
