//! The group's rows of `commands`: new ones with the row that they drive, known ones brought up to date.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::answer::driven_row;
use super::decide::position;
use super::decision::{CommandVerdict, Decision};
use super::incoming::Incoming;
use super::read::Snapshot;
use crate::domain::{Action, BindableAddress, MessageKey, Position};
use crate::store::database::clock::millis;
use crate::store::database::engine::args;
use crate::store::database::tx::Statement;

/// What writes them: new ones, and known ones that go on. A key that another worker wrote meanwhile, for another address
/// (those of one address wait for each other), breaks the transaction, which is run again and knows it then.
pub(super) fn statements(
    group: &[&Incoming],
    decision: &Decision,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> [Option<Statement>; 2] {
    let is_new = |incoming: &&&Incoming| snapshot.commands.get(&incoming.key).is_some_and(|known| known.is_new);
    let row = |incoming| CommandToWrite::of(incoming, decision, snapshot, now);
    let (new, known): (Vec<_>, Vec<_>) = group.iter().partition(is_new);
    let (new, known) =
        (new.into_iter().map(row).collect(), known.into_iter().map(row).collect::<Vec<CommandToWrite>>());
    let insert =
        "INSERT INTO commands (message_key, message_id, action, server_id, ip_address, issued_at_ms, issued_rank,
            arrival, body_hash, body, correlation_id, traceparent, headers, message_identity, sent_timestamp,
            stamped_at_ms, replay_number, attempts, waited_ms, vmac_id, due_at_ms, received_at)
        SELECT e.value->>'key', e.value->>'message_id', e.value->>'action', CAST(e.value->>'server_id' AS BIGINT),
            e.value->>'ip', CAST(e.value->>'issued_at_ms' AS BIGINT), CAST(e.value->>'issued_rank' AS BIGINT),
            CAST(e.value->>'arrival' AS BIGINT), e.value->>'body_hash',
            {unhex}e.value->>'body'{/unhex}, e.value->>'correlation_id', e.value->>'traceparent', e.value->'headers',
            e.value->>'message_identity', CAST(e.value->>'timestamp' AS BIGINT),
            CAST(e.value->>'stamped_at_ms' AS BIGINT), CAST(e.value->>'replay' AS BIGINT),
            CAST(e.value->>'attempts' AS BIGINT), CAST(e.value->>'waited_ms' AS BIGINT),
            CAST(e.value->>'vmac_id' AS BIGINT), CAST(e.value->>'due_at_ms' AS BIGINT), $2
        FROM {rows} WHERE true ORDER BY e.value->>'key'";
    let going_on = known.into_iter().filter(|row| row.goes_on).collect();
    let go_on = "UPDATE commands SET vmac_id = COALESCE(CAST(e.value->>'vmac_id' AS BIGINT), vmac_id), outcome = NULL, outcome_code = NULL,
            outcome_text = NULL, finished_at = NULL, message_identity = e.value->>'message_identity',
            headers = e.value->'headers', replay_number = CAST(e.value->>'replay' AS BIGINT),
            attempts = CAST(e.value->>'attempts' AS BIGINT), waited_ms = CAST(e.value->>'waited_ms' AS BIGINT),
            due_at_ms = CAST(e.value->>'due_at_ms' AS BIGINT)
        FROM {rows} WHERE commands.message_key = e.value->>'key'
            AND commands.message_key {in}SELECT e.value->>'key' FROM {rows}{/in}";
    [Statement::batch(insert, new, args![now]), Statement::batch(go_on, going_on, Vec::new())]
}

/// A row of the batches above.
#[derive(Serialize)]
struct CommandToWrite<'a> {
    key: &'a MessageKey,
    message_id: Option<&'a str>,
    action: Action,
    server_id: i64,
    ip: BindableAddress,
    issued_at_ms: i64,
    issued_rank: i64,
    arrival: i64,
    body_hash: &'a str,
    body: String,
    correlation_id: Option<&'a str>,
    traceparent: Option<&'a str>,
    headers: &'a Value,
    message_identity: &'a str,
    timestamp: Option<i64>,
    stamped_at_ms: Option<i64>,
    replay: i64,
    attempts: i64,
    waited_ms: i64,
    due_at_ms: i64,
    /// It is not just answered again.
    goes_on: bool,
    vmac_id: Option<i64>,
}

impl<'a> CommandToWrite<'a> {
    fn of(incoming: &'a Incoming, decision: &Decision, snapshot: &Snapshot, now: DateTime<Utc>) -> Self {
        let command = &incoming.command;
        let verdict = decision.verdicts.get(&incoming.key);
        let wait = match verdict {
            Some(CommandVerdict::Waits(wait)) => Some(wait),
            _ => None,
        };
        let Position { moment, arrival } = position(incoming, snapshot);
        Self {
            key: &incoming.key,
            message_id: incoming.message_id.as_deref(),
            action: command.action,
            server_id: command.server_id,
            ip: command.ip_address,
            issued_at_ms: moment.ms,
            issued_rank: moment.rank,
            arrival,
            body_hash: &incoming.body_hash,
            body: hex::encode(&incoming.body),
            correlation_id: incoming.correlation_id.as_deref(),
            traceparent: incoming.traceparent.as_deref(),
            headers: &incoming.headers,
            message_identity: &incoming.message_identity,
            timestamp: incoming.timestamp,
            stamped_at_ms: incoming.stamped_at_ms,
            replay: incoming.replay_number,
            attempts: wait.map_or(0, |wait| wait.attempts),
            waited_ms: wait.map_or(0, |wait| millis(wait.waited)),
            due_at_ms: now.timestamp_millis() + wait.map_or(0, |wait| millis(wait.delay)),
            goes_on: !matches!(verdict, Some(CommandVerdict::Answered | CommandVerdict::StillWaits(_))),
            vmac_id: driven_row(&incoming.key, decision, snapshot).map(|row| row.id),
        }
    }
}
