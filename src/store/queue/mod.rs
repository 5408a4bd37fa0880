//! The table of the embedded queue: the oldest messages are claimed for a while, and removed when acknowledged.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::BODY_BYTES_MAX;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::Queue;

/// A longer body is read in pieces of this size.
const PIECE_BYTES: i64 = 8 << 20;
/// Messages written by one statement.
const ROWS_MAX: usize = 100;

/// A message to be queued.
#[derive(Debug, Clone)]
pub struct NewQueueMessage {
    /// The queue.
    pub queue: String,
    /// Properties and headers.
    pub properties: Value,
    /// The body.
    pub body: Vec<u8>,
}

/// How much is claimed at once.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLimit {
    /// Messages.
    pub messages: i64,
    /// Bytes of their bodies; the last message may exceed it.
    pub bytes: i64,
}

/// Messages of one queue, claimed together until they are removed or the claim runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueClaim {
    queue: String,
    token: String,
    ids: Vec<i64>,
}

/// A claim and its messages, oldest first.
#[derive(Debug)]
pub struct ClaimedMessages {
    /// What removes them.
    pub claim: QueueClaim,
    /// At least one.
    pub messages: Vec<QueueMessage>,
}

/// A message handed out.
#[derive(Debug, Clone)]
pub struct QueueMessage {
    /// Its number.
    pub id: i64,
    /// Properties and headers.
    pub properties: Value,
    /// The body, or the first [`BODY_BYTES_MAX`] bytes of a longer one.
    pub body: Vec<u8>,
    /// The size of the whole body.
    pub body_bytes: i64,
    /// How often it was handed out, this time included.
    pub deliveries: i64,
}

/// One of the oldest messages of a queue.
struct Waiting {
    id: i64,
    bytes: i64,
    deliveries: i64,
    is_claimed: bool,
}

impl QueueClaim {
    /// The queue.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// How many messages it has.
    pub fn messages(&self) -> usize {
        self.ids.len()
    }

    fn rows(&self) -> Vec<Value> {
        self.ids.iter().map(|id| json!({"id": id})).collect()
    }
}

/// A row of the batch that queues messages.
#[derive(Serialize)]
struct NewRow<'a> {
    position: usize,
    queue: &'a str,
    properties: &'a Value,
    body: String,
}

/// The ids of a batch, as `{in}` takes them.
const IDS: &str = "{in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";

impl Queue<'_> {
    /// Queues messages in their order, all of them or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publish(self, messages: &[NewQueueMessage]) -> Result<(), StoreError> {
        if messages.is_empty() {
            return Ok(());
        }
        let now_ms = self.store.now().await?.timestamp_millis();
        let mut tx = self.store.begin("queue messages").await?;
        let sql = "INSERT INTO queue_messages (queue, properties, body, available_at_ms, enqueued_at_ms)
            SELECT e.value->>'queue', e.value->'properties', {unhex}e.value->>'body'{/unhex}, $2, $2
            FROM {rows} ORDER BY CAST(e.value->>'position' AS BIGINT)";
        for some in messages.chunks(ROWS_MAX) {
            let rows: Vec<_> = some.iter().enumerate().map(new_row).collect();
            tx.batch("queue messages", sql, rows, args![now_ms]).await?;
        }
        tx.commit("queue messages").await
    }

    /// Claims the oldest messages of a queue for this long, unless one of them is claimed. None where there is nothing to
    /// claim, which takes no write.
    ///
    /// A message that was handed out before is claimed with fewer others, in the end alone: what crashes its consumer, or takes
    /// too long, does not use up the deliveries of others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(
        self,
        queue: &str,
        limit: ClaimLimit,
        lasts: Duration,
    ) -> Result<Option<ClaimedMessages>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = oldest("");
        let oldest_one = self.store.engine.read("find messages", &sql, args![queue, now_ms, 1_i64]).await?;
        if oldest_one.first().map(Waiting::from_row).transpose()?.is_none_or(|waiting| waiting.is_claimed) {
            return Ok(None);
        }
        let mut tx = self.store.begin("claim messages").await?;
        // Consumers wait for each other here, and see what the one before claimed.
        let rows = tx.run("find messages", &oldest("{for_update}"), args![queue, now_ms, limit.messages]).await?;
        let waiting = rows.iter().map(Waiting::from_row).collect::<Result<Vec<_>, _>>()?;
        let ids = within(limit, waiting);
        if ids.is_empty() {
            return Ok(None);
        }
        let claim = QueueClaim { queue: queue.to_owned(), token: Uuid::now_v7().to_string(), ids };
        let messages = write_claim(&mut tx, &claim, now_ms.saturating_add(millis(lasts))).await?;
        tx.commit("claim messages").await?;
        Ok(Some(ClaimedMessages { claim, messages }))
    }

    /// A piece of a message's body, from this byte on; empty behind its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn body(self, id: i64, at: i64) -> Result<Vec<u8>, StoreError> {
        let sql =
            "SELECT SUBSTR(body, CAST($2 AS INTEGER), CAST($3 AS INTEGER)) AS piece FROM queue_messages WHERE id = $1";
        let rows = self.store.engine.read("read a long body", sql, args![id, at + 1, PIECE_BYTES]).await?;
        rows.first().map_or(Ok(Vec::new()), |row| row.get("piece"))
    }

    /// Removes what is still claimed under this claim: nothing where it was removed or claimed again meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(self, claim: &QueueClaim) -> Result<(), StoreError> {
        let mut tx = self.store.begin("remove messages").await?;
        remove_claimed(&mut tx, claim).await?;
        tx.commit("remove messages").await
    }

    /// Gives up a claim whose messages were not handed out: they can be claimed at once, and this was not a delivery.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(self, claim: &QueueClaim) -> Result<(), StoreError> {
        let mut tx = self.store.begin("release messages").await?;
        let sql = format!(
            "UPDATE queue_messages SET claim_token = NULL, available_at_ms = enqueued_at_ms, deliveries = deliveries - 1
             WHERE id {IDS} AND claim_token = $2"
        );
        tx.batch("release messages", &sql, claim.rows(), args![claim.token.as_str()]).await?;
        tx.commit("release messages").await
    }

    /// How many messages the queue has, claimed ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn depth(self, queue: &str) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) AS messages FROM queue_messages WHERE queue = $1";
        let rows = self.store.engine.read("count messages", sql, args![queue]).await?;
        rows.first().ok_or(StoreError::NoAnswer { what: "count messages" })?.get("messages")
    }
}

