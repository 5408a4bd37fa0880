//! A command as any producer would publish it, for those who ask within this program: the command line and the API.

use uuid::Uuid;

use super::message::{ID_BYTES_MAX, Message};
use super::parse::parse_command;
use super::subnet::expand_subnet;
use crate::domain::{Action, Code, Failure, TraceParent};

/// What a producer may say beside the body.
#[derive(Debug, Clone, Default)]
pub struct RequestIds {
    /// The idempotency key; a new one where there is none.
    pub message_id: Option<String>,
    /// The correlation id, carried to the events.
    pub correlation_id: Option<String>,
    /// The W3C trace context, carried to the events.
    pub traceparent: Option<String>,
}

/// The message for this body, without a time of issue: that travels beside the body ([`Message::stamped`]), because a
/// repeated id must come with the same body.
///
/// # Errors
/// What the worker would refuse is refused here already, in its words.
pub fn request(action: Action, body: Vec<u8>, ids: RequestIds) -> Result<Message, Failure> {
    let message = Message {
        message_id: ids.message_id,
        correlation_id: ids.correlation_id,
        // What is none is left out, as for messages (W3C Trace Context, section 4.3).
        traceparent: ids.traceparent.filter(|trace| trace.parse::<TraceParent>().is_ok()),
        routing_key: action.routing_key().to_owned(),
        body,
        ..Message::default()
    };
    let mut message = message.without_empty_ids();
    message.message_id.get_or_insert_with(|| Uuid::now_v7().to_string());
    if expand_subnet(&message)?.is_none() {
        parse_command(&message)?;
    }
    for (name, id) in [("message_id", &message.message_id), ("correlation_id", &message.correlation_id)] {
        if id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX) {
            return Err(Failure::new(Code::InvalidField, format!("{name}: longer than {ID_BYTES_MAX} bytes")));
        }
    }
    Ok(message)
}
