//! Stores the dead letters of messages that are not commands or that the broker gave up on, and answers their producers
//! where no command of theirs does.
//!
//! A letter has two identities. Its burial is one sending to the dead letters: it is kept once, however often it is
//! collected and whatever became of the letter since. Its message is what the producer sent: while a letter waits, copies
//! of its message are counted on it; one that was replayed or discarded takes no more of them.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::{Action, BindableAddress, Code, Failure, LongBody, Requester, SwitchName};
use crate::store::commands::outcome::Outcome;
use crate::store::commands::row::known_commands;
use crate::store::database::engine::{Arg, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::events::body::{Answered, EventOf, EventRow, event_row};
use crate::store::events::unpublished::write_events;
use crate::store::parts::DeadLetters;

/// A dead letter as it leaves its queue.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The sending to the dead letters: collecting it twice keeps one letter.
    pub burial_id: String,
    /// The identity of its message: the same for every copy.
    pub message_identity: String,
    /// The message's id.
    pub message_id: Option<String>,
    /// The command's key, where the body was a command.
    pub message_key: Option<String>,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's trace.
    pub traceparent: Option<String>,
    /// The routing key it was published with.
    pub routing_key: String,
    /// When it was issued, where vmacd stamped it, milliseconds since 1970.
    pub issued_at_ms: Option<i64>,
    /// The property `timestamp` as it came.
    pub timestamp: Option<i64>,
    /// The number of its first arrival.
    pub arrival: Option<i64>,
    /// Which replay it was.
    pub replay_number: i64,
    /// The body as it came, or its beginning.
    pub body: Vec<u8>,
    /// What is known of the whole body where `body` is only its beginning.
    pub long_body: Option<LongBody>,
    /// A hash of routing key and body, as commands have it.
    pub body_hash: String,
    /// The producer's other headers.
    pub headers: Value,
    /// The reason code.
    pub reason_code: Code,
    /// What happened.
    pub error_text: String,
    /// Attempts made.
    pub attempts: i64,
    /// The switch, where it was one.
    pub switch: Option<SwitchName>,
    /// The server, where known.
    pub server_id: Option<i64>,
    /// The address, where known.
    pub ip_address: Option<BindableAddress>,
    /// When the message was first seen, milliseconds since 1970.
    pub first_failed_ms: i64,
    /// When it failed for good.
    pub last_failed_ms: i64,
}

impl DeadLetter {
    /// The key of the command that it would be.
    fn key(&self) -> Option<&str> {
        self.message_key.as_deref().or(self.message_id.as_deref())
    }
}

impl DeadLetters<'_> {
    /// Keeps dead letters: each burial once, and copies of a message whose letter waits as one letter. Producers who gave
    /// an id are answered (`vmac.failed`) where no command of theirs is there to be answered with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep(self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("store dead letters").await?;
        keep_all(&mut tx, letters, now).await?;
        tx.commit("store dead letters").await
    }
}

/// The same within a transaction.
pub(in crate::store) async fn keep_all(
    tx: &mut Tx,
    letters: &[DeadLetter],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    let kept = kept(tx, letters).await?;
    let content = |letter| Some((DeadLetter::key(letter)?, letter.body_hash.as_str()));
    let commands = known_commands(tx, letters.iter().filter_map(content)).await?;
    let mut events = Vec::new();
    for letter in letters.iter().filter(|letter| !kept.contains(&letter.burial_id)) {
        let id = keep(tx, letter, now).await?;
        let has_answer = letter.key().is_some_and(|key| commands.contains(&(key, letter.body_hash.as_str())));
        events.extend((!has_answer).then(|| answer(letter, id, now)).flatten());
    }
    write_events(tx, events, now).await
}

/// Counts further copies of messages on the letters that wait for them.
pub(in crate::store) async fn count_copies(tx: &mut Tx, copies: Vec<(&str, i64)>) -> Result<(), StoreError> {
    let sql = "UPDATE dead_letters SET copies = copies + CAST(e.value->>'copies' AS BIGINT) FROM {rows}
               WHERE dead_letters.state = 'waiting' AND dead_letters.message_identity = e.value->>'identity'
                   AND dead_letters.message_identity {in}SELECT e.value->>'identity' FROM {rows}{/in}";
    let rows = copies.into_iter().map(|(identity, copies)| json!({"identity": identity, "copies": copies})).collect();
    tx.batch("count copies", sql, rows, Vec::new()).await.map(|_| ())
}