/// Removes exactly the messages of this claim. False when not all of them were still claimed under it: they were handed out
/// again, and the transaction that admits them must be rolled back.
pub(super) async fn remove_claimed(tx: &mut Tx, claim: &QueueClaim) -> Result<bool, StoreError> {
    let sql = format!("DELETE FROM queue_messages WHERE id {IDS} AND claim_token = $2 RETURNING id");
    let removed = tx.batch("remove messages", &sql, claim.rows(), args![claim.token.as_str()]).await?;
    Ok(removed.len() == claim.ids.len())
}

fn new_row<'a>((position, message): (usize, &'a NewQueueMessage)) -> NewRow<'a> {
    let NewQueueMessage { queue, properties, body } = message;
    NewRow { position, queue, properties, body: hex::encode(body) }
}

/// The oldest messages. The column `available_at_ms` says until when a claim lasts; without a claim it means nothing.
fn oldest(lock: &str) -> String {
    format!(
        "SELECT id, CAST(LENGTH(body) AS BIGINT) AS bytes, deliveries,
            CAST(CASE WHEN claim_token IS NOT NULL AND available_at_ms > $2 THEN 1 ELSE 0 END AS BIGINT) AS is_claimed
         FROM queue_messages WHERE queue = $1 ORDER BY id LIMIT $3 {lock}"
    )
}

/// The messages to claim, from the oldest on; none while one of them is claimed.
fn within(limit: ClaimLimit, waiting: Vec<Waiting>) -> Vec<i64> {
    if waiting.iter().any(|waiting| waiting.is_claimed) {
        return Vec::new();
    }
    let came_before = waiting.first().map_or(0, |oldest| oldest.deliveries.clamp(0, 32));
    let messages = (limit.messages >> came_before).max(1);
    let mut bytes = 0;
    let fits = |waiting: &Waiting| {
        let fits = bytes < limit.bytes;
        bytes += waiting.bytes;
        fits
    };
    waiting
        .into_iter()
        .take(usize::try_from(messages).unwrap_or(1))
        .take_while(fits)
        .map(|waiting| waiting.id)
        .collect()
}

async fn write_claim(tx: &mut Tx, claim: &QueueClaim, until_ms: i64) -> Result<Vec<QueueMessage>, StoreError> {
    let sql = format!(
        "UPDATE queue_messages SET claim_token = $2, available_at_ms = $3, deliveries = deliveries + 1 WHERE id {IDS}
         RETURNING id, properties, SUBSTR(body, 1, CAST($4 AS INTEGER)) AS body,
            CAST(LENGTH(body) AS BIGINT) AS body_bytes, deliveries"
    );
    let arguments = args![claim.token.as_str(), until_ms, BODY_BYTES_MAX as i64];
    let rows = tx.batch("claim messages", &sql, claim.rows(), arguments).await?;
    let mut messages = rows.iter().map(QueueMessage::from_row).collect::<Result<Vec<_>, _>>()?;
    messages.sort_by_key(|message| message.id);
    Ok(messages)
}

impl Waiting {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let is_claimed: i64 = row.get("is_claimed")?;
        Ok(Self {
            id: row.get("id")?,
            bytes: row.get("bytes")?,
            deliveries: row.get("deliveries")?,
            is_claimed: is_claimed != 0,
        })
    }
}

impl QueueMessage {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            properties: row.json("properties")?,
            body: row.get("body")?,
            body_bytes: row.get("body_bytes")?,
            deliveries: row.get("deliveries")?,
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(deliveries: i64, claimed: Option<i64>) -> Vec<Waiting> {
        (1..=8).map(|id| Waiting { id, bytes: 10, deliveries, is_claimed: claimed == Some(id) }).collect()
    }

    #[test]
    fn a_claim_is_bounded_in_messages_and_bytes() {
        let claim = |messages, bytes| within(ClaimLimit { messages, bytes }, waiting(0, None));
        assert_eq!(claim(3, 1_000), [1, 2, 3]);
        assert_eq!(claim(8, 25), [1, 2, 3], "the last may exceed it");
        assert!(claim(8, 0).is_empty());
    }

    #[test]
    fn nothing_is_claimed_while_a_claim_lasts() {
        assert!(within(ClaimLimit { messages: 8, bytes: 1_000 }, waiting(1, Some(4))).is_empty());
    }

    #[test]
    fn what_came_before_is_claimed_with_fewer_others() {
        let claim = |deliveries| within(ClaimLimit { messages: 8, bytes: 1_000 }, waiting(deliveries, None)).len();
        assert_eq!([0, 1, 2, 3, 99].map(claim), [8, 4, 2, 1, 1]);
    }
}
