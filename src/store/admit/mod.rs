//! Taking commands in: one transaction for a whole group, and a constant number of statements for as many commands as there
//! are addresses in it. What a command comes to does not depend on how commands were grouped.
//!
//! `decide` is pure, and so is `change`: from what the database holds to what each command gets and what is written.
//! `read` locks and reads, `choice` finds MACs, `allocate` makes rows with them and `rotate` gives rows others, `write` carries the
//! rest out (`inbox` its part of it); `rehearse` takes it all back; the unique indexes have the last word about
//! MACs and addresses, and what they refuse is decided again.
//!
//! Two workers that take in commands for the same (server, address) wait for each other at its row of
//! `intents`, so the newest intent wins whatever the order. There a command gets its place in the order of all
//! commands, which it keeps in `commands` (decision 0022).

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
use crate::domain::{Arrival, Command, Failure, Issued, MessageKey, Pools, SwitchName};
pub(super) use read::LOCK_INTENTS;
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
    /// When it was issued.
    pub issued: Issued,
    /// How its message arrived. The commands of a group are in the order of arrival.
    pub arrival: Arrival,
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

/// What each message of a group got, by its content.
type Answers<'a> = HashMap<(&'a MessageKey, &'a str), Admission>;

impl Incoming {
    /// What tells it from the other messages of a group.
    fn content(&self) -> (&MessageKey, &str) {
        (&self.key, &self.body_hash)
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
    let (mut answers, mut drawn) = (Answers::new(), Vec::new());
    let rounds = rounds(group);
    if rounds.len() > 1 {
        read::lock_all(tx, &rounds).await?;
    }
    for round in rounds {
        let mut world = read::read(tx, &round, now).await?;
        let commands: Vec<&Incoming> = round.iter().copied().filter(|message| world.is_command(message)).collect();
        let mut decision = decide::decide(&commands, &mut world, now);
        drawn.extend(allocate::allocate(tx, &mut decision, &mut world, pools, rng, now).await?);
        drawn.extend(rotate::rotate(tx, &mut decision, &mut world, pools, rng, now).await?);
        write::write(tx, &commands, &decision, &world, now).await?;
        // A command of an earlier round that this one overtook has its outcome.
        let overtaken: HashMap<_, _> = decision.overtaken(&world).into_iter().collect();
        for ((key, _), answer) in &mut answers {
            if let (Admission::Work { .. }, Some(now)) = (&answer, overtaken.get(*key)) {
                *answer = now.clone();
            }
        }
        answers.extend(round.iter().map(|message| (message.content(), decision.admission(message, &world))));
    }
    let admissions = group.iter().map(|incoming| answer::of_group(incoming, &answers)).collect();
    Ok(TakenIn { admissions, drawn })
}

/// Each message once, in rounds: those for one address come one after another, as if each had come alone. Of those with
/// one key the first is never behind another, because it makes the command.
fn rounds(group: &[Incoming]) -> Vec<Vec<&Incoming>> {
    let (mut of_address, mut of_key, mut rounds) = (HashMap::new(), HashMap::new(), Vec::<Vec<&Incoming>>::new());
    for incoming in without_copies(group) {
        let next: &mut usize = of_address.entry(incoming.command.ip_address).or_default();
        let latest: &mut usize = of_key.entry(&incoming.key).or_default();
        let round = (*next).max(*latest);
        (*next, *latest) = (round + 1, round);
        rounds.resize_with(rounds.len().max(round + 1), Vec::new);
        rounds[round].push(incoming);
    }
    rounds
}

/// Each message once, in their order; of copies the latest replay. Two contents under one key are two messages.
fn without_copies(group: &[Incoming]) -> Vec<&Incoming> {
    let mut places = HashMap::new();
    let mut messages: Vec<&Incoming> = Vec::with_capacity(group.len());
    for incoming in group {
        let place = *places.entry(incoming.content()).or_insert(messages.len());
        match messages.get_mut(place) {
            Some(known) if known.replay_number < incoming.replay_number => *known = incoming,
            Some(_) => {}
            None => messages.push(incoming),
        }
    }
    messages
}