/// The burials that are kept already.
async fn kept(tx: &mut Tx, letters: &[DeadLetter]) -> Result<HashSet<String>, StoreError> {
    let asked = letters.iter().map(|letter| json!({"id": letter.burial_id})).collect();
    let sql = "SELECT burial_id FROM dead_letters WHERE burial_id {in}SELECT e.value->>'id' FROM {rows}{/in}";
    let rows = tx.batch("find dead letters", sql, asked, Vec::new()).await?;
    rows.iter().map(|row| row.get("burial_id")).collect()
}

/// What becomes of a letter whose message has one that waits: it counts the copies, and the newest has the say, because its
/// key and time of issue are those of the newest command.
pub(in crate::store) const ON_COPY: &str = "ON CONFLICT (message_identity) WHERE state = 'waiting' DO UPDATE SET
        copies = dead_letters.copies
            + CASE WHEN dead_letters.burial_id = excluded.burial_id THEN 0 ELSE excluded.copies END,
        burial_id = excluded.burial_id, message_key = COALESCE(excluded.message_key, dead_letters.message_key),
        issued_at_ms = COALESCE(excluded.issued_at_ms, dead_letters.issued_at_ms),
        sent_timestamp = COALESCE(excluded.sent_timestamp, dead_letters.sent_timestamp),
        arrival = COALESCE(excluded.arrival, dead_letters.arrival),
        reason_code = excluded.reason_code, error_text = excluded.error_text, attempts = excluded.attempts,
        switch = excluded.switch, server_id = COALESCE(excluded.server_id, dead_letters.server_id),
        ip_address = COALESCE(excluded.ip_address, dead_letters.ip_address), last_failed_at = excluded.last_failed_at";

/// Keeps one, and gives its letter's number.
async fn keep(tx: &mut Tx, letter: &DeadLetter, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let sql = format!(
        "INSERT INTO dead_letters (burial_id, message_identity, message_id, message_key, correlation_id, traceparent,
            routing_key, issued_at_ms, replay_number, body, headers, reason_code, error_text, attempts, switch,
            server_id, ip_address, first_failed_at, last_failed_at, collected_at, sent_timestamp, arrival,
            body_bytes, body_sha256)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $24)
        {ON_COPY} RETURNING id"
    );
    let rows = tx.run("store a dead letter", &sql, columns(letter, now)).await?;
    rows.first().ok_or(StoreError::NoAnswer { what: "store a dead letter" })?.get("id")
}

fn columns(letter: &DeadLetter, now: DateTime<Utc>) -> Vec<Arg> {
    let time = |ms| DateTime::from_timestamp_millis(ms).unwrap_or(now);
    args![
        letter.burial_id.as_str(),
        letter.message_identity.as_str(),
        letter.message_id.clone(),
        letter.message_key.clone(),
        letter.correlation_id.clone(),
        letter.traceparent.clone(),
        letter.routing_key.as_str(),
        letter.issued_at_ms,
        letter.replay_number,
        letter.body.clone(),
        letter.headers.clone(),
        letter.reason_code.as_str(),
        letter.error_text.as_str(),
        letter.attempts,
        letter.switch.as_ref().map(ToString::to_string),
        letter.server_id,
        letter.ip_address.map(|ip| ip.to_string()),
        time(letter.first_failed_ms),
        time(letter.last_failed_ms),
        now,
        letter.timestamp,
        letter.arrival,
        letter.long_body.as_ref().map(|long| i64::try_from(long.bytes).unwrap_or(i64::MAX)),
        letter.long_body.as_ref().map(|long| long.sha256.clone()),
    ]
}

/// The event for a producer who gave an id by which it is recognised. It is about this message, even if another one has the
/// same id.
fn answer(letter: &DeadLetter, id: i64, now: DateTime<Utc>) -> Option<EventRow<'_>> {
    let (message_id, correlation_id) = (letter.message_id.as_deref(), letter.correlation_id.as_deref());
    message_id.or(correlation_id)?;
    let action = Action::from_text(&letter.routing_key).filter(|action| action.routing_key() == letter.routing_key);
    let traceparent = letter.traceparent.as_deref();
    let requester = Requester::of_body(&letter.body);
    let event = EventOf {
        outcome: Outcome::Failed,
        server_id: letter.server_id,
        ip: letter.ip_address,
        vmac: None,
        reason: Some(Cow::Owned(Failure::new(letter.reason_code, letter.error_text.clone()))),
        superseded_by: None,
        answers: Some(Answered { action, key: None, message_id, correlation_id, traceparent, requester }),
        dead_letter_id: Some(id),
    };
    Some(event_row(event, now))
}
