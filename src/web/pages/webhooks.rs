//! Webhooks: how each is, with its buttons, and what was sent.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{
    ROWS_READ, next_page_link, or_dash, redirect_to, relative_time_or_dash, safe, shown_of_total, status, time,
    truncate_to_page, url_encoded,
};
use super::error_page::PageError;
use super::extract::Query;
use super::layout::page;
use crate::domain::DeliveryState;
use crate::store::{Delivery, DeliveryFilter, Webhook, WebhookOverview};
use crate::web::app_state::AppState;

/// The address of the page.
const PATH: &str = "/webhooks";

/// Which deliveries, and what a test came to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    after: i64,
    webhook: String,
    state: String,
    tested: String,
    status: u16,
}

impl ListQuery {
    /// The page with the same deliveries in another state.
    fn path(&self, state: &str) -> String {
        format!("{PATH}?webhook={}&state={state}", url_encoded(&self.webhook))
    }
}

/// Lists the webhooks, then deliveries, newest first.
pub(super) async fn list(State(app): State<AppState>, Query(query): Query<ListQuery>) -> Result<Markup, PageError> {
    let webhooks = app.store.webhooks().list().await?;
    let webhook =
        if query.webhook.is_empty() { None } else { Some(app.store.webhooks().get(&query.webhook).await?.id) };
    let filter = DeliveryFilter {
        webhook,
        state: query.state.parse().ok(),
        before_id: (query.after > 0).then_some(query.after),
        limit: Some(ROWS_READ),
        ids: Vec::new(),
    };
    let mut deliveries = app.store.webhooks().deliveries(&filter).await?;
    let next = truncate_to_page(&mut deliveries, |delivery| delivery.id.to_string());
    let total = app.store.webhooks().count_deliveries(&filter).await?;
    let content = html! {
        (test_result(&query))
        @if webhooks.is_empty() {
            p .faint { "No webhooks. Add one to tell a panel without AMQP: " span .mono { "vmacd webhooks add URL" } }
        } @else { (table(&webhooks)) }
        h2 { "Deliveries, newest first" }
        p { @for (state, name) in [("", "All"), ("waiting", "Waiting"), ("dead", "Dead"), ("delivered", "Delivered")] {
            a href=(query.path(state)) aria-current=[(query.state == state).then_some("true")] { (name) } " "
        } }
        @if total == 0 { p .faint { "No deliveries." } } @else { (shown_of_total(deliveries.len(), total)) (sent(&deliveries)) }
        (next_page_link(&query.path(&url_encoded(&query.state)), next))
    };
    Ok(page("Webhooks", PATH, content))
}

fn test_result(query: &ListQuery) -> Markup {
    let is_good = (200..300).contains(&query.status);
    html! {
        @if !query.tested.is_empty() {
            p .note .good[is_good] .bad[!is_good] {
                "The test event for " (safe(&query.tested))
                @match query.status {
                    0 => " was not answered. ",
                    status => { " was answered with HTTP " (status) ". " },
                }
                @if !is_good { span .mono { "vmacd webhooks test" } " shows the answer." }
            }
        }
    }
}

fn table(webhooks: &[WebhookOverview]) -> Markup {
    html! {
        table .stack {
            thead { tr {
                th { "Webhook" } th { "URL" } th { "Events" } th { "State" } th .number { "Waiting" } th { "Oldest" }
                th .number { "Dead" } th { "Latest answer" } th {}
            } }
            tbody { @for overview in webhooks { (row(overview)) } }
        }
    }
}

fn row(overview: &WebhookOverview) -> Markup {
    let WebhookOverview { webhook, waiting, oldest_at, dead, last_answer } = overview;
    html! {
        tr {
            td data-label="Webhook" { a href={ (PATH) "?webhook=" (webhook.id) } { (webhook.name) } }
            td data-label="URL" .mono { (safe(&webhook.shown_url)) }
            td data-label="Events" { (safe(&filters(webhook))) }
            td data-label="State" { (state(webhook)) }
            td data-label="Waiting" .number { (waiting) }
            td data-label="Oldest" { (relative_time_or_dash(*oldest_at)) }
            td data-label="Dead" .number { (dead) }
            td data-label="Latest answer" { (or_dash(last_answer.as_ref())) }
            td { (buttons(webhook, *dead)) }
        }
    }
}

