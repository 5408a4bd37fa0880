//! The group's commands in the inbox: new ones with the row that they drive, known ones brought up to date.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Incoming;
use super::answer::driven_row;
use super::decide::{Decision, position};
use super::read::World;
use crate::domain::{Action, BindableAddress, MessageKey, Position};
use crate::store::engine::{Tx, args};
use crate::store::error::StoreError;

/// Writes them. A key that another worker wrote meanwhile, for another address (those of one address wait for each
/// other), breaks the transaction, which is run again and knows it then.
pub(super) async fn write(
    tx: &mut Tx,
    group: &[&Incoming],
    decision: &Decision,
    world: &World,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let is_new = |incoming: &&&Incoming| world.inbox.get(&incoming.key).is_some_and(|known| known.is_new);
    let row = |incoming| InboxRow::of(incoming, decision, world);
    let (new, known): (Vec<_>, Vec<_>) = group.iter().partition(is_new);
    let (new, known) = (new.into_iter().map(row).collect(), known.into_iter().map(row).collect::<Vec<_>>());
    let sql = "INSERT INTO commands (message_key, message_id, action, server_id, ip_address, issued_at_ms, issued_rank,
            arrival, body_hash, body, correlation_id, traceparent, replay_number, attempts, vmac_id, due_at_ms, received_at)
        SELECT e.value->>'key', e.value->>'message_id', e.value->>'action', CAST(e.value->>'server_id' AS BIGINT),
            e.value->>'ip', CAST(e.value->>'issued_at_ms' AS BIGINT), CAST(e.value->>'issued_rank' AS BIGINT),
            CAST(e.value->>'arrival' AS BIGINT), e.value->>'body_hash',
            {unhex}e.value->>'body'{/unhex}, e.value->>'correlation_id', e.value->>'traceparent',
            CAST(e.value->>'replay' AS BIGINT), CAST(e.value->>'attempts' AS BIGINT),
            CAST(e.value->>'vmac_id' AS BIGINT), $3, $2
        FROM {rows} WHERE true ORDER BY e.value->>'key'";
    tx.batch("write the inbox", sql, new, args![now, now.timestamp_millis()]).await?;
    let sql = "UPDATE commands SET due_at_ms = $2, attempts = CASE
            WHEN attempts > CAST(e.value->>'attempts' AS BIGINT) THEN attempts
            ELSE CAST(e.value->>'attempts' AS BIGINT) END
        FROM {rows} WHERE commands.message_key = e.value->>'key'";
    tx.batch("note what came again", sql, known.clone(), args![now.timestamp_millis()]).await?;
    let going_on = known.into_iter().filter(|row| row.vmac_id.is_some()).collect();
    let sql = "UPDATE commands SET vmac_id = CAST(e.value->>'vmac_id' AS BIGINT), outcome = NULL, outcome_code = NULL,
            outcome_text = NULL, finished_at = NULL
        FROM {rows} WHERE commands.message_key = e.value->>'key'";
    tx.batch("tie commands to rows", sql, going_on, Vec::new()).await.map(|_| ())
}

/// A row of the batches above.
#[derive(Clone, Serialize)]
struct InboxRow<'a> {
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
    replay: i64,
    attempts: i64,
    vmac_id: Option<i64>,
}

impl<'a> InboxRow<'a> {
    fn of(incoming: &'a Incoming, decision: &Decision, world: &World) -> Self {
        let command = &incoming.command;
        let Position { moment, arrival } = position(incoming, world);
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
            replay: incoming.replay_number,
            attempts: incoming.attempt,
            vmac_id: driven_row(&incoming.key, decision, world).map(|row| row.id),
        }
    }
}
