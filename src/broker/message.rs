//! A message, whichever way it travels.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A command message, or one that was meant to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// The producer's idempotency key.
    pub message_id: Option<String>,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's W3C trace context.
    pub traceparent: Option<String>,
    /// `vmac.create`, `vmac.revoke`.
    pub routing_key: String,
    /// The body, as it came.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// The property `timestamp`, milliseconds since 1970 (AMQP carries whole seconds).
    pub timestamp_ms: Option<i64>,
    /// Attempts so far; header `x-vmacd-attempt`.
    pub attempt: u32,
    /// When it was first seen; header `x-vmacd-first-seen`.
    pub first_seen_ms: Option<i64>,
    /// The key that its first arrival decided; header `x-vmacd-key`.
    pub key: Option<String>,
    /// The time of issue that its first arrival decided; header `x-vmacd-issued-at`.
    pub issued_at_ms: Option<i64>,
    /// Which replay it is; header `x-vmacd-replay`.
    pub replay_number: i64,
    /// The producer's other headers, carried through.
    pub headers: Map<String, Value>,
}

/// An event for `vmac.events`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventMessage {
    /// `vmac.active`, ...
    pub routing_key: String,
    /// JSON.
    pub body: Vec<u8>,
    /// Unique for each event, so that consumers can tell repetitions.
    pub message_id: String,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's W3C trace context.
    pub traceparent: Option<String>,
}
