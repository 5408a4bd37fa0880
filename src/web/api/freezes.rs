//! Frozen sites.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, Path, parsed};
use super::problem::{ApiCode, LookupProblems, Problem};
use super::views::{FreezeView, ThawView};
use crate::domain::{FreezeOrder, Scope};
use crate::store::StoreError;
use crate::web::access::caller;
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, freeze, thaw))
}

/// Lists the freezes in force by site; in each site, the one that ends last comes first. The site is frozen until then.
#[utoipa::path(get, path = "/freezes", operation_id = "list_freezes", tag = "freezes",
    responses(
        (status = 200, body = Vec<FreezeView>),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn list(State(app): State<AppState>) -> Result<Json<Vec<FreezeView>>, Problem> {
    Ok(Json(app.store.freezes().list().await?.into_iter().map(FreezeView::from).collect()))
}

/// Shows the freeze of a site; if there are several, the one that ends last.
#[utoipa::path(get, path = "/freezes/{site}", operation_id = "show_freeze", tag = "freezes",
    params(("site" = String, Path, description = "its name in the inventory; `-` for the switches without one, `*` for all")),
    responses(
        (status = 200, body = FreezeView),
        LookupProblems,
    ))]
async fn show(State(app): State<AppState>, Path(site): Path<String>) -> Result<Json<FreezeView>, Problem> {
    let site: Scope = parsed("site", &site)?;
    let found = app.store.freezes().list().await?.into_iter().find(|freeze| freeze.site == site);
    Ok(Json(found.ok_or(StoreError::NotFrozen(site))?.into()))
}

/// The freeze to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FreezeBody {
    /// When the freeze ends: a time in the future, at most ten years ahead.
    until: DateTime<Utc>,
    /// The reason; shown on every row that is waiting.
    #[schema(max_length = 200)]
    reason: Option<String>,
    /// Who is asking; the token's name if it is left out.
    #[schema(max_length = 200)]
    made_by: Option<String>,
}

/// Freezes a site: nothing is committed on its switches until then. Other freezes of the site stay as they are: the site is
/// frozen until the last of them ends. Repeating a freeze with the same `made_by` and reason extends it.
#[utoipa::path(put, path = "/freezes/{site}", tag = "freezes", request_body = FreezeBody,
    params(("site" = String, Path, description = "its name in the inventory; `-` for the switches without one, `*` for all")),
    responses(
        (status = 200, body = FreezeView),
        LookupProblems,
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ))]
async fn freeze(
    State(app): State<AppState>,
    Path(site): Path<String>,
    Body(body): Body<FreezeBody>,
) -> Result<Json<FreezeView>, Problem> {
    let made_by = body.made_by.or_else(caller::token_name).unwrap_or_else(|| "api".to_owned());
    let order = FreezeOrder { site: parsed("site", &site)?, until: body.until, reason: body.reason, made_by };
    let order =
        order.checked(app.store.now().await?).map_err(|error| Problem::new(ApiCode::InvalidBody, error.to_string()))?;
    Ok(Json(app.store.freezes().freeze(&order).await?.into()))
}

/// Thaws a site: ends all of its freezes, whoever made them; work on its switches continues within seconds.
#[utoipa::path(delete, path = "/freezes/{site}", tag = "freezes",
    params(("site" = String, Path, description = "its name in the inventory; `-` for the switches without one, `*` for all")),
    responses(
        (status = 200, body = ThawView),
        LookupProblems,
    ))]
async fn thaw(State(app): State<AppState>, Path(site): Path<String>) -> Result<Json<ThawView>, Problem> {
    let site: Scope = parsed("site", &site)?;
    let thawed = app.store.freezes().thaw(&site).await?;
    let still = app.store.freezes().list().await?.into_iter().filter(|freeze| freeze.site.meets(&site)).collect();
    Ok(Json(ThawView::new(thawed, still)))
}
