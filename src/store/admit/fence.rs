//! Whose turn it is to admit messages. The broker hands a queue to one worker at a time. A worker that was paused in its turn
//! and goes on after another has taken over finds here that its turn has ended. Otherwise it would admit what it has in hand
//! once more, as if it had just arrived.

use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::Intake;
use crate::store::queue::{QueueClaim, remove_claimed};

/// What must hold for a batch to be admitted.
#[derive(Debug, Clone)]
pub enum Fence {
    /// A turn at a queue of RabbitMQ.
    Turn {
        /// The queue.
        queue: String,
        /// The number of the turn.
        turn: i64,
        /// The database that it was taken in ([`Store::lineage`](crate::store::Store::lineage)).
        lineage: u64,
    },
    /// Messages of the embedded queue. They are removed in the same transaction.
    Claim(QueueClaim),
    /// A part of such messages: they are removed once all parts are admitted.
    None,
}

/// The condition that the turn at this queue is this one; it holds until the transaction ends.
pub(in crate::store) fn held_turn(queue: &str, turn: &str) -> String {
    format!("(SELECT turn FROM intake_turns WHERE queue = {queue} {{for_update}}) = {turn}")
}

impl Fence {
    /// The lineage of the database that the turn was taken in; 0 for the embedded queue.
    pub const fn lineage(&self) -> u64 {
        match self {
            Self::Turn { lineage, .. } => *lineage,
            Self::Claim(_) | Self::None => 0,
        }
    }

    /// Whether it was taken in the database of this lineage. What the database may have lost comes in before anything new
    /// does, so a batch that began before is not admitted.
    pub const fn is_of(&self, store_lineage: u64) -> bool {
        match self {
            Self::Turn { lineage, .. } => *lineage == store_lineage,
            Self::Claim(_) | Self::None => true,
        }
    }

    /// Holds the turn until the transaction ends, or removes the messages.
    pub(in crate::store) async fn check(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let holds = match self {
            Self::Turn { queue, turn, .. } => {
                let sql = format!("SELECT 1 AS held WHERE {}", held_turn("$1", "$2"));
                !tx.run("hold a turn", &sql, args![queue.as_str(), *turn]).await?.is_empty()
            }
            Self::Claim(claim) => remove_claimed(tx, claim).await?,
            Self::None => true,
        };
        if holds { Ok(()) } else { Err(StoreError::TurnLost) }
    }
}

impl Intake<'_> {
    /// Begins a turn at the queue, which ends the turn before it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_turn(self, queue: &str) -> Result<Fence, StoreError> {
        let lineage = self.store.lineage();
        // A number that no turn had, also where the database lost the last turns: nobody can hold this one elsewhere.
        let fresh = self.store.now().await?.timestamp_millis() * 1_000 + i64::from(rand::random_range(0..1_000));
        let sql = "INSERT INTO intake_turns (queue, turn) VALUES ($1, $2) ON CONFLICT (queue) DO UPDATE SET
                   turn = CASE WHEN intake_turns.turn >= $2 THEN intake_turns.turn + 1 ELSE $2 END RETURNING turn";
        let rows = self.store.engine.write("take a turn", sql, args![queue, fresh]).await?;
        let row = rows.first().ok_or(StoreError::NoAnswer { what: "take a turn" })?;
        Ok(Fence::Turn { queue: queue.to_owned(), turn: row.get("turn")?, lineage })
    }
}
