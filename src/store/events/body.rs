//! The body of an event, built in one place, in the form of the public contract.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::drift::DriftKind;
use crate::domain::in_force::{InForce, InForceCode, InForceReason};
use crate::domain::{
    Action, BindableAddress, Code, Failure, Mac, Requester, SwitchBinding, SwitchName, TIME_SINCE_1970,
};
use crate::store::commands::outcome::Outcome;
use crate::store::vmacs::Vmac;

/// What an event is about and whom it answers.
pub(in crate::store) struct EventOf<'a> {
    pub outcome: Outcome,
    /// The server and the address, where they could be read.
    pub server_id: Option<i64>,
    pub ip: Option<BindableAddress>,
    /// The row as it stands after the change, where there is one.
    pub vmac: Option<&'a Vmac>,
    pub reason: Option<Cow<'a, Failure>>,
    /// For a superseded command: which newer one won.
    pub superseded_by: Option<String>,
    pub answers: Option<Answered<'a>>,
    /// The dead letter that keeps the message.
    pub dead_letter_id: Option<i64>,
}

/// The command that an event answers.
#[derive(Clone)]
pub(in crate::store) struct Answered<'a> {
    /// What it asks for; none where its routing key is not a command's.
    pub action: Option<Action>,
    /// None for a message that is no command of its own, such as one with the id of another.
    pub key: Option<&'a str>,
    pub message_id: Option<&'a str>,
    pub correlation_id: Option<&'a str>,
    pub traceparent: Option<&'a str>,
    pub requester: Requester,
}

/// The row of the table `events`, as one element of a batch.
#[derive(Debug, Serialize)]
pub(in crate::store) struct EventRow<'a> {
    routing_key: String,
    body: EventBody<'a>,
    message_key: Option<&'a str>,
    correlation_id: Option<&'a str>,
    traceparent: Option<&'a str>,
    vmac_id: Option<i64>,
}

/// The event of an outcome.
pub(in crate::store) fn event_row(event: EventOf<'_>, now: DateTime<Utc>) -> EventRow<'_> {
    let answers = event.answers.as_ref();
    EventRow {
        routing_key: event.outcome.routing_key(),
        message_key: answers.and_then(|answered| answered.key),
        correlation_id: answers.and_then(|answered| answered.correlation_id),
        traceparent: answers.and_then(|answered| answered.traceparent),
        vmac_id: event.vmac.map(|vmac| vmac.id),
        body: EventBody::of(event, now),
    }
}

/// The routing key of an event that reports a change of whether a binding is in force.
pub const IN_FORCE_KEY: &str = "vmac.in_force";

/// The event of a row of which something else is known than before.
pub(in crate::store) fn in_force_row<'a>(
    vmac: &'a Vmac,
    known: &InForce,
    switch: &SwitchName,
    now: DateTime<Utc>,
) -> EventRow<'a> {
    let reason = known.reason.as_ref().map(|InForceReason { code, text }| EventReason {
        code: ReasonCode::InForce(*code),
        text: format!("{switch}: {text}").into(),
    });
    looked_at(vmac, IN_FORCE_KEY, EventStatus::InForce(TellsInForce::InForce), reason, now)
}

/// The routing key of an event that reports drift.
pub const DRIFT_KEY: &str = "vmac.drift";

/// The event of a row that drifted; `text` says what was found and done.
pub(in crate::store) fn drift_row(vmac: &Vmac, kind: DriftKind, text: String, now: DateTime<Utc>) -> EventRow<'_> {
    let reason = EventReason { code: ReasonCode::of_drift(kind), text: text.into() };
    looked_at(vmac, DRIFT_KEY, EventStatus::Drifted(Drifted::Drift), Some(reason), now)
}

