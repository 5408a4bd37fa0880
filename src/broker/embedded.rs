//! The embedded queue: a table in the store's database, with the promises of a broker.
//!
//! A message handed out is claimed for a while; the claim is prolonged for as long as the consumer lives,
//! so that a message in hand does not come twice, and one of a crashed process comes again soon.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::delivery::{DeadReason, Delivery, Proof, Receipt, given_up};
use super::error::BrokerError;
use super::message::Message;
use super::port::Prefetch;
use super::topology::{DELIVERY_LIMIT, QueueKind, Topology};
use crate::domain::{LongBody, LongBodyReader, chain};
use crate::store::{ClaimLimit, NewQueueMessage, QueueMessage, Store, StoreError};

/// How long a claim lasts unless it is prolonged.
const CLAIM: Duration = Duration::from_secs(30);
/// Time between two looks for messages.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// The same after the database failed.
const LOOK_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The embedded broker.
#[derive(Clone)]
pub struct EmbeddedBroker {
    store: Store,
    topology: Arc<Topology>,
    /// Claims of deliveries that are not settled yet, by message.
    held: Arc<Mutex<HashMap<i64, Claim>>>,
    /// Consumers so far.
    consumers: Arc<AtomicU64>,
}

/// A consumer of the embedded queue.
pub struct EmbeddedConsumer {
    broker: EmbeddedBroker,
    number: u64,
    kind: QueueKind,
    prefetch: Prefetch,
    ready: VecDeque<Delivery>,
    /// The claim under way.
    claiming: Option<JoinHandle<Result<Vec<Delivery>, StoreError>>>,
    /// Ends the prolonging of claims.
    _prolonging: DropGuard,
}

/// A claimed message.
#[derive(Clone)]
struct Claim {
    token: String,
    bytes: usize,
    /// Whose hand it is in: each consumer has a prefetch of its own.
    consumer: u64,
}

/// What stands in the column `properties`.
#[derive(Serialize, Deserialize)]
struct Properties {
    #[serde(flatten)]
    message: Message,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead: Option<DeadReason>,
}

impl EmbeddedBroker {
    pub(super) fn new(store: Store, topology: Topology) -> Self {
        Self { store, topology: Arc::new(topology), held: Arc::default(), consumers: Arc::default() }
    }

    pub(super) fn consume(&self, kind: QueueKind, prefetch: Prefetch) -> EmbeddedConsumer {
        let token = CancellationToken::new();
        let number = self.consumers.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(self.clone().prolong(number, token.clone()));
        EmbeddedConsumer {
            broker: self.clone(),
            number,
            kind,
            prefetch,
            ready: VecDeque::new(),
            claiming: None,
            _prolonging: token.drop_guard(),
        }
    }

    pub(super) async fn depths(&self) -> Result<Vec<(String, i64)>, BrokerError> {
        Ok(self.store.queue_depths().await?)
    }