fn filters(webhook: &Webhook) -> String {
    let filter = &webhook.filter;
    let events = filter.events.iter().map(ToString::to_string);
    let sites = filter.sites.iter().map(|site| format!("site {site}"));
    let references = filter.references.iter().map(|prefix| format!("reference {prefix}…"));
    let all: Vec<String> = events.chain(sites).chain(references).collect();
    if all.is_empty() { "all".to_owned() } else { all.join(", ") }
}

fn state(webhook: &Webhook) -> Markup {
    html! {
        @if let Some(reason) = &webhook.disabled_reason { (status("disabled")) ": " (safe(reason)) }
        @else if let Some(at) = webhook.paused_at { (status("paused")) " " (time(at)) }
        @else { (status("active")) }
    }
}

fn buttons(webhook: &Webhook, dead: i64) -> Markup {
    let is_stopped = webhook.paused_at.is_some() || webhook.disabled_reason.is_some();
    let which = html! { input type="hidden" name="webhook" value=(webhook.id); };
    html! {
        div .actions {
            form method="post" action="/webhooks/test" { (which) button { "Test" } }
            @if is_stopped { form method="post" action="/webhooks/resume" { (which) button .primary { "Resume" } } }
            @else { form method="post" action="/webhooks/pause" { (which) button { "Pause" } } }
            @if dead > 0 { form method="post" action="/webhooks/replay" { (which) button { "Replay all " (dead) } } }
        }
    }
}

fn sent(deliveries: &[Delivery]) -> Markup {
    html! {
        table .stack {
            thead { tr {
                th { "Event" } th { "Webhook" } th { "Address" } th { "State" } th .number { "Attempts" } th { "Answer" }
                th { "Queued" } th { "Next" } th {}
            } }
            tbody { @for delivery in deliveries { (sent_row(delivery)) } }
        }
    }
}

fn sent_row(delivery: &Delivery) -> Markup {
    html! {
        tr {
            td data-label="Event" .mono { (or_dash(delivery.routing_key.as_ref())) }
            td data-label="Webhook" { (delivery.webhook) }
            td data-label="Address" .mono { (or_dash(delivery.ip_address.as_ref())) }
            td data-label="State" { (status(delivery.state.as_str())) }
            td data-label="Attempts" .number { (delivery.attempts) }
            td data-label="Answer" { (or_dash(delivery.last_answer.as_ref())) }
            td data-label="Queued" { (time(delivery.created_at)) }
            td data-label="Next" { (relative_time_or_dash(delivery.next_at)) }
            td { @if delivery.state == DeliveryState::Dead {
                form method="post" action="/webhooks/replay" {
                    input type="hidden" name="id" value=(delivery.id); button .primary { "Replay" }
                }
            } }
        }
    }
}

/// What a button sends: a webhook, or one delivery.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ButtonForm {
    webhook: String,
    id: Option<i64>,
}

/// Stops sending to a webhook.
pub(super) async fn pause(State(app): State<AppState>, Form(form): Form<ButtonForm>) -> Result<Response, PageError> {
    app.store.webhooks().pause(&form.webhook).await?;
    Ok(redirect_to(PATH))
}

/// Sends to it again.
pub(super) async fn resume(State(app): State<AppState>, Form(form): Form<ButtonForm>) -> Result<Response, PageError> {
    app.store.webhooks().resume(&form.webhook).await?;
    Ok(redirect_to(PATH))
}

/// Sends a test event and shows how it was answered.
pub(super) async fn test(State(app): State<AppState>, Form(form): Form<ButtonForm>) -> Result<Response, PageError> {
    let webhook = app.store.webhooks().get(&form.webhook).await?;
    let now = app.store.now().await?;
    let client = app.webhooks.client();
    let answer = client.send_test(&webhook.url, webhook.form, &webhook.secrets(now), now).await;
    let status = answer.status.unwrap_or_default();
    Ok(redirect_to(&format!("{PATH}?tested={}&status={status}", url_encoded(webhook.name.as_str()))))
}

/// Sends dead deliveries again: one, or those of a webhook.
pub(super) async fn replay(State(app): State<AppState>, Form(form): Form<ButtonForm>) -> Result<Response, PageError> {
    let webhook = match form.id {
        Some(_) => None,
        None => Some(app.store.webhooks().get(&form.webhook).await?.id),
    };
    let filter = DeliveryFilter { webhook, ids: form.id.into_iter().collect(), ..DeliveryFilter::default() };
    app.store.webhooks().replay(&filter).await?;
    Ok(redirect_to(PATH))
}
