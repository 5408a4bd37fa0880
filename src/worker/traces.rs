//! The worker's spans, for whoever traces. None of them is made while no traces are exported.
//!
//! One message is one span, part of its producer's trace, from its receipt to its outcome; in it stand the wait for the
//! switch and the settling. A batch that is taken in and a push are traces of their own, linked to their messages.

use tracing::{Span, trace_span};

use super::settle::Held;
use crate::broker::Message;
use crate::domain::{TraceId, TraceParent};
use crate::telemetry::{SPANS, continue_trace, link, trace_id};

/// The spans of one message.
#[derive(Debug)]
pub(super) struct MessageTrace {
    whole: Span,
    waiting: Span,
}

impl MessageTrace {
    /// A message was received.
    pub fn begin(message: &Message) -> Self {
        let whole = trace_span!(
            target: SPANS, parent: None, "message", otel.name = message.routing_key, otel.kind = "consumer",
            messaging.operation.type = "process", messaging.message.id = message.message_id,
            messaging.message.conversation_id = message.correlation_id, vmacd.attempt = message.attempt,
            vmacd.outcome = tracing::field::Empty, vmacd.code = tracing::field::Empty
        );
        if !whole.is_disabled()
            && let Some(parent) = producer(message)
        {
            continue_trace(&whole, &parent);
        }
        Self { whole, waiting: Span::none() }
    }

    /// It waits for its switch from now on.
    pub fn waits(&mut self) {
        self.waiting = trace_span!(target: SPANS, parent: &self.whole, "wait for the switch");
    }

    /// A push of this worker carries it.
    pub fn carried_by(&mut self, push: &Span) {
        self.waiting = Span::none();
        link(push, &self.whole);
    }

    /// It has an outcome. Its span and that of its settling end when the answer is dropped.
    pub fn settling(self, outcome: &str, code: Option<&str>) -> (Span, Span) {
        self.whole.record("vmacd.outcome", outcome);
        if let Some(code) = code {
            self.whole.record("vmacd.code", code);
        }
        (trace_span!(target: SPANS, parent: &self.whole, "settle"), self.whole)
    }

    /// The trace that it is part of: the producer's, else its own while traces are exported.
    pub fn id(&self, message: &Message) -> Option<TraceId> {
        producer(message).map(|parent| parent.trace_id).or_else(|| trace_id(&self.whole))
    }
}

fn producer(message: &Message) -> Option<TraceParent> {
    message.traceparent.as_deref()?.parse().ok()
}

/// The taking in of a batch of messages, linked to each of them.
pub(super) fn intake<'a>(messages: usize, held: impl Iterator<Item = &'a Held>) -> Span {
    let span = trace_span!(target: SPANS, parent: None, "intake", vmacd.messages = messages);
    if !span.is_disabled() {
        held.for_each(|held| link(&span, &held.trace.whole));
    }
    span
}
