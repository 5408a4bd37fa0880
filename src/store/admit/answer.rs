//! What each command is answered, once everything about its group is decided and written.

use chrono::DateTime;

use super::decide::{Decision, Verdict, place};
use super::read::World;
use super::{Admission, Answers, Incoming};
use crate::domain::{Code, Command, Failure, FailureClass, IntentOrder, MessageKey};
use crate::store::commands::{CommandOutcome, OpenCommand, Outcome};
use crate::store::vmacs::Vmac;

impl Decision {
    /// The answer to one command of the round.
    pub fn admission(&self, incoming: &Incoming, world: &World) -> Admission {
        let Some(known) = world.inbox.get(&incoming.key) else {
            return defer("it did not reach the inbox");
        };
        if !world.is_command(incoming) {
            return reused(incoming);
        }
        match self.verdicts.get(&incoming.key) {
            Some(Verdict::Failed(failure)) if is_for_now(failure) => Admission::NotNow { failure: failure.clone() },
            Some(Verdict::Failed(failure)) => Admission::Refused { failure: failure.clone() },
            Some(Verdict::Answered) => answered(known.outcome.as_ref()),
            Some(Verdict::OnRow) => on_row(world.live.get(&incoming.command.ip_address), &incoming.command),
            Some(Verdict::NothingToRevoke) => done(Outcome::Revoked, world.revoked.get(&place(incoming)), None),
            Some(Verdict::Superseded(newer)) => superseded(world.live.get(&place(incoming).1), newer),
            None => defer("its group held another message with the same id"),
        }
    }

    /// The open commands that this round overtook, with their answers.
    pub fn overtaken(&self, world: &World) -> Vec<(MessageKey, Admission)> {
        let answer = |(command, newer): &(OpenCommand, IntentOrder)| {
            (command.key.clone(), superseded(world.live.get(&command.ip_address), newer))
        };
        self.superseded.iter().map(answer).collect()
    }
}

/// The answer to a message that may be in the group more than once.
pub(super) fn of_group(incoming: &Incoming, answers: &Answers) -> Admission {
    answers.get(&incoming.content()).cloned().unwrap_or_else(|| defer("its group did not reach it"))
}

fn reused(incoming: &Incoming) -> Admission {
    let text =
        format!("{} was used before with another body; publish this one with a message_id of its own", incoming.key);
    Admission::Refused { failure: Failure::new(Code::MessageIdReused, text) }
}

fn superseded(row: Option<&Vmac>, newer: &IntentOrder) -> Admission {
    done(Outcome::Superseded, row, Some(superseded_text(newer)))
}

fn defer(text: &str) -> Admission {
    Admission::NotNow { failure: Failure::new(Code::DatabaseTrouble, text) }
}

/// True when the same command may be done another time.
pub(super) fn is_for_now(failure: &Failure) -> bool {
    matches!(failure.class(), FailureClass::Deferred | FailureClass::Transient)
}

fn answered(outcome: Option<&CommandOutcome>) -> Admission {
    let Some(outcome) = outcome else { return defer("its outcome is not known yet") };
    match outcome.failure() {
        Some(failure) => Admission::Refused { failure },
        None => Admission::Done { outcome: outcome.clone() },
    }
}

fn on_row(row: Option<&Vmac>, command: &Command) -> Admission {
    let Some(row) = row else { return defer("its row is gone") };
    match row.is_done_for(command.action, command.server_id) {
        true => done(Outcome::of_success(command.action), Some(row), None),
        false => Admission::Work { vmac_id: row.id, switches: row.switches_waiting() },
    }
}

/// The row that a command of the group drives from now on; none for one that ends at once.
pub(super) fn driven_row<'a>(key: &MessageKey, decision: &Decision, world: &'a World) -> Option<&'a Vmac> {
    let known = world.inbox.get(key).filter(|_| decision.verdicts.get(key) == Some(&Verdict::OnRow))?;
    let command = &known.command;
    world.live.get(&command.ip_address).filter(|row| !row.is_done_for(command.action, command.server_id))
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
