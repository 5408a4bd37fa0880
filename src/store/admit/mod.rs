//! Admitting commands: one transaction for a whole group, and a constant number of statements for as many commands as there
//! are addresses in it. The outcome of a command does not depend on how commands are grouped.
//!
//! `decide` is pure, and so is `change`: from what the database holds to what each command gets and what is written.
//! `read` locks and reads, `choice` finds MACs, `allocate` makes rows with them and `rotate` gives rows others, `write` writes
//! the rest (`write_commands` the rows of `commands`); `rehearse` rolls everything back. The unique indexes decide about MACs
//! and addresses, and what they refuse is decided again.
//!
//! Two workers that admit commands for the same (server, address) wait for each other at its row of
//! `intents`, so the newest intent wins whatever the order. There a command gets its place in the order of all
//! commands, which it keeps in `commands` (decision 0022).

mod allocate;
mod answer;
mod change;
mod choice;
mod decide;
mod decision;
pub(in crate::store) mod fence;
mod incoming;
mod read;
mod refuse;
mod rehearse;
mod rotate;
mod wait;
mod write;
mod write_commands;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use rand::Rng;

use crate::store::admit::fence::Fence;
use crate::store::database::clash::again_on_clash;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::dead_letters::keep::{DeadLetter, count_copies, keep_all};
use crate::store::parts::Intake;
use incoming::Answers;
pub use incoming::{Admission, Incoming, IntakeBatch};
pub(super) use read::LOCK_INTENTS;
pub use rehearse::Rehearsal;

impl Intake<'_> {
    /// Admits a group of commands, and returns what became of each, in their order.
    ///
    /// Its messages draw the MACs; `rng` says from where on a pool is searched that is nearly full.
    ///
    /// # Errors
    /// When the database fails; nothing was admitted then.
    pub async fn admit(self, group: &[Incoming], rng: &mut impl Rng) -> Result<Vec<Admission>, StoreError> {
        self.admit_again_on_clash(None, group, &[], rng).await
    }

    /// Admits a batch of messages in one transaction, as long as the fence holds: commands, and dead letters of what is not a
    /// command. Returns what became of each command, in their order.
    ///
    /// # Errors
    /// [`StoreError::TurnLost`] where another worker admits messages now, or in another database; or when the database fails. Nothing was
    /// admitted then.
    pub async fn admit_batch(
        self,
        fence: &Fence,
        batch: &IntakeBatch,
        rng: &mut impl Rng,
    ) -> Result<Vec<Admission>, StoreError> {
        self.admit_again_on_clash(Some(fence), &batch.commands, &batch.letters, rng).await
    }

    async fn admit_again_on_clash(
        self,
        fence: Option<&Fence>,
        group: &[Incoming],
        letters: &[DeadLetter],
        rng: &mut impl Rng,
    ) -> Result<Vec<Admission>, StoreError> {
        again_on_clash!(self.admit_once(fence, group, letters, rng))
    }

    async fn admit_once(
        self,
        fence: Option<&Fence>,
        group: &[Incoming],
        letters: &[DeadLetter],
        rng: &mut impl Rng,
    ) -> Result<Vec<Admission>, StoreError> {
        let now: DateTime<Utc> = self.store.now().await?;
        let mut tx = self.store.begin("admit commands").await?;
        // Asked with the connection in hand: it may be the first to another database.
        if fence.is_some_and(|fence| !fence.is_of(self.store.lineage())) {
            return Err(StoreError::TurnLost);
        }
        let admitted = self.admit_within(&mut tx, fence, group, rng, now).await?;
        keep_all(&mut tx, letters, now).await?;
        tx.commit("admit commands").await?;
        Ok(admitted.admissions)
    }

    async fn admit_within(
        self,
        tx: &mut Tx,
        mut fence: Option<&Fence>,
        group: &[Incoming],
        rng: &mut impl Rng,
        now: DateTime<Utc>,
    ) -> Result<Admitted, StoreError> {
        let (mut answers, mut drawn, mut blank, mut forgotten) =
            (Answers::new(), Vec::new(), BTreeSet::new(), BTreeSet::new());
        let rounds = rounds(group);
        match (rounds.len(), fence) {
            // The fence is checked with the statement that locks intents.
            (0, Some(fence)) => fence.check(tx).await?,
            (0 | 1, _) => {}
            (_, _) => read::lock_all(tx, fence.take(), &rounds).await?,
        }
        for round in rounds {
            let mut snapshot = read::read(tx, fence.take(), &round, now).await?;
            let (commands, reused): (Vec<&Incoming>, Vec<&Incoming>) =
                round.iter().copied().partition(|message| snapshot.is_command(message));
            let mut decision = decide::decide(&commands, &mut snapshot, now);
            drawn.extend(allocate::allocate(tx, &mut decision, &mut snapshot, &self.store.pools, rng, now).await?);
            drawn.extend(rotate::rotate(tx, &mut decision, &mut snapshot, &self.store.pools, rng, now).await?);
            decision.let_wait(&commands, &snapshot, &self.store.retry);
            decision.leave_out_refused(&commands, &snapshot, now);
            write::write(tx, &commands, &decision, &snapshot, now).await?;
            blank.extend(snapshot.blank.iter().filter(|place| !decision.last.contains_key(place)));
            forgotten.retain(|place| !decision.last.contains_key(place));
            forgotten.append(&mut decision.forgotten);
            let letters: Vec<DeadLetter> =
                reused.iter().map(|message| answer::letter_of_reused(message, now)).collect();
            keep_all(tx, &letters, now).await?;
            // A command of an earlier round that this one overtook has its outcome.
            let overtaken: HashMap<_, _> = decision.overtaken(&snapshot).into_iter().collect();
            for ((key, _), answer) in &mut answers {
                if let (Admission::Work { .. }, Some(now)) = (&answer, overtaken.get(*key)) {
                    *answer = now.clone();
                }
            }
            for message in &round {
                answers.insert(message.content(), decision.admission(message, &snapshot)?);
            }
        }
        read::forget_blank(tx, &blank).await?;
        read::forget_refused(tx, &forgotten).await?;
        let admissions: Vec<Admission> =
            group.iter().map(|incoming| answer::of_group(incoming, &answers)).collect::<Result<_, _>>()?;
        count_copies(tx, copies(group, &admissions)).await?;
        Ok(Admitted { admissions, drawn })
    }
}

/// A group that was admitted in a transaction that is not committed yet.
struct Admitted {
    admissions: Vec<Admission>,
    /// The rows made with a MAC that was drawn.
    drawn: Vec<i64>,
}

/// How many further copies the group has of messages that are dead letters.
fn copies<'a>(group: &'a [Incoming], admissions: &[Admission]) -> Vec<(&'a str, i64)> {
    let mut counted: HashMap<&str, i64> = HashMap::new();
    for (incoming, admission) in group.iter().zip(admissions) {
        if matches!(admission, Admission::Refused { .. }) {
            *counted.entry(&incoming.message_identity).or_default() += 1;
        }
    }
    counted.into_iter().map(|(identity, count)| (identity, count - 1)).filter(|(_, more)| *more > 0).collect()
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
