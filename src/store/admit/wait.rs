//! How commands wait that cannot be done now. Pure.

use std::time::Duration;

use super::decision::{CommandVerdict, Decision, Wait};
use super::incoming::Incoming;
use super::read::{KnownCommand, Snapshot};
use crate::domain::{Failure, FailureClass, RetryPolicy};
use crate::store::commands::row::CommandRow;

impl Decision {
    /// Of the commands that cannot be done, has those wait that may be done later, unless they did so for too long.
    pub fn let_wait(&mut self, commands: &[&Incoming], snapshot: &Snapshot, policy: &RetryPolicy) {
        for incoming in commands {
            if let (Some(verdict), Some(known)) =
                (self.verdicts.get_mut(&incoming.key), snapshot.commands.get(&incoming.key))
                && let CommandVerdict::Failed(failure) = verdict
            {
                *verdict = match is_copy(incoming, known) && failure.class() != FailureClass::Permanent {
                    true => CommandVerdict::StillWaits(failure.clone()),
                    false => wait_or_fail(failure, &known.command, policy),
                };
            }
        }
    }
}

/// The message came once more while its command waits.
fn is_copy(incoming: &Incoming, known: &KnownCommand) -> bool {
    !known.is_new && known.outcome.is_none() && !incoming.arrival.is_kept
}

fn wait_or_fail(failure: &Failure, command: &CommandRow, policy: &RetryPolicy) -> CommandVerdict {
    let attempts = command.attempts + 1;
    let waited = Duration::from_millis(command.waited_ms.unsigned_abs());
    let over = policy.end_of_attempts(failure, attempts).or_else(|| policy.end_of_waiting(failure, waited));
    if let Some(failure) = over {
        return CommandVerdict::Failed(failure);
    }
    let delay = match failure.class() {
        FailureClass::Deferred => policy.deferral(waited),
        FailureClass::Transient | FailureClass::Permanent => policy.delay(attempts),
    };
    CommandVerdict::Waits(Wait { failure: failure.clone(), attempts, waited: waited + delay, delay })
}
