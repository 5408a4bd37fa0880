//! The worker's spans. None is made unless traces are exported.
//!
//! One message is one span, part of its producer's trace, from its receipt until its command is durable. A batch that is
//! admitted and a push are traces of their own, linked to their messages and to those who asked.

use tracing::{Span, trace_span};

use crate::broker::Message;
use crate::domain::TraceParent;
use crate::telemetry::{SPANS, continue_trace, link};

/// A message was received.
pub(super) fn message(message: &Message) -> Span {
    let span = trace_span!(
        target: SPANS, parent: None, "message", otel.name = message.routing_key, otel.kind = "consumer",
        messaging.operation.type = "process", messaging.message.id = message.message_id,
        messaging.message.conversation_id = message.correlation_id
    );
    if !span.is_disabled()
        && let Some(parent) = message.traceparent.as_deref().and_then(|trace| trace.parse::<TraceParent>().ok())
    {
        continue_trace(&span, &parent);
    }
    span
}

/// The intake of a batch of messages, linked to each of them.
pub(super) fn intake(messages: &[Span]) -> Span {
    let span = trace_span!(target: SPANS, parent: None, "intake", vmacd.messages = messages.len());
    if !span.is_disabled() {
        messages.iter().for_each(|message| link(&span, message));
    }
    span
}