    async fn prolong(self, consumer: u64, until: CancellationToken) {
        while until.run_until_cancelled(tokio::time::sleep(CLAIM / 3)).await.is_some() {
            let held = self.claims_of(consumer);
            if let Err(error) = self.store.queue_reclaim(&held, CLAIM).await {
                tracing::warn!(error = chain(&error), messages = held.len(), "claims not prolonged");
            }
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Claim>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claims of one consumer.
    fn claims_of(&self, consumer: u64) -> Vec<(i64, String)> {
        let held = self.held();
        let own = held.iter().filter(|(_, claim)| claim.consumer == consumer);
        own.map(|(id, claim)| (*id, claim.token.clone())).collect()
    }

    /// Forgets claims, unless the message was claimed anew meanwhile.
    fn release(&self, claims: &[(i64, String)]) {
        let mut held = self.held();
        for (id, token) in claims {
            if held.get(id).is_some_and(|claim| claim.token == *token) {
                held.remove(id);
            }
        }
    }

    pub(super) async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        let claims = claims(&receipts);
        self.store.queue_ack(&claims).await?;
        self.release(&claims);
        Ok(())
    }

    pub(super) async fn requeue(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        let claims = claims(&receipts);
        self.store.queue_reclaim(&claims, Duration::ZERO).await?;
        self.release(&claims);
        Ok(())
    }

    pub(super) async fn retry(&self, again: &[(Receipt, Message, Duration)]) -> Result<(), BrokerError> {
        let (mut receipts, mut messages) = (Vec::new(), Vec::new());
        for (receipt, message, delay) in again {
            receipts.push(receipt.clone());
            let delay = Duration::from_millis(self.topology.rung_ms(*delay));
            messages.push(self.queued(QueueKind::Commands, message.clone(), None, delay));
        }
        self.replace(receipts, messages).await
    }

    pub(super) async fn dead(&self, dead: &[(Receipt, Message, DeadReason)]) -> Result<(), BrokerError> {
        let (mut receipts, mut messages) = (Vec::new(), Vec::new());
        for (receipt, message, reason) in dead {
            receipts.push(receipt.clone());
            messages.push(self.queued(QueueKind::Dead, message.clone(), Some(reason.clone()), Duration::ZERO));
        }
        self.replace(receipts, messages).await
    }

    pub(super) async fn publish_commands(&self, messages: &[Message]) -> Result<(), BrokerError> {
        let queued =
            messages.iter().map(|message| self.queued(QueueKind::Commands, message.clone(), None, Duration::ZERO));
        self.replace(Vec::new(), queued.collect()).await
    }

    /// One transaction: the copies are there and the originals gone, or neither.
    async fn replace(&self, receipts: Vec<Receipt>, messages: Vec<NewQueueMessage>) -> Result<(), BrokerError> {
        if messages.is_empty() {
            return Ok(());
        }
        let claims = claims(&receipts);
        self.store.queue_publish(&messages, &claims).await?;
        self.release(&claims);
        Ok(())
    }

    async fn claim(self, consumer: u64, kind: QueueKind, free: ClaimLimit) -> Result<Vec<Delivery>, StoreError> {
        let queue = self.topology.queue(kind);
        let mut deliveries = Vec::new();
        for claimed in self.store.queue_claim(&queue, free, CLAIM).await? {
            deliveries.extend(self.delivery(consumer, kind, claimed).await);
        }
        Ok(deliveries)
    }

    /// A claimed message as a delivery; none when it was handed out too often and is dead now.
    async fn delivery(&self, consumer: u64, kind: QueueKind, claimed: QueueMessage) -> Option<Delivery> {
        let QueueMessage { id, claim_token, properties, body, body_bytes, deliveries } = claimed;
        let properties: Properties = serde_json::from_value(properties).unwrap_or_else(|error| {
            tracing::error!(id, error = %error, "the properties of a queued message cannot be read");
            Properties { message: Message::default(), dead: None }
        });
        let mut message = Message { body, ..properties.message }.bounded().without_empty_ids();
        if body_bytes > message.body.len() as i64 {
            match self.long_body(id).await {
                Ok(long_body) => message.long_body = Some(long_body),
                Err(error) => {
                    tracing::warn!(id, error = chain(&error), "a long body could not be read; its message comes again");
                    return None;
                }
            }
        }
        if deliveries > DELIVERY_LIMIT && kind == QueueKind::Commands {
            let reason = given_up(&message, self.store.time().await);
            let dead = self.queued(QueueKind::Dead, message, Some(reason), Duration::ZERO);
            if let Err(error) = self.store.queue_publish(&[dead], &[(id, claim_token)]).await {
                tracing::warn!(id, error = chain(&error), "a message is not given up yet; it comes again");
            }
            return None;
        }
        self.held().insert(id, Claim { token: claim_token.clone(), bytes: message.bytes(), consumer });
        let receipt = Receipt(Proof::Embedded { id, claim_token });
        Some(Delivery { message, receipt, dead: properties.dead })
    }

    /// Reads a long body of the table piece by piece.
    async fn long_body(&self, id: i64) -> Result<LongBody, StoreError> {
        let mut reader = LongBodyReader::default();
        loop {
            let at = i64::try_from(reader.bytes()).unwrap_or(i64::MAX);
            match self.store.queue_body(id, at).await? {
                piece if piece.is_empty() => return Ok(reader.end().1),
                piece => reader.read(&piece),
            }
        }
    }

    fn queued(&self, kind: QueueKind, message: Message, dead: Option<DeadReason>, delay: Duration) -> NewQueueMessage {
        let mut message = message.bounded();
        let body = std::mem::take(&mut message.body);
        // Plain data: it cannot fail.
        let properties = serde_json::to_value(Properties { message, dead }).unwrap_or_default();
        NewQueueMessage { queue: self.topology.queue(kind), properties, body, delay }
    }
}

impl EmbeddedConsumer {
    pub(super) async fn next_batch(&mut self, max: usize, _linger: Duration) -> Option<Vec<Delivery>> {
        while self.ready.is_empty() {
            let pause = match self.fetch(max).await {
                Ok(()) => LOOK_EVERY,
                Err(problem) => {
                    tracing::warn!(problem, "the embedded queue failed; trying again");
                    LOOK_AFTER_FAILURE
                }
            };
            if self.ready.is_empty() {
                tokio::time::sleep(pause).await;
            }
        }
        let count = max.min(self.ready.len());
        Some(self.ready.drain(..count).collect())
    }

    /// Claims in a task of its own, so that a cancelled wait does not leave messages claimed by nobody.
    async fn fetch(&mut self, max: usize) -> Result<(), String> {
        let free = self.free(max);
        if (free.messages == 0 || free.bytes == 0) && self.claiming.is_none() {
            return Ok(());
        }
        let (broker, number, kind) = (&self.broker, self.number, self.kind);
        let claiming = self.claiming.get_or_insert_with(|| tokio::spawn(broker.clone().claim(number, kind, free)));
        let claimed = claiming.await;
        self.claiming = None;
        let deliveries = claimed.map_err(|error| error.to_string())?.map_err(|error| chain(&error))?;
        self.ready.extend(deliveries);
        Ok(())
    }

    /// How much more may be held.
    fn free(&self, max: usize) -> ClaimLimit {
        let held = self.broker.held();
        let own: Vec<_> = held.values().filter(|claim| claim.consumer == self.number).collect();
        let bytes: usize = own.iter().map(|claim| claim.bytes).sum();
        let messages = usize::from(self.prefetch.messages).saturating_sub(own.len()).min(max);
        let number = |free| i64::try_from(free).unwrap_or(i64::MAX);
        ClaimLimit { messages: number(messages), bytes: number(self.prefetch.bytes.saturating_sub(bytes)) }
    }

    pub(super) async fn stop(mut self) {
        if let Some(claiming) = self.claiming.take()
            && let Ok(Ok(deliveries)) = claiming.await
        {
            self.ready.extend(deliveries);
        }
        let receipts = self.ready.into_iter().map(|delivery| delivery.receipt).collect();
        if let Err(error) = self.broker.requeue(receipts).await {
            tracing::warn!(
                error = chain(&error),
                "messages not handed back; they come again when their claim runs out"
            );
        }
    }
}

fn claims(receipts: &[Receipt]) -> Vec<(i64, String)> {
    let claim = |receipt: &Receipt| match &receipt.0 {
        Proof::Embedded { id, claim_token } => Some((*id, claim_token.clone())),
        Proof::Amqp { .. } => None,
    };
    receipts.iter().filter_map(claim).collect()
}
