//! What each command is answered, once everything about its group is decided and written.

use chrono::DateTime;

use super::decide::{Decision, Verdict, place};
use super::read::World;
use super::{Admission, Incoming};
use crate::domain::{Code, Command, Failure, FailureClass, IntentOrder, MessageKey};
use crate::store::commands::{CommandOutcome, Outcome};
use crate::store::vmacs::Vmac;

impl Decision {
    /// The answer to one command, which may stand in the group more than once.
    pub fn admission(&self, incoming: &Incoming, world: &World) -> Admission {
        let Some(known) = world.inbox.get(&incoming.key) else {
            return defer("it did not reach the inbox");
        };
        if !world.is_command(incoming) {
            let text = format!(
                "{} was used before with another body; publish this one with a message_id of its own",
                incoming.key
            );
            return Admission::Refused { failure: Failure::new(Code::MessageIdReused, text) };
        }
        match self.verdicts.get(&incoming.key) {
            Some(Verdict::Failed(failure)) if is_for_now(failure) => Admission::NotNow { failure: failure.clone() },
            Some(Verdict::Failed(failure)) => Admission::Refused { failure: failure.clone() },
            Some(Verdict::Answered) => answered(known.outcome.as_ref()),
            Some(Verdict::OnRow) => on_row(world.live.get(&incoming.command.ip_address), &incoming.command),
            Some(Verdict::NothingToRevoke) => done(Outcome::Revoked, world.revoked.get(&place(incoming)), None),
            Some(Verdict::Superseded(newer)) => {
                done(Outcome::Superseded, world.live.get(&place(incoming).1), Some(superseded_text(newer)))
            }
            None => defer("its group held another message with the same id"),
        }
    }
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
    let at = DateTime::from_timestamp_millis(newer.issued_at_ms).unwrap_or_default();
    format!(
        "superseded by {} {}, issued {}",
        newer.action,
        newer.key,
        at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    )
}
