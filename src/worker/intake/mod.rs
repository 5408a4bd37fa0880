//! Intake: a batch of messages becomes one database transaction and is acknowledged. From there on a command exists only in
//! the rows.
//!
//! The broker hands the queue to one worker at a time, so that commands are admitted in the order in which they were
//! published. A worker takes a numbered turn for each session with the broker: where another has taken over meanwhile,
//! what this one has in hand is not admitted a second time.

pub(super) mod arrival_numbers;
mod bring_back;
pub(super) mod bursts;
pub(super) mod dead_queue;
pub(super) mod read;
pub(super) mod reread;
pub(super) mod waiting;

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::time::MissedTickBehavior;

use crate::broker::{Batch, COMMANDS, Consumer, Receipt};
use crate::domain::{Backoff, chain};
use crate::failpoint;
use crate::metrics::DATABASE;
use crate::store::{Admission, Fence, IntakeBatch, StoreError};
use crate::worker::context::Context;
use crate::worker::traces;

use bring_back::BroughtBack;
use read::refused_letters;

/// Messages admitted in one database transaction.
const BATCH_MAX: usize = 500;
/// Time that intake waits for more messages when the first was not alone.
const LINGER: Duration = Duration::from_millis(2);

/// Time without a message after which nothing is in hand for sure.
const IDLE: Duration = Duration::from_secs(1);

/// Runs until the worker stops or the consumer ends.
pub(super) async fn run(context: Arc<Context>, mut consumer: Consumer) {
    let mut intake = Intake::new(&context);
    let mut idle = tokio::time::interval(IDLE);
    idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once.
    idle.tick().await;
    let mut stopping = std::pin::pin!(context.stopping.cancelled());
    loop {
        let batch = tokio::select! {
            () = &mut stopping => break,
            batch = consumer.next_batch(BATCH_MAX, LINGER) => batch,
            _ = idle.tick() => {
                intake.bring_back_while_idle().await;
                continue;
            }
        };
        match batch {
            Some(batch) => {
                failpoint::hit("intake::batch");
                intake.take_in(batch).await;
                idle.reset();
            }
            None => return,
        }
    }
    consumer.stop().await;
}

struct Intake<'a> {
    context: &'a Arc<Context>,
    /// The turn, and the session that it was taken for.
    turn: Option<(u64, Fence)>,
    brought_back: BroughtBack,
    /// The identity of the first message in hand: it is at the head of the queue.
    head: Option<String>,
}

/// Why a batch is not admitted now. Its messages are redelivered.
enum Left {
    /// Its session is gone, or the worker stops.
    ToOthers,
    /// The database refuses it for what it holds.
    Refused(StoreError),
}

impl<'a> Intake<'a> {
    fn new(context: &'a Arc<Context>) -> Self {
        Self { context, turn: None, brought_back: BroughtBack::default(), head: None }
    }

    async fn take_in(&mut self, batch: Batch) {
        let Batch { deliveries, receipt } = batch;
        let count = deliveries.len();
        self.head = deliveries.first().map(|first| first.message.identity());
        let _admitting = self.context.bursts.admitting(count);
        self.context.metrics.taken_in(count);
        let spans: Vec<_> = deliveries.iter().map(|delivery| traces::message(&delivery.message)).collect();
        let whole = traces::intake(&spans);
        let read = read::read_all(deliveries, &self.context.arrival_numbers, self.context.store.time().await);
        if self.admit(&receipt, read).await {
            // Even if this fails the commands are durable: messages that are redelivered are recognised.
            failpoint::hit("intake::admitted");
            if let Err(error) = self.context.broker.ack(receipt).await {
                tracing::warn!(error = chain(&error), "messages admitted but not acknowledged");
            }
            failpoint::hit("intake::acknowledged");
        }
        drop((spans, whole));
        self.context.metrics.settled(count);
    }

    /// Admits a batch, however long the database is away; false where its messages are left to be redelivered. A batch that
    /// the database refuses is admitted one by one, to find the message at fault.
    async fn admit(&mut self, receipt: &Receipt, batch: IntakeBatch) -> bool {
        match self.admit_patiently(receipt, &batch, true).await {
            Ok(admissions) => {
                self.report(&batch, &admissions);
                true
            }
            Err(Left::ToOthers) => false,
            Err(Left::Refused(error)) => {
                tracing::warn!(error = chain(&error), "the database refused a batch; admitting it one by one");
                self.admit_each(receipt, batch).await
            }
        }
    }

