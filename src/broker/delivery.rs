//! What a consumer is handed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::amqp::{Acker, Share};
use super::message::Message;
use crate::domain::{BindableAddress, Code, SwitchName};

/// A message with the proof of its delivery.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// What settles it.
    pub receipt: Receipt,
    /// Why it is dead, on the queue of dead letters.
    pub(super) dead: Option<DeadReason>,
}

/// The proof of a delivery. Dropped without being settled, its message comes again when its consumer's session
/// or process ends.
#[derive(Debug, Clone)]
pub struct Receipt(pub(super) Proof);

#[derive(Debug, Clone)]
pub(super) enum Proof {
    Amqp { acker: Acker, _share: Arc<Share> },
    Embedded { id: i64, claim_token: String },
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
    /// When the message was first seen, milliseconds since 1970.
    pub first_failed_ms: i64,
    /// When it failed for good.
    pub last_failed_ms: i64,
}

/// A new sending to the dead letters.
pub fn new_burial_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

impl Delivery {
    /// Why it is dead: as was said when it was sent there, else the broker gave it up by itself, `now`.
    pub fn dead_reason(&self, now: DateTime<Utc>) -> DeadReason {
        self.dead.clone().unwrap_or_else(|| given_up(&self.message, now))
    }
}

/// The reason of a message that the broker gave up after too many deliveries without an answer.
pub(super) fn given_up(message: &Message, now: DateTime<Utc>) -> DeadReason {
    let now_ms = now.timestamp_millis();
    DeadReason {
        burial_id: new_burial_id(),
        code: Code::DeliveryLimit,
        text: "delivered too often without an answer: does it make the worker crash?".to_owned(),
        attempts: message.attempt,
        switch: None,
        server_id: None,
        ip: None,
        first_failed_ms: message.first_seen_ms.unwrap_or(now_ms),
        last_failed_ms: now_ms,
    }
}
