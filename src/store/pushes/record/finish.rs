//! Ends the commands that have nothing left to wait for, each with its event and, where it failed, its dead letter.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::row_after_push::RowAfterPush;
use crate::domain::{Action, BindableAddress, Code, Failure};
use crate::store::commands::close::Closing;
use crate::store::commands::outcome::Outcome;
use crate::store::commands::row::CommandRow;
use crate::store::events::body::{EventOf, EventRow, event_row};
use crate::store::work::leases::Lease;

/// A command that has its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// What it asked for.
    pub action: Action,
    /// How long ago it was first received.
    pub age: Duration,
    /// Why it failed, if it did.
    pub failed: Option<Code>,
}

/// The changes by their rows.
pub(super) type ByRow<'a> = HashMap<i64, &'a RowAfterPush>;

/// Those that may end something.
pub(super) fn may_end(changes: &[RowAfterPush]) -> ByRow<'_> {
    let may_end = |change: &&RowAfterPush| {
        change.is_changed && (change.ended.is_some() || change.vmac.switch_bindings.iter().any(|p| p.leaving))
    };
    changes.iter().filter(may_end).map(|change| (change.vmac.id, change)).collect()
}

/// How the open commands of the changed rows end, of those that do. Pure.
pub(super) fn closings<'a>(commands: &'a [CommandRow], changes: &ByRow<'a>, lease: &'a Lease) -> Vec<Closing<'a>> {
    let closing = |command: &'a CommandRow| {
        let change = *changes.get(&command.vmac_id?)?;
        let outcome = outcome_for(command, change)?;
        let failure = change.failure.as_ref().filter(|_| outcome == Outcome::Failed);
        let (switch, attempts, vmac) = (Some(&lease.switch), change.attempts, Some(&change.vmac));
        Some(Closing { switch, attempts, vmac, ..Closing::of(command, outcome, failure) })
    };
    commands.iter().filter_map(closing).collect()
}

/// The events of rows that changed without anybody waiting for them.
pub(super) fn events_without_command<'a>(
    changes: &ByRow<'a>,
    closings: &[Closing<'_>],
    now: DateTime<Utc>,
) -> impl Iterator<Item = EventRow<'a>> {
    let answered: HashSet<i64> = closings.iter().filter_map(|closing| closing.vmac).map(|vmac| vmac.id).collect();
    let events_without_command: Vec<&RowAfterPush> =
        changes.values().copied().filter(|change| !answered.contains(&change.vmac.id)).collect();
    events_without_command.into_iter().filter_map(move |change| event_of(change, now))
}

/// The addresses that were released.
pub(super) fn released(changes: &ByRow<'_>) -> Vec<BindableAddress> {
    let released = changes.values().filter(|change| change.ended == Some(Outcome::Revoked));
    released.map(|change| change.vmac.ip_address).collect()
}

/// How a command ends by a change of its row; not yet where the row goes on, or wants something else by now.
fn outcome_for(command: &CommandRow, change: &RowAfterPush) -> Option<Outcome> {
    let RowAfterPush { vmac, ended, .. } = change;
    match ended {
        Some(Outcome::Failed) => vmac.still_wants(command.action, command.server_id).then_some(Outcome::Failed),
        _ => vmac.is_done_for(command.action, command.server_id).then(|| Outcome::of_success(command.action)),
    }
}

/// The event of a row that changed without anybody waiting for it.
fn event_of(change: &RowAfterPush, now: DateTime<Utc>) -> Option<EventRow<'_>> {
    let failed = |_: &&Failure| change.ended == Some(Outcome::Failed);
    let event = EventOf {
        outcome: change.ended?,
        server_id: Some(change.vmac.server_id),
        ip: Some(change.vmac.ip_address),
        vmac: Some(&change.vmac),
        reason: change.failure.as_ref().filter(failed).map(Cow::Borrowed),
        superseded_by: None,
        answers: None,
        dead_letter_id: None,
    };
    Some(event_row(event, now))
}

/// What the worker counts for a command that ended.
pub(super) fn finished(closing: &Closing<'_>, now: DateTime<Utc>) -> Finished {
    let command = closing.command;
    let age = (now - command.received_at).to_std().unwrap_or_default();
    Finished { action: command.action, age, failed: closing.failure.map(|failure| failure.code) }
}
