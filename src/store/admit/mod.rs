//! Taking commands in: one transaction and a constant number of statements for a whole group.
//!
//! `decide` is pure: from what the database holds to what each command gets and what is written.
//! `read` locks and reads, `choice` finds MACs, `write` carries the decision out (`inbox` its part of it); the unique indexes have the last word about
//! MACs and addresses, and what they refuse is decided again.
//!
//! Two workers that take in commands for the same (server, address) wait for each other at its row of
//! `intents`, so the newest intent wins whatever the order.

mod choice;
mod decide;
mod inbox;
mod read;
mod write;

use chrono::{DateTime, Utc};
use rand::Rng;

use super::commands::CommandOutcome;
use super::connect::Store;
use super::error::StoreError;
use crate::domain::{Command, Failure, MessageKey, SwitchName};

/// Transactions that stood in each other's way are run again so often.
const CLASHES_MAX: u32 = 5;

/// A command to be taken in.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its idempotency key.
    pub key: MessageKey,
    /// The message's id, if the producer gave one.
    pub message_id: Option<String>,
    /// What is asked for.
    pub command: Command,
    /// The time of issue that counts, milliseconds since 1970.
    pub issued_at_ms: i64,
    /// The body as it came.
    pub body: Vec<u8>,
    /// A hash of routing key and body: the same key must come with the same.
    pub body_hash: String,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's trace.
    pub traceparent: Option<String>,
    /// Which replay it is; 0 for none.
    pub replay_number: i64,
    /// Attempts so far.
    pub attempt: i64,
}

/// What became of a command that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Its row waits for these switches.
    Work {
        /// The row.
        vmac_id: i64,
        /// The switches.
        switches: Vec<SwitchName>,
    },
    /// It has its outcome; an event says so.
    Done {
        /// The outcome.
        outcome: CommandOutcome,
    },
    /// It cannot be done.
    Refused {
        /// Why.
        failure: Failure,
    },
    /// Not now.
    Deferred {
        /// Why.
        failure: Failure,
    },
}

impl Store {
    /// Takes a group of commands in, and answers for each, in their order.
    ///
    /// `rng` draws the MACs from the store's pools; one that is taken is drawn again.
    ///
    /// # Errors
    /// When the database fails; nothing was taken in then.
    pub async fn admit(&self, group: &[Incoming], rng: &mut impl Rng) -> Result<Vec<Admission>, StoreError> {
        let mut clashes = 0;
        loop {
            match self.admit_once(group, rng).await {
                Err(error) if error.is_clash() && clashes < CLASHES_MAX => clashes += 1,
                result => return result,
            }
        }
    }

    async fn admit_once(&self, group: &[Incoming], rng: &mut impl Rng) -> Result<Vec<Admission>, StoreError> {
        let now: DateTime<Utc> = self.now().await?;
        let mut tx = self.engine.begin("take commands in").await?;
        let firsts = first_of_each_key(group);
        let mut world = read::read(&mut tx, &firsts, now).await?;
        let mut decision = decide::decide(&firsts, &mut world, now);
        write::allocate(&mut tx, &mut decision, &mut world, &self.pools, rng, now).await?;
        write::write(&mut tx, &firsts, &decision, &world, now).await?;
        tx.commit("take commands in").await?;
        Ok(group.iter().map(|incoming| decision.admission(incoming, &world)).collect())
    }
}

/// One command for each key: a message that stands twice in a group is one command.
fn first_of_each_key(group: &[Incoming]) -> Vec<&Incoming> {
    let mut seen = std::collections::HashSet::new();
    group.iter().filter(|incoming| seen.insert(&incoming.key)).collect()
}
