//! Webhooks and deliveries as the API shows them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{DeliveryState, WebhookForm, WebhookSecret};
use crate::store::{Delivery, Webhook, WebhookOverview};
use crate::webhooks::Answer;

/// What a webhook is sent.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookForm)]
pub(super) enum FormView {
    /// The event as RabbitMQ has it, in the envelope of Standard Webhooks.
    #[default]
    Standard,
    /// One sentence.
    Slack,
}

impl From<FormView> for WebhookForm {
    fn from(form: FormView) -> Self {
        match form {
            FormView::Standard => Self::Standard,
            FormView::Slack => Self::Slack,
        }
    }
}

impl From<WebhookForm> for FormView {
    fn from(form: WebhookForm) -> Self {
        match form {
            WebhookForm::Standard => Self::Standard,
            WebhookForm::Slack => Self::Slack,
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DeliveryState)]
pub(super) enum StateView {
    /// It is still to be sent, for the first time or again.
    Waiting,
    /// The receiver has it.
    Delivered,
    /// Nobody tries any more until it is replayed.
    Dead,
}

impl From<StateView> for DeliveryState {
    fn from(state: StateView) -> Self {
        match state {
            StateView::Waiting => Self::Waiting,
            StateView::Delivered => Self::Delivered,
            StateView::Dead => Self::Dead,
        }
    }
}

impl From<DeliveryState> for StateView {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Waiting => Self::Waiting,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Dead => Self::Dead,
        }
    }
}

/// A webhook, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookView {
    id: i64,
    name: String,
    /// Without what may be a token: its query, and of Slack's its path.
    url: String,
    form: FormView,
    /// Only events with these routing keys; empty for all.
    events: Vec<String>,
    /// Only events of switches at these sites; empty for all.
    sites: Vec<String>,
    /// Only events whose reference begins with one of these; empty for all.
    references: Vec<String>,
    /// Until when the secret before the last rotation signs too.
    previous_until: Option<DateTime<Utc>>,
    /// Since when nothing is sent.
    paused_at: Option<DateTime<Utc>>,
    /// Why nothing is queued for it any more.
    disabled_reason: Option<String>,
    created_at: DateTime<Utc>,
    /// Deliveries that wait.
    waiting: i64,
    /// Since when the oldest of them does.
    oldest_at: Option<DateTime<Utc>>,
    /// Deliveries that could not be made within a day.
    dead: i64,
}

impl From<WebhookOverview> for WebhookView {
    fn from(overview: WebhookOverview) -> Self {
        let WebhookOverview { webhook, waiting, oldest_at, dead, .. } = overview;
        Self { waiting, oldest_at, dead, ..webhook.into() }
    }
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            name: webhook.name.into(),
            url: webhook.shown_url,
            form: webhook.form.into(),
            events: webhook.filter.events.into_iter().map(String::from).collect(),
            sites: webhook.filter.sites.into_iter().map(String::from).collect(),
            references: webhook.filter.references,
            previous_until: webhook.previous_until,
            paused_at: webhook.paused_at,
            disabled_reason: webhook.disabled_reason,
            created_at: webhook.created_at,
            waiting: 0,
            oldest_at: None,
            dead: 0,
        }
    }
}

/// A webhook with its secret, which is not shown again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookWithSecret)]
pub(super) struct SecretView {
    id: i64,
    name: String,
    /// What receivers verify signatures with (Standard Webhooks).
    #[schema(pattern = "^whsec_[A-Za-z0-9+/]+={0,2}$")]
    secret: String,
    /// Until when the secret before signs too.
    previous_until: Option<DateTime<Utc>>,
}

impl SecretView {
    pub fn new(webhook: Webhook, secret: &WebhookSecret) -> Self {
        let Webhook { id, name, previous_until, .. } = webhook;
        Self { id, name: name.into(), secret: secret.reveal().to_owned(), previous_until }
    }
}

/// What came back for a test event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookTest)]
pub(super) struct TestView {
    /// `delivered`, `refused` by its status, `unanswered`, `gone` (410), or `internal`: nothing was sent.
    result: &'static str,
    /// The status of the answer.
    status: Option<u16>,
    /// The beginning of the answer, or why there is none.
    answer: String,
}

impl From<Answer> for TestView {
    fn from(answer: Answer) -> Self {
        Self { result: answer.kind.as_str(), status: answer.status, answer: answer.text }
    }
}

/// An event on its way to a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(super) struct DeliveryView {
    pub id: i64,
    webhook: String,
    event_id: i64,
    /// Null where the event was removed since.
    #[schema(example = "vmac.active")]
    routing_key: Option<String>,
    ip_address: Option<String>,
    state: StateView,
    /// Attempts made.
    attempts: i64,
    /// When it is tried again, where it was tried before.
    next_at: Option<DateTime<Utc>>,
    /// What came back the first time.
    first_answer: Option<String>,
    /// What came back the last time.
    last_answer: Option<String>,
    last_tried_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// When it was delivered, or given up.
    ended_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            webhook: delivery.webhook.into(),
            event_id: delivery.event_id,
            routing_key: delivery.routing_key,
            ip_address: delivery.ip_address,
            state: delivery.state.into(),
            attempts: delivery.attempts,
            next_at: delivery.next_at,
            first_answer: delivery.first_answer,
            last_answer: delivery.last_answer,
            last_tried_at: delivery.last_tried_at,
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
        }
    }
}
