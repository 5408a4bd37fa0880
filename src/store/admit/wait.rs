//! How commands wait that cannot be done now. Pure.

use std::time::Duration;

use super::Incoming;
use super::decide::{Decision, Verdict};
use super::read::{Known, World};
use crate::domain::{Failure, FailureClass, RetryPolicy};
use crate::store::commands::OpenCommand;

/// How a command waits in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wait {
    pub failure: Failure,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// For how long it will have been made to wait when it is tried again.
    pub waited: Duration,
    /// How long from now that is.
    pub delay: Duration,
}

impl Decision {
    /// Of the commands that cannot be done, has those wait that may be done later, unless they did so for too long.
    pub fn let_wait(&mut self, commands: &[&Incoming], world: &World, policy: &RetryPolicy) {
        for incoming in commands {
            if let (Some(verdict), Some(known)) = (self.verdicts.get_mut(&incoming.key), world.inbox.get(&incoming.key))
                && let Verdict::Failed(failure) = verdict
            {
                *verdict = match is_copy(incoming, known) && failure.class() != FailureClass::Permanent {
                    true => Verdict::StillWaits(failure.clone()),
                    false => wait_or_fail(failure, &known.command, policy),
                };
            }
        }
    }
}

/// The message came once more while its command waits.
fn is_copy(incoming: &Incoming, known: &Known) -> bool {
    !known.is_new && known.outcome.is_none() && !incoming.arrival.is_kept
}

fn wait_or_fail(failure: &Failure, command: &OpenCommand, policy: &RetryPolicy) -> Verdict {
    let attempts = command.attempts + 1;
    let waited = Duration::from_millis(command.waited_ms.unsigned_abs());
    let over = policy.end_of_attempts(failure, attempts).or_else(|| policy.end_of_waiting(failure, waited));
    if let Some(failure) = over {
        return Verdict::Failed(failure);
    }
    let delay = match failure.class() {
        FailureClass::Deferred => policy.deferral(waited),
        FailureClass::Transient | FailureClass::Permanent => policy.delay(attempts),
    };
    Verdict::Waits(Wait { failure: failure.clone(), attempts, waited: waited + delay, delay })
}
