//! Frozen sites.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::extract::{Body, Path, parsed};
use super::problem::{ApiCode, Problem};
use super::views::{FreezeView, ThawView};
use crate::domain::{FreezeOrder, Scope};
use crate::store::StoreError;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, freeze, thaw))
}

/// Lists the freezes in force, by site, of each the one that ends last first. A site is frozen until that one ends.
#[utoipa::path(get, path = "/freezes", tag = "freezes",
    responses(
        (status = 200, body = Vec<FreezeView>),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn list(State(app): State<AppState>) -> Result<Json<Vec<FreezeView>>, Problem> {
    Ok(Json(app.store.freezes().await?.into_iter().map(FreezeView::from).collect()))
}

/// Shows the freeze of a site; of several the one that ends last.
#[utoipa::path(get, path = "/freezes/{site}", tag = "freezes",
    params(("site" = String, Path, description = "its name in the inventory; `-` for the switches without one, `*` for all")),
    responses(
        (status = 200, body = FreezeView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn show(State(app): State<AppState>, Path(site): Path<String>) -> Result<Json<FreezeView>, Problem> {
    let site: Scope = parsed("site", &site)?;
    let found = app.store.freezes().await?.into_iter().find(|freeze| freeze.site == site);
    Ok(Json(found.ok_or(StoreError::NotFrozen(site))?.into()))
}

/// A freeze that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FreezeBody {
    /// When the freeze ends: a time to come, at most ten years ahead.
    until: DateTime<Utc>,
    /// The reason; shown on every row that waits.
    #[schema(max_length = 200)]
    reason: Option<String>,
    /// Who asks; `api` unless told.
    #[schema(max_length = 200)]
    made_by: Option<String>,
}

/// Freezes a site: nothing is committed on its switches until then. It ends no other freeze of the site and makes none
/// shorter: the site is frozen until the last of them ends. Asked for again by the same, for the same reason, it is made
/// longer.
#[utoipa::path(put, path = "/freezes/{site}", tag = "freezes", request_body = FreezeBody,
    params(("site" = String, Path, description = "its name in the inventory; `-` for the switches without one, `*` for all")),
    responses(
        (status = 200, body = FreezeView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn freeze(
    State(app): State<AppState>,
    Path(site): Path<String>,
    Body(body): Body<FreezeBody>,
) -> Result<Json<FreezeView>, Problem> {
    let made_by = body.made_by.unwrap_or_else(|| "api".to_owned());
    let order = FreezeOrder { site: parsed("site", &site)?, until: body.until, reason: body.reason, made_by };
    let order =
        order.checked(app.store.now().await?).map_err(|error| Problem::new(ApiCode::InvalidBody, error.to_string()))?;
    Ok(Json(app.store.freeze(&order).await?.into()))
}

/// Thaws a site: every freeze of it ends, whoever made it, and its switches' work goes on within seconds.
#[utoipa::path(delete, path = "/freezes/{site}", tag = "freezes",
    params(("site" = String, Path, description = "its name in the inventory; `-` for the switches without one, `*` for all")),
    responses(
        (status = 200, body = ThawView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn thaw(State(app): State<AppState>, Path(site): Path<String>) -> Result<Json<ThawView>, Problem> {
    let site: Scope = parsed("site", &site)?;
    let thawed = app.store.thaw(&site).await?;
    let still = app.store.freezes().await?.into_iter().filter(|freeze| freeze.site.meets(&site)).collect();
    Ok(Json(ThawView::new(thawed, still)))
}
