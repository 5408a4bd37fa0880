//! Closing commands: each gets its outcome, its event and, where it failed, its dead letter.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::domain::{BindableAddress, Code, Failure, MessageKey, SwitchName};
use crate::store::commands::outcome::Outcome;
use crate::store::commands::row::CommandRow;
use crate::store::database::clock::at_once_ms;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::{Statement, Tx};
use crate::store::dead_letters::bury::{Burial, bury};
use crate::store::events::body::{EventOf, EventRow, event_row};
use crate::store::events::unpublished::write_events;
use crate::store::vmacs::Vmac;

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
pub(in crate::store) struct Closing<'a> {
    pub command: &'a CommandRow,
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
    pub fn of(command: &'a CommandRow, outcome: Outcome, failure: Option<&'a Failure>) -> Self {
        Self { command, outcome, vmac: None, failure, superseded_by: None, switch: None, attempts: command.attempts }
    }
}

/// Closes commands: one event for each, and one dead letter for each that failed.
pub(in crate::store) async fn close(
    tx: &mut Tx,
    closings: &[Closing<'_>],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let letters = bury_failed(tx, closings, now).await?;
    tx.together("close commands", [close_statement(closings, now)]).await?;
    write_events(tx, events_of(closings, &letters, now).collect(), now).await
}

/// Writes the dead letters of those that failed, and returns their numbers.
pub(in crate::store) async fn bury_failed(
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
pub(in crate::store) fn close_statement(closings: &[Closing<'_>], now: DateTime<Utc>) -> Option<Statement> {
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
pub(in crate::store) fn events_of<'a>(
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
pub(in crate::store) async fn have_waiting_tried(
    tx: &mut Tx,
    released: impl Iterator<Item = BindableAddress>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "UPDATE commands SET due_at_ms = $2 WHERE outcome IS NULL AND vmac_id IS NULL
                   AND ip_address {in}SELECT e.value->>'ip' FROM {rows}{/in}";
    let rows = released.map(|ip| json!({"ip": ip})).collect();
    tx.batch("wake waiting commands", sql, rows, args![at_once_ms(now)]).await.map(|_| ())
}
