//! The body of an event, built in one place, in the form of the public contract.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::commands::Outcome;
use super::vmacs::Vmac;
use crate::domain::{BindableAddress, Failure};

/// What an event is about and whom it answers.
pub(super) struct EventOf<'a> {
    pub outcome: Outcome,
    pub server_id: i64,
    pub ip: BindableAddress,
    /// The row as it stands after the change, where there is one.
    pub vmac: Option<&'a Vmac>,
    pub reason: Option<&'a Failure>,
    /// For a superseded command: which newer one won.
    pub superseded_by: Option<String>,
    pub answers: Option<Answered<'a>>,
}

/// The command that an event answers.
#[derive(Clone, Copy)]
pub(super) struct Answered<'a> {
    pub key: &'a str,
    pub message_id: Option<&'a str>,
    pub correlation_id: Option<&'a str>,
    pub traceparent: Option<&'a str>,
}

/// The row of the table `events`, as one element of a batch.
pub(super) fn event_row(event: &EventOf<'_>, now: DateTime<Utc>) -> Value {
    let answers = event.answers;
    json!({
        "routing_key": format!("vmac.{}", event.outcome.as_str()),
        "body": body(event, now),
        "message_key": answers.map(|answered| answered.key),
        "correlation_id": answers.and_then(|answered| answered.correlation_id),
        "traceparent": answers.and_then(|answered| answered.traceparent),
        "vmac_id": event.vmac.map(|vmac| vmac.id),
    })
}

fn body(event: &EventOf<'_>, now: DateTime<Utc>) -> Value {
    let mut body = json!({
        "vmac_id": event.vmac.map(|vmac| vmac.id),
        "server_id": event.server_id,
        "ip_address": event.ip,
        "mac_address": event.vmac.map(|vmac| vmac.mac_address),
        "status": event.outcome.as_str(),
        "switch_bindings": event.vmac.map_or_else(|| json!([]), |vmac| json!(vmac.switch_bindings)),
        "message_id": event.answers.and_then(|answered| answered.message_id),
        "correlation_id": event.answers.and_then(|answered| answered.correlation_id),
        "occurred_at": now.to_rfc3339_opts(SecondsFormat::Millis, true),
    });
    if let Some(failure) = event.reason {
        body["reason"] = json!({"code": failure.code, "text": failure.text});
    } else if let Some(newer) = &event.superseded_by {
        body["reason"] = json!({"code": "superseded", "text": newer});
    }
    body
}
