//! Deliveries to webhooks: list, and replay dead ones.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, Query};
use super::paging::{Page, PageRequest};
use super::problem::{ApiCode, LookupProblems, Problem, QueryProblems};
use super::webhook_views::{DeliveryView, StateView};
use crate::domain::DeliveryState;
use crate::store::DeliveryFilter;
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(replay))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Those of this webhook: its name or id.
    webhook: Option<String>,
    /// `waiting`, `delivered` or `dead`.
    #[param(inline)]
    state: Option<StateView>,
    /// Maximum number of items.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// The cursor `next` of the previous page.
    after: Option<String>,
}

/// Lists deliveries, newest first, and says how many there are in all.
#[utoipa::path(get, path = "/webhook-deliveries", operation_id = "list_webhook_deliveries", tag = "webhooks",
    params(ListQuery),
    responses(
        (status = 200, body = Page<DeliveryView>),
        QueryProblems,
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ))]
async fn list(
    State(app): State<AppState>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let page_request = PageRequest::new(query.limit, query.after)?;
    let filter = DeliveryFilter {
        webhook: webhook_id(&app, query.webhook.as_deref()).await?,
        state: query.state.map(DeliveryState::from),
        before_id: Some(page_request.after_number(i64::MAX)?),
        limit: Some(page_request.reads()),
        ids: Vec::new(),
    };
    let total = app.store.webhooks().count_deliveries(&filter).await?;
    let items = app.store.webhooks().deliveries(&filter).await?.into_iter().map(DeliveryView::from).collect();
    Ok(Page::new(items, total, &page_request, |delivery: &DeliveryView| delivery.id.to_string()).answer(&uri))
}

async fn webhook_id(app: &AppState, name: Option<&str>) -> Result<Option<i64>, Problem> {
    match name {
        Some(name) => Ok(Some(app.store.webhooks().get(name).await?.id)),
        None => Ok(None),
    }
}

/// Which dead deliveries to send again; at least one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeliverySelection)]
struct Selection {
    /// These.
    #[serde(default)]
    ids: Vec<i64>,
    /// Those of this webhook: its name or id.
    webhook: Option<String>,
    /// All of them.
    #[serde(default)]
    all: bool,
}

/// Which deliveries are sent again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayedDeliveries)]
struct Replayed {
    count: usize,
    ids: Vec<i64>,
}

/// Sends dead deliveries again, at once and for another day.
#[utoipa::path(post, path = "/webhook-deliveries/replay", operation_id = "replay_webhook_deliveries", tag = "webhooks",
    request_body = Selection,
    responses(
        (status = 200, body = Replayed),
        LookupProblems,
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ))]
async fn replay(State(app): State<AppState>, Body(selection): Body<Selection>) -> Result<Json<Replayed>, Problem> {
    let Selection { ids, webhook, all } = selection;
    if ids.is_empty() && webhook.is_none() && !all {
        return Err(Problem::new(ApiCode::InvalidBody, "choose which: ids, webhook or all"));
    }
    let webhook = webhook_id(&app, webhook.as_deref()).await?;
    let filter = DeliveryFilter { webhook, ids, ..DeliveryFilter::default() };
    if let Some(id) = app.store.webhooks().not_dead(&filter).await? {
        return Err(Problem::new(ApiCode::NotFound, format!("delivery {id} is not dead, or not of that webhook")));
    }
    let ids = app.store.webhooks().replay(&filter).await?;
    Ok(Json(Replayed { count: ids.len(), ids }))
}
