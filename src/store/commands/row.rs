//! Rows of `commands`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::{Action, BindableAddress, IntentOrder, MessageKey, Moment, Position, Requester};
use crate::store::database::engine::Row;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::events::body::Answered;

/// A command without an outcome.
#[derive(Debug, Clone)]
pub struct CommandRow {
    /// Its key.
    pub key: MessageKey,
    /// Its message's id, if the producer gave one.
    pub message_id: Option<String>,
    /// What it asks for.
    pub action: Action,
    /// The server.
    pub server_id: i64,
    /// The address.
    pub ip_address: BindableAddress,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's trace.
    pub traceparent: Option<String>,
    /// Its place in the order of commands.
    pub position: Position,
    /// How often it was tried before it could be admitted.
    pub attempts: i64,
    /// For how long it was made to wait for that, milliseconds.
    pub waited_ms: i64,
    /// The identity of its message: the same for every copy.
    pub message_identity: Option<String>,
    /// Which replay it is.
    pub replay_number: i64,
    /// The row it drives.
    pub vmac_id: Option<i64>,
    /// When it first came.
    pub received_at: DateTime<Utc>,
    /// Who asked.
    pub requester: Requester,
}

impl CommandRow {
    pub(in crate::store) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let action: String = row.get("action")?;
        Ok(Self {
            key: MessageKey(row.get("message_key")?),
            message_id: row.get("message_id")?,
            action: Action::from_text(&action)
                .ok_or(StoreError::Content { column: "action".to_owned(), text: action })?,
            server_id: row.get("server_id")?,
            ip_address: row.parse("ip_address")?,
            correlation_id: row.get("correlation_id")?,
            traceparent: row.get("traceparent")?,
            position: position(row, "")?,
            attempts: row.get("attempts")?,
            waited_ms: row.get("waited_ms")?,
            message_identity: row.get("message_identity")?,
            replay_number: row.get("replay_number")?,
            vmac_id: row.get("vmac_id")?,
            received_at: row.get("received_at")?,
            requester: Requester::of_body(&row.get::<Vec<u8>>("body")?),
        })
    }

    /// Its place among all commands for its (server, address).
    pub(in crate::store) fn order(&self) -> IntentOrder {
        let (key, action) = (self.key.clone(), self.action);
        IntentOrder { position: self.position, key, action, wants: action.wants() }
    }

    /// Whom an event about this command answers.
    pub(in crate::store) fn answered(&self) -> Answered<'_> {
        Answered {
            action: Some(self.action),
            key: Some(&self.key.0),
            message_id: self.message_id.as_deref(),
            correlation_id: self.correlation_id.as_deref(),
            traceparent: self.traceparent.as_deref(),
            requester: self.requester.clone(),
        }
    }
}

/// A place in the order of commands, from columns whose names begin so.
pub(in crate::store) fn position(row: &Row, prefix: &str) -> Result<Position, StoreError> {
    let number = |name: &str| row.get::<i64>(&format!("{prefix}{name}"));
    let moment = Moment { ms: number("issued_at_ms")?, rank: number("issued_rank")? };
    Ok(Position { moment, arrival: number("arrival")? })
}

/// What is read of commands.
pub(in crate::store) const COLUMNS: &str =
    "message_key, message_id, action, server_id, ip_address, correlation_id, traceparent, issued_at_ms, issued_rank,
    arrival, attempts, waited_ms, message_identity, replay_number, vmac_id, received_at, body, outcome, outcome_code, outcome_text, body_hash, finished_at";

/// Those of the messages, each a key with the hash of its content, that commands came with: the same key with another
/// content is none of them.
pub(in crate::store) async fn known_commands<'a>(
    tx: &mut Tx,
    messages: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<HashSet<(&'a str, &'a str)>, StoreError> {
    let asked: HashSet<(&str, &str)> = messages.collect();
    let keys = asked.iter().map(|(key, _)| json!({"key": key})).collect();
    let sql = "SELECT message_key, body_hash FROM commands
               WHERE message_key {in}SELECT e.value->>'key' FROM {rows}{/in}";
    let mut hashes: HashMap<String, String> = HashMap::new();
    for row in tx.batch("find commands", sql, keys, Vec::new()).await? {
        hashes.insert(row.get("message_key")?, row.get("body_hash")?);
    }
    Ok(asked.into_iter().filter(|(key, hash)| hashes.get(*key).is_some_and(|known| known == hash)).collect())
}

/// The open commands that drive these rows, locked.
pub(in crate::store) async fn open_commands_of(
    tx: &mut Tx,
    rows: impl Iterator<Item = i64>,
) -> Result<Vec<CommandRow>, StoreError> {
    // By the rows' own index: the one of all open commands, which `outcome IS NULL` would offer, is long in a burst.
    let sql = [
        "SELECT ",
        COLUMNS,
        " FROM commands WHERE COALESCE(outcome, 'open') = 'open'
         AND vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in} ORDER BY message_key {for_update}",
    ]
    .concat();
    let rows = tx.batch("read open commands", &sql, rows.map(|id| json!({"id": id})).collect(), Vec::new()).await?;
    rows.iter().map(CommandRow::from_row).collect()
}
