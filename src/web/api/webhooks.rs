//! Webhooks: where events are sent to over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, Path};
use super::problem::{ApiCode, LookupProblems, Problem};
use super::webhook_views::{FormView, SecretView, TestView, WebhookView};
use crate::domain::{SiteName, WebhookFilter, WebhookSecret};
use crate::store::{NewWebhook, StoreError};
use crate::web::app_state::AppState;
use crate::webhooks::check_target;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(show, remove))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(rotate))
        .routes(routes!(test))
}

/// Lists the webhooks by name, with what waits for each.
#[utoipa::path(get, path = "/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses(
        (status = 200, body = Vec<WebhookView>),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn list(State(app): State<AppState>) -> Result<Json<Vec<WebhookView>>, Problem> {
    Ok(Json(app.store.webhooks().list().await?.into_iter().map(WebhookView::from).collect()))
}

/// A webhook to add. Each filter that is left out or empty lets everything through.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddBody {
    /// Where events are sent; no internal address, unless the setting `webhooks.internal` allows it.
    #[schema(max_length = 2000, example = "https://billing.example.com/vmacd")]
    url: String,
    /// Its name; by default the host of the URL.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    name: Option<String>,
    /// `standard` by default.
    #[serde(default)]
    form: FormView,
    /// Only events with these routing keys; `*` is one word.
    #[serde(default)]
    #[schema(example = json!(["vmac.active", "vmac.failed"]))]
    events: Vec<String>,
    /// Only events of switches at these sites.
    #[serde(default)]
    sites: Vec<String>,
    /// Only events whose reference begins with one of these.
    #[serde(default)]
    references: Vec<String>,
}

fn read<T>(field: &str, text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Problem::new(ApiCode::InvalidBody, format!("{field}: {error}")))
}

impl AddBody {
    fn new_webhook(self) -> Result<NewWebhook, Problem> {
        let events = self.events.iter().map(|text| read("events", text)).collect::<Result<_, _>>()?;
        let sites = self.sites.iter().map(|text| read("sites", text)).collect::<Result<_, _>>()?;
        Ok(NewWebhook {
            name: self.name.as_deref().map(|name| read("name", name)).transpose()?,
            url: read("url", &self.url)?,
            form: self.form.into(),
            filter: WebhookFilter { events, sites, references: self.references },
        })
    }
}

async fn known_sites(app: &AppState, sites: &[SiteName]) -> Result<(), Problem> {
    let known = if sites.is_empty() { Vec::new() } else { app.store.freezes().sites().await? };
    let is_known = |site: &&SiteName| !known.iter().any(|(known, _)| known.as_ref() == Some(*site));
    match sites.iter().find(is_known) {
        Some(site) => Err(Problem::new(ApiCode::InvalidBody, format!("sites: no switch is at {site}"))),
        None => Ok(()),
    }
}

fn new_secret() -> WebhookSecret {
    WebhookSecret::of_bytes(&rand::random())
}

/// Adds a webhook: it gets every event from now on that passes its filters. The answer is the only one with its secret.
#[utoipa::path(post, path = "/webhooks", operation_id = "add_webhook", tag = "webhooks", request_body = AddBody,
    responses(
        (status = 201, body = SecretView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn add(
    State(app): State<AppState>,
    Body(body): Body<AddBody>,
) -> Result<(StatusCode, Json<SecretView>), Problem> {
    let (new, secret) = (body.new_webhook()?, new_secret());
    known_sites(&app, &new.filter.sites).await?;
    let target = check_target(&new.url, app.webhooks.allowed()).await;
    target.map_err(|error| Problem::new(ApiCode::InvalidBody, format!("url: {error}")))?;
    let webhook = app.store.webhooks().add(&new, &secret).await?;
    Ok((StatusCode::CREATED, Json(SecretView::new(webhook, &secret))))
}

/// Shows a webhook with what waits for it.
#[utoipa::path(get, path = "/webhooks/{webhook}", operation_id = "show_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name or id")),
    responses(
        (status = 200, body = WebhookView),
        LookupProblems,
    ))]
async fn show(State(app): State<AppState>, Path(name): Path<String>) -> Result<Json<WebhookView>, Problem> {
    Ok(Json(view(&app, &name).await?))
}

async fn view(app: &AppState, name: &str) -> Result<WebhookView, Problem> {
    let id = app.store.webhooks().get(name).await?.id;
    let found = app.store.webhooks().list().await?.into_iter().find(|overview| overview.webhook.id == id);
    Ok(found.ok_or_else(|| StoreError::NotFound { what: "webhook", id: id.to_string() })?.into())
}

/// Removes a webhook with its deliveries.
#[utoipa::path(delete, path = "/webhooks/{webhook}", operation_id = "remove_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name or id")),
    responses(
        (status = 204, description = "removed"),
        LookupProblems,
    ))]
async fn remove(State(app): State<AppState>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    app.store.webhooks().remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops sending to a webhook; events are kept for it until it is resumed.
#[utoipa::path(post, path = "/webhooks/{webhook}/pause", operation_id = "pause_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name or id")),
    responses(
        (status = 200, body = WebhookView),
        LookupProblems,
    ))]
async fn pause(State(app): State<AppState>, Path(name): Path<String>) -> Result<Json<WebhookView>, Problem> {
    app.store.webhooks().pause(&name).await?;
    Ok(Json(view(&app, &name).await?))
}

/// Sends again to a webhook that was paused, or disabled because its receiver answered 410 Gone.
#[utoipa::path(post, path = "/webhooks/{webhook}/resume", operation_id = "resume_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name or id")),
    responses(
        (status = 200, body = WebhookView),
        LookupProblems,
    ))]
async fn resume(State(app): State<AppState>, Path(name): Path<String>) -> Result<Json<WebhookView>, Problem> {
    app.store.webhooks().resume(&name).await?;
    Ok(Json(view(&app, &name).await?))
}

/// Gives a webhook another secret; the one before signs too for 24 hours. The answer is the only one with the new secret.
#[utoipa::path(post, path = "/webhooks/{webhook}/rotate", operation_id = "rotate_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name or id")),
    responses(
        (status = 200, body = SecretView),
        LookupProblems,
    ))]
async fn rotate(State(app): State<AppState>, Path(name): Path<String>) -> Result<Json<SecretView>, Problem> {
    let secret = new_secret();
    let webhook = app.store.webhooks().rotate(&name, &secret).await?;
    Ok(Json(SecretView::new(webhook, &secret)))
}

/// Sends a `vmacd.test` event now and says what came back.
#[utoipa::path(post, path = "/webhooks/{webhook}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name or id")),
    responses(
        (status = 200, body = TestView),
        LookupProblems,
    ))]
async fn test(State(app): State<AppState>, Path(name): Path<String>) -> Result<Json<TestView>, Problem> {
    let webhook = app.store.webhooks().get(&name).await?;
    let now = app.store.now().await?;
    let client = app.webhooks.client();
    Ok(Json(client.send_test(&webhook.url, webhook.form, &webhook.secrets(now), now).await.into()))
}
