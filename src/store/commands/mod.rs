//! The inbox: commands by key, and their outcomes.

pub(super) mod lookup;
pub(super) mod waiting;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::domain::{
    Action, BindableAddress, Code, Desired, Failure, IntentOrder, MessageKey, Moment, Position, Requester, SwitchName,
};
use crate::store::connect::Store;
use crate::store::database::clock::at_once_ms;
use crate::store::database::engine::{Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::database::tx::{Statement, Tx};
use crate::store::dead_letters::bury::{Burial, bury};
use crate::store::events::body::{Answered, EventOf, EventRow, event_row};
use crate::store::events::outbox::write_events;
use crate::store::vmacs::Vmac;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The virtual MAC is bound.
    Active,
    /// It is off.
    Revoked,
    /// A newer command won.
    Superseded,
    /// It could not be done.
    Failed,
}

/// How a command ended, with what there is to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandOutcome {
    /// How it ended.
    pub status: Outcome,
    /// The row, where there is one.
    pub vmac_id: Option<i64>,
    /// The reason code of a failure.
    pub code: Option<Code>,
    /// The sentence to a failure or a superseding.
    pub text: Option<String>,
}

/// A command without an outcome.
#[derive(Debug, Clone)]
pub struct OpenCommand {
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
    /// What tells its message from others.
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

impl Outcome {
    /// Every one there is.
    pub const ALL: [Self; 4] = [Self::Active, Self::Revoked, Self::Superseded, Self::Failed];

    /// As stored, and as the last part of the event's routing key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }

    /// The routing key of the event that tells of it.
    pub fn routing_key(self) -> String {
        format!("vmac.{self}")
    }

    /// The outcome of a text as stored.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == text)
    }

