//! A message, whichever way it travels.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::content_encoding::{UNREAD, decoded};
use super::headers::bounded;
use crate::domain::{Issued, LongBody, shortened_body};

/// Longest id, bytes: AMQP's short strings hold no more, and a shortened id would be another one.
pub(super) const ID_BYTES_MAX: usize = 255;

/// The header with the time of a message, milliseconds since 1970.
pub(super) const TIMESTAMP_IN_MS: &str = "timestamp_in_ms";

/// Counted for each message beside its body: its ids and headers, which are bounded, mostly take less.
const MESSAGE_BYTES: usize = 1 << 10;

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
    /// What is known of the whole body where `body` is only its beginning; header `x-vmacd-body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_body: Option<LongBody>,
    /// The property `timestamp` as it came: seconds since 1970, of some producers milliseconds.
    pub timestamp: Option<i64>,
    /// The key that its first arrival decided; header `x-vmacd-key`.
    pub key: Option<String>,
    /// When it was issued, where vmacd stamped it: milliseconds since 1970; header `x-vmacd-issued-at`.
    pub issued_at_ms: Option<i64>,
    /// The number of its first arrival (see [`Arrival`](crate::domain::Arrival)); header `x-vmacd-arrival`.
    pub arrival: Option<i64>,
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

    /// A hash of routing key and body, the whole of it: the same key must come with the same.
    pub fn content_hash(&self) -> String {
        let whole = self.long_body.as_ref().map_or("", |long| long.sha256.as_str());
        let hash = Sha256::new().chain_update(&self.routing_key).chain_update(&self.body).chain_update(whole);
        hex::encode(hash.finalize())
    }

    /// What tells the message from others: its id, routing key, body and replay; without an id, everything that its
    /// producer sent. Key and times, which are added when it arrives, are left out: delivered again after a
    /// crash it comes without them, or with others, and is the same message all the same. So are headers that are lists or
    /// tables: RabbitMQ's archive does not keep them (tried with 3.10.8).
    pub fn identity(&self) -> String {
        let sent = match &self.message_id {
            Some(id) => json!([id]),
            None => {
                let plain = self.headers.iter().filter(|(_, value)| !value.is_array() && !value.is_object());
                let plain: Map<String, Value> = plain.map(|(name, value)| (name.clone(), value.clone())).collect();
                json!([null, self.correlation_id, self.traceparent, self.timestamp, plain])
            }
        };
        let told = json!([sent, self.routing_key, self.replay_number, self.content_hash()]);
        hex::encode(Sha256::digest(told.to_string()))
    }

    /// When it was issued, as far as everything but its body says: as vmacd stamped it, the header `timestamp_in_ms`, the
    /// property `timestamp`.
    pub fn issued(&self) -> Issued {
        let timestamp = self.timestamp.and_then(Issued::of_number);
        let stamped = self.issued_at_ms.map(Issued::stamped);
        stamped.or_else(|| self.timestamp_in_ms()).or(timestamp).unwrap_or(Issued::Unsaid)
    }

    /// The header [`TIMESTAMP_IN_MS`]. A broker that stamps what passes through it sets it together with the property; that
    /// tells no order within the millisecond. (RabbitMQ's `message_interceptors.incoming.set_header_timestamp` and its
    /// plugin `rabbitmq_message_timestamp`.)
    fn timestamp_in_ms(&self) -> Option<Issued> {
        let number = match self.headers.get(TIMESTAMP_IN_MS)? {
            Value::String(text) => text.trim().parse().ok()?,
            // Some clients write every number as a double.
            value => value.as_i64().or_else(|| value.as_f64().map(|number| number as i64))?,
        };
        match Issued::of_number(number)? {
            Issued::At { ms, .. } if self.timestamp == Some(ms / 1000) => Some(Issued::stamped(ms)),
            issued => Some(issued),
        }
    }

    /// The message with its body as it was before it was encoded, where that can be read; else with the body as it came and the
    /// encoding beside it, for whoever reads the command to refuse. Of a body that is cut, nothing can be read.
    pub(super) fn decoded(mut self, encoding: Option<&str>) -> Self {
        let kept = self.headers.remove(UNREAD);
        let Some(encoding) = encoding.or(kept.as_ref().and_then(Value::as_str)) else { return self };
        match decoded(encoding, &self.body) {
            Ok(None) => {}
            Ok(Some(body)) if self.long_body.is_none() => self.body = body,
            Ok(Some(_)) | Err(_) => {
                self.headers.insert(UNREAD.to_owned(), json!(encoding));
            }
        }
        self
    }

    /// About what it takes in memory, bytes.
    pub(super) fn bytes(&self) -> usize {
        MESSAGE_BYTES + self.body.len()
    }

    /// The message as issued at this time, unless its body says when. Messages of one millisecond count in the order in
    /// which they are published.
    pub fn stamped(self, at: DateTime<Utc>) -> Self {
        Self { timestamp: Some(at.timestamp()), issued_at_ms: Some(at.timestamp_millis()), ..self }
    }

    /// The message with its body and headers as long as they may be.
    pub(super) fn bounded(self) -> Self {
        let (body, long_body) = shortened_body(self.body);
        Self { body, long_body: self.long_body.or(long_body), headers: bounded(self.headers), ..self }
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
            let again = Message { key: Some("create/1/10.0.0.1/1".to_owned()), issued_at_ms: Some(1), ..sent(id) };
            assert_eq!(again.identity(), sent(id).identity());
        }
    }

    #[test]
    fn a_message_without_an_id_is_the_same_without_the_headers_that_the_archive_does_not_keep() {
        let with = |headers: Value| Message { headers: headers.as_object().expect("a table").clone(), ..sent(None) };
        let whole = with(json!({"a": 1, "list": [1], "table": {"k": 1}}));
        assert_eq!(whole.identity(), with(json!({"a": 1})).identity());
        assert_ne!(whole.identity(), with(json!({"a": 2})).identity());
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
        let other = |message| Message { correlation_id: Some("other".to_owned()), timestamp: Some(1_000), ..message };
        assert_eq!(other(sent(Some("m-1"))).identity(), sent(Some("m-1")).identity());
        assert_ne!(other(sent(None)).identity(), sent(None).identity());
    }

    #[test]
    fn an_empty_id_is_none() {
        let empty = || Some(String::new());
        let message = Message { message_id: empty(), correlation_id: empty(), key: empty(), ..sent(None) };
        let message = message.without_empty_ids();
        assert_eq!((message.message_id, message.correlation_id, message.key), (None, None, None));
    }

    fn issued(timestamp: Option<i64>, header: Value) -> Issued {
        let headers = Map::from_iter([(TIMESTAMP_IN_MS.to_owned(), header)]);
        Message { timestamp, headers, ..Message::default() }.issued()
    }

    #[test]
    fn the_time_is_taken_from_the_first_place_that_has_one() {
        let (ms, second) = (1_795_255_200_250, Issued::second(1_795_255_200));
        let exact = Issued::At { ms, nanos: 0 };
        let table = [
            (None, Value::Null, Issued::Unsaid),
            (Some(0), json!(0), Issued::Unsaid),
            (Some(0), json!(""), Issued::Unsaid),
            (Some(0), json!("soon"), Issued::Unsaid),
            (Some(1_795_255_200), Value::Null, second),
            (Some(1_795_255_200), json!(0), second),
            (Some(ms), Value::Null, exact),
            (None, json!(ms), exact),
            (None, json!(ms.to_string()), exact),
            (None, json!(ms as f64), exact),
            (Some(0), json!(0.0), Issued::Unsaid),
            (Some(1_795_255_100), json!(ms), exact),
            // A broker stamped it.
            (Some(1_795_255_200), json!(ms), Issued::stamped(ms)),
            (Some(1_795_255_100), json!(1_795_255_200), second),
        ];
        for (timestamp, header, expected) in table {
            assert_eq!(issued(timestamp, header.clone()), expected, "{timestamp:?} {header}");
        }
        let stamped = Message { issued_at_ms: Some(7), timestamp: Some(ms), ..Message::default() };
        assert_eq!(stamped.issued(), Issued::stamped(7));
    }
}
