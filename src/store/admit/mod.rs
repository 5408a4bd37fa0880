//! Taking commands in: one transaction and a constant number of statements for a whole group.
//!
//! `decide` is pure, and so is `change`: from what the database holds to what each command gets and what is written.
//! `read` locks and reads, `choice` finds MACs, `allocate` makes rows with them and `rotate` gives rows others, `write` carries the
//! rest out (`inbox` its part of it); `rehearse` takes it all back; the unique indexes have the last word about
//! MACs and addresses, and what they refuse is decided again.
//!
//! Two workers that take in commands for the same (server, address) wait for each other at its row of
//! `intents`, so the newest intent wins whatever the order.

mod allocate;
mod answer;
mod change;
mod choice;
mod decide;
mod inbox;
mod read;
mod rehearse;
mod rotate;
mod write;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rand::Rng;

use super::commands::CommandOutcome;
use super::connect::Store;
use super::engine::Tx;
use super::error::StoreError;
use crate::domain::{Command, Failure, MessageKey, Pools, SwitchName};
pub use rehearse::Rehearsal;

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
    /// Not now; the failure's class says whether it costs an attempt.
    NotNow {
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
        let taken = take_in(&mut tx, group, &self.pools, rng, now).await?;
        tx.commit("take commands in").await?;
        Ok(taken.admissions)
    }
}

/// A group that was taken in, in a transaction that is yet to be committed.
struct TakenIn {
    admissions: Vec<Admission>,
    /// The rows made with a MAC that was drawn.
    drawn: Vec<i64>,
}

async fn take_in(
    tx: &mut Tx,
    group: &[Incoming],
    pools: &Pools,
    rng: &mut impl Rng,
    now: DateTime<Utc>,
) -> Result<TakenIn, StoreError> {
    let messages = without_copies(group);
    let mut world = read::read(tx, &messages, now).await?;
    let commands: Vec<&Incoming> = messages.into_iter().filter(|message| world.is_command(message)).collect();
    let mut decision = decide::decide(&commands, &mut world, now);
    let mut drawn = allocate::allocate(tx, &mut decision, &mut world, pools, rng, now).await?;
    drawn.extend(rotate::rotate(tx, &mut decision, &mut world, pools, rng, now).await?);
    write::write(tx, &commands, &decision, &world, now).await?;
    let admissions = group.iter().map(|incoming| decision.admission(incoming, &world)).collect();
    Ok(TakenIn { admissions, drawn })
}

/// Each message once, in their order; of copies the latest replay. Two contents under one key are two messages.
fn without_copies(group: &[Incoming]) -> Vec<&Incoming> {
    let mut places = HashMap::new();
    let mut messages: Vec<&Incoming> = Vec::with_capacity(group.len());
    for incoming in group {
        let place = *places.entry((&incoming.key, &incoming.body_hash)).or_insert(messages.len());
        match messages.get_mut(place) {
            Some(known) if known.replay_number < incoming.replay_number => *known = incoming,
            Some(_) => {}
            None => messages.push(incoming),
        }
    }
    messages
}
