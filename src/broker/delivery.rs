//! What a consumer hands out.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::amqp::{Session, Share};
use super::message::Message;
use crate::domain::{BindableAddress, Code, SwitchName};
use crate::store::QueueClaim;

/// Messages in their order, all of one session with the broker, settled together.
#[derive(Debug)]
pub struct Batch {
    /// The messages, at least one.
    pub deliveries: Vec<Delivery>,
    /// What settles all of them.
    pub receipt: Receipt,
}

/// A message that was handed out.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// It was handed out too often: whoever admits commands puts it into the dead letters. RabbitMQ does that by itself.
    pub given_up: bool,
    /// Why it is dead, on the queue of dead letters, where it was sent there by an earlier version.
    pub(super) dead: Option<DeadReason>,
}

/// The proof of a batch. Dropped without being acknowledged, its messages come again, in their order: RabbitMQ's when the
/// consumer's session ends, those of the embedded queue when their claim has run out.
#[derive(Debug, Clone)]
pub struct Receipt(pub(super) Proof);

#[derive(Debug, Clone)]
pub(super) enum Proof {
    Amqp {
        session: Arc<Session>,
        /// The tag of the last message.
        last: u64,
        /// The bytes of all messages, which count as in hand until this is dropped.
        _shares: Arc<[Share]>,
    },
    Embedded(QueueClaim),
}

impl Receipt {
    /// The number of the session with the broker that the messages came over: each session of this process has its own.
    /// The embedded queue has no sessions; 0.
    pub fn session(&self) -> u64 {
        match &self.0 {
            Proof::Amqp { session, .. } => session.number,
            Proof::Embedded(_) => 0,
        }
    }

    /// Whether the session is still there, as far as this process knows. True for the embedded queue, where
    /// [`Self::queue_claim`] decides.
    pub fn is_live(&self) -> bool {
        match &self.0 {
            Proof::Amqp { session, .. } => session.is_live(),
            Proof::Embedded(_) => true,
        }
    }

    /// Asks the broker whether the session is still there; false also when it does not answer within the time limit of a
    /// request. True for the embedded queue.
    pub async fn confirm(&self) -> bool {
        match &self.0 {
            Proof::Amqp { session, .. } => session.confirm().await,
            Proof::Embedded(_) => true,
        }
    }

    /// The claim of the embedded queue, to be removed in the transaction that admits the messages.
    pub fn queue_claim(&self) -> Option<&QueueClaim> {
        match &self.0 {
            Proof::Amqp { .. } => None,
            Proof::Embedded(claim) => Some(claim),
        }
    }
}

/// Why a message is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadReason {
    /// This sending to the dead letters: collected twice, it is one letter.
    #[serde(default = "new_burial_id")]
    pub burial_id: String,
    /// The reason code.
    pub code: Code,
    /// What happened.
    pub text: String,
    /// Attempts made.
    pub attempts: u32,
    /// The switch, where it was one.
    pub switch: Option<SwitchName>,
    /// The server, where known.
    pub server_id: Option<i64>,
    /// The address, where known.
    pub ip: Option<BindableAddress>,
    /// When it failed first, milliseconds since 1970.
    pub first_failed_ms: i64,
    /// When it failed for good, milliseconds since 1970.
    pub last_failed_ms: i64,
}

/// A new sending to the dead letters.
pub fn new_burial_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

impl Delivery {
    /// Why it is dead: what the earlier version wrote when it sent it there, else that it was delivered too often, `now`.
    pub fn dead_reason(&self, now: DateTime<Utc>) -> DeadReason {
        self.dead.clone().unwrap_or_else(|| given_up(now))
    }
}

fn given_up(now: DateTime<Utc>) -> DeadReason {
    let now_ms = now.timestamp_millis();
    DeadReason {
        burial_id: new_burial_id(),
        code: Code::DeliveryLimit,
        text: "delivered too often without being acknowledged: it may make the worker crash".to_owned(),
        attempts: 0,
        switch: None,
        server_id: None,
        ip: None,
        first_failed_ms: now_ms,
        last_failed_ms: now_ms,
    }
}