/// What a check of a switch reports of a row; it answers no command.
fn looked_at<'a>(
    vmac: &'a Vmac,
    key: &str,
    status: EventStatus,
    reason: Option<EventReason<'a>>,
    now: DateTime<Utc>,
) -> EventRow<'a> {
    let Requester { requested_by, reference } = requester(None, Some(vmac));
    let body = EventBody {
        vmac_id: Some(vmac.id),
        action: None,
        server_id: Some(vmac.server_id),
        ip_address: Some(vmac.ip_address),
        mac_address: Some(vmac.mac_address),
        status,
        reason,
        waiting_since: None,
        switch_bindings: &vmac.switch_bindings,
        dead_letter_id: None,
        requested_by,
        reference,
        message_id: None,
        correlation_id: None,
        occurred_at: now.to_rfc3339_opts(SecondsFormat::Millis, true),
    };
    let (message_key, correlation_id, traceparent) = (None, None, None);
    EventRow { routing_key: key.to_owned(), body, message_key, correlation_id, traceparent, vmac_id: Some(vmac.id) }
}

/// The routing key of an event that reports why a command is not done yet.
pub const WAITING_KEY: &str = "vmac.waiting";

/// The event of a row that waits for a switch: why, and since when.
pub(in crate::store) fn waiting_row<'a>(
    vmac: &'a Vmac,
    failure: &'a Failure,
    since: DateTime<Utc>,
    answered: Answered<'a>,
    now: DateTime<Utc>,
) -> EventRow<'a> {
    let body = EventBody {
        vmac_id: Some(vmac.id),
        action: answered.action,
        server_id: Some(vmac.server_id),
        ip_address: Some(vmac.ip_address),
        mac_address: Some(vmac.mac_address),
        status: EventStatus::Waiting(Waits::Waiting),
        reason: Some(EventReason::of(failure.code, Cow::Borrowed(&failure.text))),
        waiting_since: Some(since.to_rfc3339_opts(SecondsFormat::Millis, true)),
        switch_bindings: &vmac.switch_bindings,
        dead_letter_id: None,
        requested_by: answered.requester.requested_by,
        reference: answered.requester.reference,
        message_id: answered.message_id,
        correlation_id: answered.correlation_id,
        occurred_at: now.to_rfc3339_opts(SecondsFormat::Millis, true),
    };
    EventRow {
        routing_key: WAITING_KEY.to_owned(),
        body,
        message_key: answered.key,
        correlation_id: answered.correlation_id,
        traceparent: answered.traceparent,
        vmac_id: Some(vmac.id),
    }
}

/// The answer to a command, or what became of a virtual MAC that changed without one.
///
/// A consumer must take a field that it does not know: later versions may add some.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "vmac.event")]
pub struct EventBody<'a> {
    /// The row; null where there never was one.
    #[schemars(range(min = 1))]
    vmac_id: Option<i64>,
    /// What the command asks for; null where none is answered, or its routing key is not a command's.
    action: Option<Action>,
    /// The server's number in the panel; null where the message that is answered could not be read.
    #[schemars(range(min = 1))]
    server_id: Option<i64>,
    /// The address it is about; null where the message that is answered could not be read.
    ip_address: Option<BindableAddress>,
    /// The virtual MAC; null where there never was one.
    mac_address: Option<Mac>,
    /// What it tells; also the last part of the routing key.
    status: EventStatus,
    /// Why it failed, which newer command won, or what was found and done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EventReason<'a>")]
    reason: Option<EventReason<'a>>,
    /// Since when it waits, UTC to the millisecond, where the event says that it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("format" = "date-time", "pattern" = TIME_SINCE_1970))]
    waiting_since: Option<String>,
    /// Where the binding stands on each switch port.
    switch_bindings: &'a [SwitchBinding],
    /// The dead letter that keeps a message which could not be done, or not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64", range(min = 1))]
    dead_letter_id: Option<i64>,
    /// Who asked, where the command that is answered says it; where none is answered, as the row says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    requested_by: Option<String>,
    /// The producer's own reference, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    reference: Option<String>,
    /// The `message_id` of the command that is answered; null where it had none, or where no command is answered.
    message_id: Option<&'a str>,
    /// The `correlation_id` of that command.
    correlation_id: Option<&'a str>,
    /// When it happened, UTC to the millisecond.
    #[schemars(extend("format" = "date-time", "pattern" = TIME_SINCE_1970))]
    occurred_at: String,
}