    /// How a command of this action ends when the row's intent is met.
    pub(super) const fn of_success(action: Action) -> Self {
        match action.wants() {
            Desired::Bound => Self::Active,
            Desired::Unbound => Self::Revoked,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CommandOutcome {
    /// The failure, when it is one.
    pub fn failure(&self) -> Option<Failure> {
        let code = self.code.unwrap_or(Code::RefusedBySwitch);
        (self.status == Outcome::Failed).then(|| Failure::new(code, self.text.clone().unwrap_or_default()))
    }

    /// The outcome of a row of `commands`, when it has one.
    pub(super) fn from_row(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(status) = row.get::<Option<String>>("outcome")?.as_deref().and_then(Outcome::from_text) else {
            return Ok(None);
        };
        let code: Option<String> = row.get("outcome_code")?;
        Ok(Some(Self {
            status,
            vmac_id: row.get("vmac_id")?,
            code: code.as_deref().and_then(Code::from_text),
            text: row.get("outcome_text")?,
        }))
    }
}

impl OpenCommand {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
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
    pub(super) fn order(&self) -> IntentOrder {
        let (key, action) = (self.key.clone(), self.action);
        IntentOrder { position: self.position, key, action, wants: action.wants() }
    }

    /// Whom an event about this command answers.
    pub(super) fn answered(&self) -> Answered<'_> {
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
pub(super) fn position(row: &Row, prefix: &str) -> Result<Position, StoreError> {
    let number = |name: &str| row.get::<i64>(&format!("{prefix}{name}"));
    let moment = Moment { ms: number("issued_at_ms")?, rank: number("issued_rank")? };
    Ok(Position { moment, arrival: number("arrival")? })
}

/// What is read of commands.
pub(super) const COLUMNS: &str =
    "message_key, message_id, action, server_id, ip_address, correlation_id, traceparent, issued_at_ms, issued_rank,
    arrival, attempts, waited_ms, message_identity, replay_number, vmac_id, received_at, body, outcome, outcome_code, outcome_text, body_hash, finished_at";

/// Gives commands their outcome; `$2` is the time.
const CLOSE: &str = "UPDATE commands SET outcome = e.value->>'outcome', outcome_code = e.value->>'code',
        outcome_text = e.value->>'text', vmac_id = COALESCE(CAST(e.value->>'vmac_id' AS BIGINT), vmac_id),
        finished_at = $2
    FROM {rows} WHERE commands.message_key = e.value->>'key'
        AND commands.message_key {in}SELECT e.value->>'key' FROM {rows}{/in}";

/// A row of the batch for [`CLOSE`].
#[derive(Serialize)]
struct Closed<'a> {
    key: &'a MessageKey,
    outcome: Outcome,
    code: Option<Code>,
    text: Option<&'a String>,
    vmac_id: Option<i64>,
}

/// A command to be closed, with its event and, where it failed, its dead letter.
#[derive(Clone)]
pub(super) struct Closing<'a> {
    pub command: &'a OpenCommand,
    pub outcome: Outcome,
    pub vmac: Option<&'a Vmac>,
    pub failure: Option<&'a Failure>,
    pub superseded_by: Option<String>,
    /// The switch that it failed on.
    pub switch: Option<&'a SwitchName>,
    /// Attempts until it failed.
    pub attempts: i64,
}

impl<'a> Closing<'a> {
    pub fn of(command: &'a OpenCommand, outcome: Outcome, failure: Option<&'a Failure>) -> Self {
        Self { command, outcome, vmac: None, failure, superseded_by: None, switch: None, attempts: command.attempts }
    }
}

/// Closes commands: one event for each, and one dead letter for each that failed.
pub(super) async fn close(tx: &mut Tx, closings: &[Closing<'_>], now: DateTime<Utc>) -> Result<(), StoreError> {
    let letters = bury_failed(tx, closings, now).await?;
    tx.together("close commands", [close_statement(closings, now)]).await?;
    write_events(tx, events_of(closings, &letters, now).collect(), now).await
}

/// Writes the dead letters of those that failed, and answers with their numbers.
pub(super) async fn bury_failed(
    tx: &mut Tx,
    closings: &[Closing<'_>],
    now: DateTime<Utc>,
) -> Result<HashMap<MessageKey, i64>, StoreError> {
    let failed = closings.iter().filter_map(|closing| {
        let Closing { command, switch, attempts, .. } = *closing;
        Some(Burial { command, failure: Cow::Borrowed(closing.failure?), switch, attempts })
    });
    bury(tx, &failed.collect::<Vec<_>>(), now).await
}

/// Gives commands their outcomes.
pub(super) fn close_statement(closings: &[Closing<'_>], now: DateTime<Utc>) -> Option<Statement> {
    let closed = closings.iter().map(|closing| Closed {
        key: &closing.command.key,
        outcome: closing.outcome,
        code: closing.failure.map(|failure| failure.code),
        text: closing.failure.map(|failure| &failure.text).or(closing.superseded_by.as_ref()),
        vmac_id: closing.vmac.map(|vmac| vmac.id),
    });
    Statement::batch(CLOSE, closed.collect(), args![now])
}

/// The answers to those who asked.
pub(super) fn events_of<'a>(
    closings: &'a [Closing<'a>],
    letters: &'a HashMap<MessageKey, i64>,
    now: DateTime<Utc>,
) -> impl Iterator<Item = EventRow<'a>> {
    closings.iter().map(move |closing| {
        let event = EventOf {
            outcome: closing.outcome,
            server_id: Some(closing.command.server_id),
            ip: Some(closing.command.ip_address),
            vmac: closing.vmac,
            reason: closing.failure.map(Cow::Borrowed),
            superseded_by: closing.superseded_by.clone(),
            answers: Some(closing.command.answered()),
            dead_letter_id: letters.get(&closing.command.key).copied(),
        };
        event_row(event, now)
    })
}

/// Has commands tried at once that wait for one of these addresses to be free.
pub(super) async fn have_waiting_tried(
    tx: &mut Tx,
    released: impl Iterator<Item = BindableAddress>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "UPDATE commands SET due_at_ms = $2 WHERE outcome IS NULL AND vmac_id IS NULL
                   AND ip_address {in}SELECT e.value->>'ip' FROM {rows}{/in}";
    let rows = released.map(|ip| json!({"ip": ip})).collect();
    tx.batch("wake waiting commands", sql, rows, args![at_once_ms(now)]).await.map(|_| ())
}

impl Store {
    /// The outcomes of those of the commands that have one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outcomes(&self, keys: &[MessageKey]) -> Result<HashMap<MessageKey, CommandOutcome>, StoreError> {
        let mut outcomes = HashMap::new();
        if keys.is_empty() {
            return Ok(outcomes);
        }
        let sql = "SELECT message_key, vmac_id, outcome, outcome_code, outcome_text FROM commands
                   WHERE outcome IS NOT NULL AND message_key {in}SELECT e.value->>'key' FROM {rows}{/in}";
        let batch = batch_arg(keys.iter().map(|key| json!({"key": key})).collect());
        for row in self.engine.read("read outcomes", sql, vec![batch]).await? {
            if let Some(outcome) = CommandOutcome::from_row(&row)? {
                outcomes.insert(MessageKey(row.get("message_key")?), outcome);
            }
        }
        Ok(outcomes)
    }
}

/// Those of the messages, each a key with the hash of its content, that commands came with: the same key with another
/// content is none of them.
pub(super) async fn known_commands<'a>(
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
pub(super) async fn open_commands_of(
    tx: &mut Tx,
    rows: impl Iterator<Item = i64>,
) -> Result<Vec<OpenCommand>, StoreError> {
    // By the rows' own index: the one of all open commands, which `outcome IS NULL` would offer, is long in a burst.
    let sql = [
        "SELECT ",
        COLUMNS,
        " FROM commands WHERE COALESCE(outcome, 'open') = 'open'
         AND vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in} ORDER BY message_key {for_update}",
    ]
    .concat();
    let rows = tx.batch("read open commands", &sql, rows.map(|id| json!({"id": id})).collect(), Vec::new()).await?;
    rows.iter().map(OpenCommand::from_row).collect()
}

/// Reads and locks rows by their ids, in one order for all, so that two transactions do not stand in each
/// other's way.
pub(super) async fn lock_vmacs(tx: &mut Tx, ids: Vec<serde_json::Value>) -> Result<HashMap<i64, Vmac>, StoreError> {
    let sql = "SELECT * FROM virtual_macs WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}
               ORDER BY id {for_update}";
    let rows = tx.batch("lock rows", sql, ids, Vec::new()).await?;
    rows.iter().map(|row| Vmac::from_row(row).map(|vmac| (vmac.id, vmac))).collect()
}
