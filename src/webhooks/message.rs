//! What is sent to a webhook. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::signature::sign;
use super::slack;
use crate::domain::{WebhookForm, WebhookSecret};

/// The routing key of the event that `vmacd webhooks test` sends.
const TEST_KEY: &str = "vmacd.test";

/// An event as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingEvent {
    /// What is the same each time it is sent, and for no other event.
    pub id: String,
    /// `vmac.active`, ...
    pub routing_key: String,
    /// The body as RabbitMQ has it, JSON.
    pub body: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
}

impl OutgoingEvent {
    /// The event of this number. The time is part of its id: a database that was restored gives numbers a second time.
    pub fn new(number: i64, routing_key: String, body: String, occurred_at: DateTime<Utc>) -> Self {
        let id = format!("event-{number}-{}", occurred_at.timestamp_millis());
        Self { id, routing_key, body, occurred_at }
    }

    /// The event of a test.
    pub fn test(now: DateTime<Utc>) -> Self {
        let body = json!({"message": "This is a test of vmacd's webhooks. Nothing has happened."}).to_string();
        let id = format!("test-{}", now.timestamp_millis());
        Self { id, routing_key: TEST_KEY.to_owned(), body, occurred_at: now }
    }
}

/// A request to a webhook: its headers and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookMessage {
    /// The header `webhook-id`.
    pub id: String,
    /// The header `webhook-timestamp`: when it is sent, seconds since 1970.
    pub timestamp: i64,
    /// The header `webhook-signature`.
    pub signature: String,
    /// The body, JSON.
    pub body: String,
}

impl WebhookMessage {
    /// The request for an event, sent and signed now.
    pub fn new(event: &OutgoingEvent, form: WebhookForm, secrets: &[&WebhookSecret], now: DateTime<Utc>) -> Self {
        let body = match form {
            WebhookForm::Standard => standard(event),
            WebhookForm::Slack => {
                let fields: Value = serde_json::from_str(&event.body).unwrap_or_default();
                json!({"text": slack::sentence(&event.routing_key, &fields)}).to_string()
            }
        };
        let (id, timestamp) = (event.id.clone(), now.timestamp());
        let signature = sign(secrets, &id, timestamp, &body);
        Self { id, timestamp, signature, body }
    }
}

/// The event's own body stays as it is, digit for digit.
fn standard(event: &OutgoingEvent) -> String {
    let happened = event.occurred_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    format!(r#"{{"type":{},"timestamp":"{happened}","data":{}}}"#, json!(event.routing_key), event.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_signed_with_each_secret_over_id_time_and_body() {
        let event = OutgoingEvent::new(81, "vmac.active".to_owned(), r#"{"a": 1}"#.to_owned(), DateTime::UNIX_EPOCH);
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"];
        let secrets = secrets.map(|text| WebhookSecret::stored(text.to_owned()));
        let now = DateTime::from_timestamp(1_764_324_000, 999_000_000).expect("a time");
        let sent = |secrets: &[&WebhookSecret]| WebhookMessage::new(&event, WebhookForm::Standard, secrets, now);
        let (one, both) = (sent(&[&secrets[0]]), sent(&[&secrets[0], &secrets[1]]));
        assert_eq!((one.id.as_str(), one.timestamp), ("event-81-0", 1_764_324_000));
        assert_eq!(one.body, r#"{"type":"vmac.active","timestamp":"1970-01-01T00:00:00.000Z","data":{"a": 1}}"#);
        assert_eq!(both.signature, format!("{} {}", one.signature, sent(&[&secrets[1]]).signature));
    }

    #[test]
    fn slack_gets_one_sentence() {
        let event = OutgoingEvent::new(
            1,
            "vmac.x".to_owned(),
            r#"{"ip_address": "10.0.48.6"}"#.to_owned(),
            DateTime::UNIX_EPOCH,
        );
        let message = WebhookMessage::new(&event, WebhookForm::Slack, &[], DateTime::UNIX_EPOCH);
        assert_eq!(message.body, r#"{"text":"vmac.x: 10.0.48.6."}"#);
        assert_eq!(message.signature, "");
    }
}