/// What an event tells of.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum EventStatus {
    Ended(Outcome),
    Drifted(Drifted),
    Waiting(Waits),
    InForce(TellsInForce),
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TellsInForce {
    /// Whether a binding is in force is known to be otherwise than before; no command is answered.
    InForce,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Waits {
    /// The command is not done yet, because its switch cannot be brought to what is wanted; it goes on by itself.
    Waiting,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Drifted {
    /// A switch no longer holds what was pushed; no command is answered.
    Drift,
}

/// Why, and what.
#[derive(Debug, Serialize, JsonSchema)]
struct EventReason<'a> {
    /// The stable code.
    code: ReasonCode,
    /// The sentence for people.
    text: Cow<'a, str>,
}

/// The codes of failures, that of what a newer command overtook, those of drift, and those of what is not in force.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum ReasonCode {
    Failure(Code),
    Superseded(Overtaken),
    Drift(DriftCode),
    InForce(InForceCode),
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DriftCode {
    /// The address has no binding.
    BindingMissing,
    /// It is bound to another MAC of vmacd or to the server's own.
    MacDiffers,
    /// It stands in another VLAN, or more than once.
    PlaceDiffers,
    /// Its statement is there, and inactive.
    BindingInactive,
}

impl<'a> EventReason<'a> {
    fn of(code: Code, text: Cow<'a, str>) -> Self {
        Self { code: ReasonCode::Failure(code), text }
    }
}

impl ReasonCode {
    const fn of_drift(kind: DriftKind) -> Self {
        match kind {
            DriftKind::Missing => Self::Drift(DriftCode::BindingMissing),
            DriftKind::MacDiffers => Self::Drift(DriftCode::MacDiffers),
            DriftKind::PlaceDiffers => Self::Drift(DriftCode::PlaceDiffers),
            DriftKind::Inactive => Self::Drift(DriftCode::BindingInactive),
            DriftKind::UnderInactive => Self::Failure(Code::InactiveStatement),
            DriftKind::Foreign => Self::Failure(Code::ForeignBinding),
            DriftKind::Elsewhere => Self::Failure(Code::AddressElsewhere),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Overtaken {
    /// A newer command for the address won.
    Superseded,
}

impl<'a> EventBody<'a> {
    fn of(event: EventOf<'a>, now: DateTime<Utc>) -> Self {
        let answers = event.answers.as_ref();
        let Requester { requested_by, reference } = requester(answers, event.vmac);
        Self {
            requested_by,
            reference,
            vmac_id: event.vmac.map(|vmac| vmac.id),
            action: answers.and_then(|answered| answered.action),
            server_id: event.server_id,
            ip_address: event.ip,
            mac_address: event.vmac.map(|vmac| vmac.mac_address),
            status: EventStatus::Ended(event.outcome),
            switch_bindings: event.vmac.map_or(&[], |vmac| &vmac.switch_bindings),
            dead_letter_id: event.dead_letter_id,
            message_id: answers.and_then(|answered| answered.message_id),
            correlation_id: answers.and_then(|answered| answered.correlation_id),
            occurred_at: now.to_rfc3339_opts(SecondsFormat::Millis, true),
            waiting_since: None,
            reason: reason(event),
        }
    }
}

/// Who asked for the command, not whoever asked for the row before; where no command is answered, the row knows.
fn requester(answers: Option<&Answered<'_>>, vmac: Option<&Vmac>) -> Requester {
    let of_row = |vmac: &Vmac| Requester { requested_by: vmac.requested_by.clone(), reference: vmac.reference.clone() };
    answers.map(|answered| answered.requester.clone()).or_else(|| vmac.map(of_row)).unwrap_or_default()
}

fn reason(event: EventOf<'_>) -> Option<EventReason<'_>> {
    match event.reason {
        Some(Cow::Borrowed(failure)) => Some(EventReason::of(failure.code, Cow::Borrowed(&failure.text))),
        Some(Cow::Owned(failure)) => Some(EventReason::of(failure.code, Cow::Owned(failure.text))),
        None => {
            let text = event.superseded_by?.into();
            Some(EventReason { code: ReasonCode::Superseded(Overtaken::Superseded), text })
        }
    }
}

#[cfg(test)]
mod tests;