    async fn admit_each(&mut self, receipt: &Receipt, batch: IntakeBatch) -> bool {
        for part in batch.one_by_one() {
            match self.admit_patiently(receipt, &part, false).await {
                Ok(admissions) => self.report(&part, &admissions),
                Err(Left::ToOthers) => return false,
                Err(Left::Refused(error)) => {
                    let refused = refused_letters(part, &error, self.context.store.time().await);
                    if !dead_queue::keep(self.context, &refused).await {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Retries while the database is away; meanwhile nothing is acknowledged, and the prefetch bounds what is held. A part of
    /// the receipt's messages leaves them on the embedded queue.
    async fn admit_patiently(
        &mut self,
        receipt: &Receipt,
        batch: &IntakeBatch,
        is_whole: bool,
    ) -> Result<Vec<Admission>, Left> {
        let (mut backoff, mut rng) = (Backoff::default(), rand::make_rng::<StdRng>());
        loop {
            let admitted = match self.fence(receipt, is_whole).await {
                Ok(Some(fence)) => self.context.store.intake().admit_batch(&fence, batch, &mut rng).await,
                Ok(None) => return Err(Left::ToOthers),
                Err(error) => Err(error),
            };
            match admitted {
                Ok(admissions) => return Ok(admissions),
                // A turn that was lost while the session lives is taken once more: then the session is the one that counts.
                Err(StoreError::TurnLost) if receipt.queue_claim().is_none() => self.turn = None,
                Err(StoreError::TurnLost) => return Err(Left::ToOthers),
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = chain(&error), "cannot admit messages: the database failed; trying again");
                    self.context.metrics.trouble(DATABASE);
                    if !self.context.pause(backoff.next_wait()).await {
                        return Err(Left::ToOthers);
                    }
                }
                Err(error) => return Err(Left::Refused(error)),
            }
            if !receipt.is_live() {
                return Err(Left::ToOthers);
            }
        }
    }

    /// The fence of the admission; none where the messages' session is gone.
    async fn fence(&mut self, receipt: &Receipt, is_whole: bool) -> Result<Option<Fence>, StoreError> {
        if let Some(claim) = receipt.queue_claim() {
            return Ok(Some(if is_whole { Fence::Claim(claim.clone()) } else { Fence::None }));
        }
        let session = receipt.session();
        if let Some((of, turn)) = &self.turn
            && *of == session
            && turn.is_of(self.context.store.lineage())
        {
            return Ok(Some(turn.clone()));
        }
        let turn = self.take_turn().await?;
        // Confirmed after the turn was taken: a worker that takes over later has a later turn.
        if !receipt.confirm().await {
            return Ok(None);
        }
        if let Fence::Turn { turn, .. } = &turn {
            tracing::info!(turn, "this worker admits commands now");
        }
        let head = self.head.clone();
        while self.brought_back.is_due(self.context) {
            let is_done = self.brought_back.bring_back(self.context, &turn, head.as_deref()).await?;
            if !is_done && (self.context.stopping.is_cancelled() || !receipt.is_live()) {
                return Ok(None);
            }
        }
        self.turn = Some((session, turn.clone()));
        Ok(Some(turn))
    }

    async fn take_turn(&self) -> Result<Fence, StoreError> {
        let queue = format!("{}{COMMANDS}", self.context.settings.broker.namespace);
        self.context.store.intake().take_turn(&queue).await
    }

    /// What was lost does not wait for the next message.
    async fn bring_back_while_idle(&mut self) {
        if !self.brought_back.is_due(self.context) {
            return;
        }
        if let Err(error) = self.try_to_bring_back().await {
            tracing::debug!(error = chain(&error), "cannot bring back what the database may have lost; trying again");
        }
    }

    async fn try_to_bring_back(&mut self) -> Result<(), StoreError> {
        if self.brought_back.look(self.context).await? {
            // Whoever else admits messages takes a turn again, behind this one.
            self.turn = None;
            let turn = self.take_turn().await?;
            self.brought_back.bring_back(self.context, &turn, None).await?;
        }
        Ok(())
    }

    /// Counts what was admitted, and wakes the dispatcher and the outbox.
    fn report(&self, batch: &IntakeBatch, admissions: &[Admission]) {
        batch.letters.iter().for_each(|letter| self.context.metrics.buried(letter.reason_code.as_str()));
        admissions.iter().for_each(|admission| self.context.admitted(admission));
        self.context.wrote_events();
    }
}
