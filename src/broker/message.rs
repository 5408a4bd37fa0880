//! A message, whichever way it travels.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Longest id, bytes: AMQP's short strings hold no more, and a shortened id would be another one.
pub(super) const ID_BYTES_MAX: usize = 255;

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

impl Message {
    /// An id that is empty is none.
    pub(super) fn without_empty_ids(mut self) -> Self {
        for id in [&mut self.message_id, &mut self.correlation_id, &mut self.key] {
            id.take_if(|id| id.is_empty());
        }
        self
    }

    /// A hash of routing key and body: the same key must come with the same.
    pub fn content_hash(&self) -> String {
        hex::encode(Sha256::new().chain_update(&self.routing_key).chain_update(&self.body).finalize())
    }

    /// What tells the message from others: its id, routing key, body and replay; without an id, everything that its
    /// producer sent. Key, times and attempts, which are added when it arrives, are left out: delivered again after a
    /// crash it comes without them, or with others, and is the same message all the same.
    pub fn identity(&self) -> String {
        let sent = match &self.message_id {
            Some(id) => json!([id]),
            None => json!([null, self.correlation_id, self.traceparent, self.timestamp_ms, self.headers]),
        };
        let told = json!([sent, self.routing_key, self.replay_number, self.content_hash()]);
        hex::encode(Sha256::digest(told.to_string()))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(message_id: Option<&str>) -> Message {
        Message {
            message_id: message_id.map(str::to_owned),
            correlation_id: Some("corr".to_owned()),
            routing_key: "vmac.create".to_owned(),
            body: b"{}".to_vec(),
            ..Message::default()
        }
    }

    #[test]
    fn a_message_is_the_same_whatever_is_added_to_it_on_its_way() {
        for id in [Some("m-1"), None] {
            let again = Message {
                attempt: 3,
                first_seen_ms: Some(1),
                key: Some("create/1/10.0.0.1/1".to_owned()),
                issued_at_ms: Some(1),
                ..sent(id)
            };
            assert_eq!(again.identity(), sent(id).identity());
        }
    }

    #[test]
    fn another_id_content_or_replay_is_another_message() {
        let others = [
            sent(Some("m-2")),
            sent(None),
            Message { routing_key: "vmac.revoke".to_owned(), ..sent(Some("m-1")) },
            // What is moved from one part to the next is not the same.
            Message { routing_key: "vmac.create{".to_owned(), body: b"}".to_vec(), ..sent(Some("m-1")) },
            Message { body: b"{ }".to_vec(), ..sent(Some("m-1")) },
            Message { replay_number: 1, ..sent(Some("m-1")) },
        ];
        let identities: std::collections::HashSet<String> = others.iter().map(Message::identity).collect();
        assert_eq!(identities.len(), others.len());
        assert!(!identities.contains(&sent(Some("m-1")).identity()));
    }

    #[test]
    fn an_id_makes_a_message_and_without_one_all_that_was_sent_does() {
        let other =
            |message| Message { correlation_id: Some("other".to_owned()), timestamp_ms: Some(1_000), ..message };
        assert_eq!(other(sent(Some("m-1"))).identity(), sent(Some("m-1")).identity());
        assert_ne!(other(sent(None)).identity(), sent(None).identity());
    }
}
