//! The answer to each command, once its group is decided and written.

use chrono::{DateTime, Utc};

use super::decision::Wait;
use super::decision::{CommandVerdict, Decision, place};
use super::incoming::{Admission, Answers, Incoming};
use super::read::Snapshot;
use crate::domain::{Code, Command, Failure, IntentOrder, MessageKey};
use crate::store::commands::outcome::{CommandOutcome, Outcome};
use crate::store::commands::row::CommandRow;
use crate::store::database::error::StoreError;
use crate::store::dead_letters::keep::DeadLetter;
use crate::store::vmacs::Vmac;

impl Decision {
    /// The answer to one command of the round.
    ///
    /// # Errors
    /// [`StoreError::NoAnswer`] where there is none, so that nothing of the group is acknowledged.
    pub fn admission(&self, incoming: &Incoming, snapshot: &Snapshot) -> Result<Admission, StoreError> {
        let known = snapshot.commands.get(&incoming.key).ok_or(NONE)?;
        if !snapshot.is_command(incoming) {
            return Ok(Admission::Refused { failure: reused(incoming) });
        }
        Ok(match self.verdicts.get(&incoming.key).ok_or(NONE)? {
            CommandVerdict::Failed(failure) => Admission::Refused { failure: failure.clone() },
            CommandVerdict::Waits(Wait { failure, .. }) | CommandVerdict::StillWaits(failure) => {
                Admission::Waits { failure: failure.clone() }
            }
            CommandVerdict::Answered => answered(known.outcome.as_ref().ok_or(NONE)?),
            CommandVerdict::OnRow => {
                on_row(snapshot.live.get(&incoming.command.ip_address).ok_or(NONE)?, &incoming.command)
            }
            CommandVerdict::NothingToRevoke => done(Outcome::Revoked, snapshot.revoked.get(&place(incoming)), None),
            CommandVerdict::Superseded(newer) => superseded(snapshot.live.get(&place(incoming).1), newer),
        })
    }

    /// The open commands that this round overtook, with their answers.
    pub fn overtaken(&self, snapshot: &Snapshot) -> Vec<(MessageKey, Admission)> {
        let answer = |(command, newer): &(CommandRow, IntentOrder)| {
            (command.key.clone(), superseded(snapshot.live.get(&command.ip_address), newer))
        };
        self.superseded.iter().map(answer).collect()
    }
}

/// Every command has an answer: a missing one is a bug.
const NONE: StoreError = StoreError::NoAnswer { what: "admit a command" };

/// The answer to a message that may be in the group more than once.
pub(super) fn of_group(incoming: &Incoming, answers: &Answers) -> Result<Admission, StoreError> {
    answers.get(&incoming.content()).cloned().ok_or(NONE)
}

fn reused(incoming: &Incoming) -> Failure {
    let text = format!("{} was used before with another body; publish this one with a new message_id", incoming.key);
    Failure::new(Code::MessageIdReused, text)
}

/// The dead letter of a message with the id of another command.
pub(super) fn letter_of_reused(incoming: &Incoming, now: DateTime<Utc>) -> DeadLetter {
    incoming.letter(&reused(incoming), now)
}

fn superseded(row: Option<&Vmac>, newer: &IntentOrder) -> Admission {
    done(Outcome::Superseded, row, Some(superseded_text(newer)))
}

fn answered(outcome: &CommandOutcome) -> Admission {
    match outcome.failure() {
        Some(failure) => Admission::Refused { failure },
        None => Admission::Done { outcome: outcome.clone() },
    }
}

fn on_row(row: &Vmac, command: &Command) -> Admission {
    match row.is_done_for(command.action, command.server_id) {
        true => done(Outcome::of_success(command.action), Some(row), None),
        false => Admission::Work { vmac_id: row.id, switches: row.switches_waiting() },
    }
}

/// The row that a command of the group drives from now on; none for one that ends at once.
pub(super) fn driven_row<'a>(key: &MessageKey, decision: &Decision, snapshot: &'a Snapshot) -> Option<&'a Vmac> {
    let known = snapshot.commands.get(key).filter(|_| decision.verdicts.get(key) == Some(&CommandVerdict::OnRow))?;
    let command = &known.command;
    snapshot.live.get(&command.ip_address).filter(|row| !row.is_done_for(command.action, command.server_id))
}

fn done(status: Outcome, row: Option<&Vmac>, text: Option<String>) -> Admission {
    Admission::Done { outcome: CommandOutcome { status, vmac_id: row.map(|row| row.id), code: None, text } }
}

/// The sentence for a superseded command, naming the newer one.
pub(super) fn superseded_text(newer: &IntentOrder) -> String {
    let at = DateTime::from_timestamp_millis(newer.position.moment.ms).unwrap_or_default();
    format!(
        "superseded by {} {}, issued {}",
        newer.action,
        newer.key,
        at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    )
}
