//! The embedded queue: a table in the store's database, with the promises of a broker.
//!
//! A batch is claimed for a few seconds, and only while no other claim of the queue lasts: so one consumer at a time
//! receives, in order, and what a crashed process had claimed comes again soon.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::backend::Prefetch;
use super::delivery::{Batch, DeadReason, Delivery, Proof, Receipt};
use super::error::BrokerError;
use super::message::Message;
use super::topology::{DELIVERY_LIMIT, QueueKind, Topology};
use crate::domain::{LongBody, LongBodyReader, chain};
use crate::store::{ClaimLimit, ClaimedMessages, NewQueueMessage, QueueMessage, Store, StoreError};

/// How long a claim lasts.
const CLAIM: Duration = Duration::from_secs(5);
/// Time between two checks for messages.
const CHECK_EVERY: Duration = Duration::from_millis(25);
/// The same after the database failed.
const CHECK_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The embedded broker.
#[derive(Clone)]
pub struct EmbeddedBroker {
    store: Store,
    topology: Arc<Topology>,
}

/// A consumer of the embedded queue.
pub struct EmbeddedConsumer {
    broker: EmbeddedBroker,
    kind: QueueKind,
    prefetch: Prefetch,
    /// The claim under way.
    claiming: Option<JoinHandle<Result<Option<Batch>, StoreError>>>,
}

/// What the column `properties` holds.
#[derive(Default, Serialize, Deserialize)]
struct Properties {
    #[serde(flatten)]
    message: Message,
    /// Written by the earlier version, with dead letters.
    #[serde(default, skip_serializing)]
    dead: Option<DeadReason>,
}

impl EmbeddedBroker {
    pub(super) fn new(store: Store, topology: Topology) -> Self {
        Self { store, topology: Arc::new(topology) }
    }

    pub(super) fn consume(&self, kind: QueueKind, prefetch: Prefetch) -> EmbeddedConsumer {
        EmbeddedConsumer { broker: self.clone(), kind, prefetch, claiming: None }
    }

    pub(super) async fn depths(&self) -> Result<Vec<(String, i64)>, BrokerError> {
        Ok(self.store.queue().depths().await?)
    }

    pub(super) async fn ack(&self, receipt: Receipt) -> Result<(), BrokerError> {
        if let Proof::Embedded(claim) = &receipt.0 {
            self.store.queue().remove(claim).await?;
        }
        Ok(())
    }

    pub(super) async fn publish_commands(&self, messages: &[Message]) -> Result<(), BrokerError> {
        let queue = self.topology.queue(QueueKind::Commands);
        let queued: Vec<NewQueueMessage> = messages.iter().map(|message| queued(&queue, message.clone())).collect();
        Ok(self.store.queue().publish(&queued).await?)
    }

    async fn claim(self, kind: QueueKind, limit: ClaimLimit) -> Result<Option<Batch>, StoreError> {
        let queue = self.topology.queue(kind);
        let Some(ClaimedMessages { claim, messages }) = self.store.queue().claim(&queue, limit, CLAIM).await? else {
            return Ok(None);
        };
        let mut deliveries = Vec::with_capacity(messages.len());
        for message in messages {
            match self.delivery(kind, message).await {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => {
                    self.store.queue().release(&claim).await?;
                    return Err(error);
                }
            }
        }
        Ok(Some(Batch { deliveries, receipt: Receipt(Proof::Embedded(claim)) }))
    }

    async fn delivery(&self, kind: QueueKind, claimed: QueueMessage) -> Result<Delivery, StoreError> {
        let QueueMessage { id, properties, body, body_bytes, deliveries } = claimed;
        let properties: Properties = serde_json::from_value(properties).unwrap_or_else(|error| {
            tracing::error!(id, error = %error, "the properties of a queued message cannot be read");
            Properties::default()
        });
        let mut message = Message { body, ..properties.message }.bounded().without_empty_ids();
        if body_bytes > message.body.len() as i64 {
            message.long_body = Some(self.long_body(id).await?);
        }
        let is_command = kind == QueueKind::Commands;
        let given_up = is_command && deliveries > DELIVERY_LIMIT;
        Ok(Delivery { message, given_up, dead: properties.dead.filter(|_| !is_command) })
    }

    /// Reads a long body of the table piece by piece.
    async fn long_body(&self, id: i64) -> Result<LongBody, StoreError> {
        let mut reader = LongBodyReader::default();
        loop {
            let at = i64::try_from(reader.bytes()).unwrap_or(i64::MAX);
            match self.store.queue().body(id, at).await? {
                piece if piece.is_empty() => return Ok(reader.end().1),
                piece => reader.read(&piece),
            }
        }
    }
}

fn queued(queue: &str, message: Message) -> NewQueueMessage {
    let mut message = message.bounded();
    let body = std::mem::take(&mut message.body);
    // Plain data: it cannot fail.
    let properties = serde_json::to_value(Properties { message, dead: None }).unwrap_or_default();
    NewQueueMessage { queue: queue.to_owned(), properties, body }
}

impl EmbeddedConsumer {
    pub(super) async fn next_batch(&mut self, max: usize, _linger: Duration) -> Option<Batch> {
        loop {
            let pause = match self.claim(max).await {
                Ok(Some(batch)) => return Some(batch),
                Ok(None) => CHECK_EVERY,
                Err(problem) => {
                    tracing::warn!(problem, "the embedded queue failed; trying again");
                    CHECK_AFTER_FAILURE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Claims in a task of its own, so that a cancelled wait does not leave messages claimed by nobody.
    async fn claim(&mut self, max: usize) -> Result<Option<Batch>, String> {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let messages = number(max.min(usize::from(self.prefetch.messages)));
        let limit = ClaimLimit { messages, bytes: number(self.prefetch.bytes) };
        let (broker, kind) = (&self.broker, self.kind);
        let claiming = self.claiming.get_or_insert_with(|| tokio::spawn(broker.clone().claim(kind, limit)));
        let claimed = claiming.await;
        self.claiming = None;
        claimed.map_err(|error| error.to_string())?.map_err(|error| chain(&error))
    }

    /// Hands back what was claimed and not handed out.
    pub(super) async fn stop(self) {
        let Some(claiming) = self.claiming else { return };
        if let Ok(Ok(Some(batch))) = claiming.await
            && let Some(claim) = batch.receipt.queue_claim()
            && let Err(error) = self.broker.store.queue().release(claim).await
        {
            tracing::warn!(
                error = chain(&error),
                "messages not handed back; they come again when their claim has run out"
            );
        }
    }
}
