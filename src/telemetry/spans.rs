//! Spans that are exported: how they hang together, and with what the producer traces.

use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, trace};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::domain::TraceParent;

/// The target of spans that are exported.
pub const SPANS: &str = "vmacd::spans";

/// Makes the span part of the producer's trace; to be called before anything else is done with it.
pub fn continue_trace(span: &Span, parent: &TraceParent) {
    // A span that nobody exports has no parent either.
    let _ = span.set_parent(Context::new().with_remote_span_context(context_of(parent)));
}

/// Notes on `span` that it also concerns the trace of `other`.
pub fn link(span: &Span, other: &Span) {
    span.add_link(other.context().span().span_context().clone());
}

/// Notes on `span` that it also concerns the producer's trace.
pub fn link_to_producer(span: &Span, parent: &TraceParent) {
    span.add_link(context_of(parent));
}

/// Marks the span as failed, with the reason.
pub fn fail(span: &Span, reason: &str) {
    span.set_status(Status::error(reason.to_owned()));
}

/// W3C Trace Context, section 3.2.2.
fn context_of(parent: &TraceParent) -> SpanContext {
    SpanContext::new(
        trace::TraceId::from_bytes(parent.trace_id.0),
        SpanId::from_bytes(parent.span_id),
        TraceFlags::new(parent.flags) & TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    )
}
