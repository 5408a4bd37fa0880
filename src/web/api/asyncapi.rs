//! The AsyncAPI 3.0 document: what `vmacd` takes and sends over AMQP, for generators and for people.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::schemas::{self, BASE};
use crate::broker::{COMMANDS, EVENTS};
use crate::domain::Action;
use crate::store::{DRIFT_KEY, IN_FORCE_KEY, Outcome, WAITING_KEY};

const DESCRIPTION: &str = "Virtual MAC addresses for extra IP addresses on Juniper switch ports: commands in, events out, over \
    AMQP 0-9-1. The setting `broker.namespace` is the prefix of each exchange's name. Publish persistent, wait \
    for the broker's confirm, and take every event at least once.";
/// The version of the bindings that is written (AsyncAPI bindings, `amqp`).
const AMQP_BINDING: &str = "0.3.0";
const PERSISTENT: u8 = 2;

/// What an event tells.
#[derive(Clone, Copy)]
enum EventKind {
    Outcome(Outcome),
    Waiting,
    Drift,
    InForce,
}

impl EventKind {
    fn routing_key(self) -> String {
        match self {
            Self::Outcome(outcome) => outcome.routing_key(),
            Self::Waiting => WAITING_KEY.to_owned(),
            Self::Drift => DRIFT_KEY.to_owned(),
            Self::InForce => IN_FORCE_KEY.to_owned(),
        }
    }
}

/// The route of the document.
pub(super) fn router() -> Router {
    Router::new().route(&format!("{BASE}/asyncapi.json"), get(async || Json(document())))
}

/// The document. It names no server: that is the one of `amqp.url`.
fn document() -> Value {
    let title = "vmacd messages";
    json!({
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": of_each(command_channel, event_channel),
        "operations": of_each(receive, send),
        "components": {"messages": messages(), "schemas": schemas::components()},
    })
}

/// An entry for each command, and one for each event.
fn of_each(command: fn(Action) -> (String, Value), event: fn(EventKind) -> (String, Value)) -> Map<String, Value> {
    let kind = Outcome::ALL.into_iter().map(EventKind::Outcome).chain([
        EventKind::Waiting,
        EventKind::Drift,
        EventKind::InForce,
    ]);
    Action::ALL.into_iter().map(command).chain(kind.map(event)).collect()
}

fn command_channel(action: Action) -> (String, Value) {
    let key = action.routing_key();
    (key.to_owned(), channel(COMMANDS, key, key))
}

fn event_channel(kind: EventKind) -> (String, Value) {
    let key = kind.routing_key();
    (key.to_owned(), channel(EVENTS, &key, schemas::EVENT))
}

/// A routing key of an exchange.
fn channel(exchange: &str, key: &str, message: &str) -> Value {
    let exchange = json!({"name": exchange, "type": "topic", "durable": true, "autoDelete": false});
    json!({
        "address": key,
        "messages": {message: {"$ref": format!("#/components/messages/{message}")}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": AMQP_BINDING}},
    })
}

/// What the application takes.
fn receive(action: Action) -> (String, Value) {
    let key = action.routing_key();
    let summary = match action {
        Action::Create => "A producer asks for a virtual MAC for an address",
        Action::Rotate => "A producer asks for another virtual MAC for an address that has one",
        Action::Move => "A producer asks to move an address with its virtual MAC to another server",
        Action::Revoke => "A producer asks to revoke the virtual MAC of an address",
    };
    (format!("receive.{key}"), operation("receive", key, key, summary))
}

/// What the application sends.
fn send(kind: EventKind) -> (String, Value) {
    let key = kind.routing_key();
    let summary = match kind {
        EventKind::Waiting => {
            "The command is delayed because its switch cannot be changed now; it is retried automatically"
        }
        EventKind::Drift => "A switch no longer has what was pushed; the reason says what was found and done",
        EventKind::InForce => "The in-force state of a binding has changed; the bindings and the reason say how",
        EventKind::Outcome(Outcome::Active) => {
            "The virtual MAC is bound on all of its switch ports, as read back from the switches"
        }
        EventKind::Outcome(Outcome::Revoked) => "The virtual MAC was removed from the switches",
        EventKind::Outcome(Outcome::Superseded) => "A newer command for the address won",
        EventKind::Outcome(Outcome::Failed) => "The command failed; the reason says why",
    };
    (format!("send.{key}"), operation("send", &key, schemas::EVENT, summary))
}

fn operation(action: &str, channel: &str, message: &str, summary: &str) -> Value {
    json!({
        "action": action,
        "summary": summary,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "messages": [{"$ref": format!("#/channels/{channel}/messages/{message}")}],
        "bindings": {"amqp": {"deliveryMode": PERSISTENT, "bindingVersion": AMQP_BINDING}},
    })
}

fn messages() -> Value {
    let message = |name: &str, headers: Value| {
        json!({
            "name": name,
            "contentType": "application/json",
            "payload": {"$ref": format!("#/components/schemas/{name}")},
            "headers": headers,
            "correlationId": {"location": "$message.header#/correlation_id"},
        })
    };
    let of_command = headers("The idempotency key: a repeated id returns the first outcome.");
    let of_event = headers(
        "Unique for each event, so that repeated events can be detected; the id of the command is in the body.",
    );
    let commands = Action::ALL.map(|action| (action.routing_key(), of_command.clone()));
    let all = commands.into_iter().chain([(schemas::EVENT, of_event)]);
    Value::Object(all.map(|(name, headers)| (name.to_owned(), message(name, headers))).collect())
}

/// What travels beside a body. AsyncAPI's AMQP binding has no place for the properties `message-id` and `correlation-id`,
/// so they are among the headers and are marked.
fn headers(message_id: &str) -> Value {
    let text = |chars_max: u32, description: &str| json!({"type": "string", "maxLength": chars_max, "description": description});
    let property = |name: &str, description: &str| {
        let mut property = text(200, &format!("AMQP property `{name}`. {description}"));
        property["x-amqp-property"] = name.into();
        property
    };
    json!({
        "type": "object",
        "properties": {
            "message_id": property("message-id", message_id),
            "correlation_id": property("correlation-id", "Copied from the command to its events."),
            "traceparent": text(255, "W3C Trace Context, copied from the command to its events."),
        },
    })
}
