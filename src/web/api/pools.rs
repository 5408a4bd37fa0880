//! The pools of MACs and how full they are.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use crate::store::PoolFigures;
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A pool, counted now.
#[derive(Debug, Serialize, ToSchema)]
struct PoolView {
    #[schema(example = "default")]
    pool: String,
    /// `random`, `from-address` or `tagged`.
    strategy: String,
    /// The prefix of its MACs.
    #[schema(example = "02:a5")]
    prefix: String,
    /// How many MACs it has.
    size: u64,
    /// How many are in use.
    used: u64,
    /// The part of all that is in use, 0 to 1.
    used_ratio: f64,
    /// The probability that the next draw hits a MAC in use, and is repeated.
    clash_odds: f64,
    /// The probability that as many draws without any check would have produced a duplicate.
    unchecked_clash_odds: f64,
}

impl From<PoolFigures> for PoolView {
    fn from(figures: PoolFigures) -> Self {
        Self {
            pool: figures.pool.to_string(),
            strategy: figures.strategy.to_string(),
            prefix: figures.prefix,
            size: figures.size,
            used: figures.used,
            used_ratio: figures.used_ratio,
            clash_odds: figures.clash_odds,
            unchecked_clash_odds: figures.unchecked_clash_odds,
        }
    }
}

/// Lists the pools by name.
#[utoipa::path(get, path = "/pools", operation_id = "list_pools", tag = "pools",
    responses(
        (status = 200, body = Vec<PoolView>),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn list(State(app): State<AppState>) -> Result<Json<Vec<PoolView>>, Problem> {
    Ok(Json(app.store.mac_registry().pool_figures().await?.into_iter().map(PoolView::from).collect()))
}
