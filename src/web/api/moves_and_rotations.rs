//! Requests for an address that has a virtual MAC: a move to another server, another MAC.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::dry_run::{DryRunQuery, DryRunReport};
use super::extract::{CommandHeaders, Query, ids};
use super::problem::{CommandProblems, Problem};
use super::queue::{Accepted, queue_or_dry_run};
use crate::domain::Action;
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(take)).routes(routes!(rotate))
}

/// Moves an address with its virtual MAC to another server. The body is queued as the message `vmac.move`, or only simulated (`dry_run`).
#[utoipa::path(post, path = "/moves", tag = "vmacs",
    request_body(content = ref("#/components/schemas/vmac.move"), content_type = "application/json",
        example = json!({"server_id": 1042, "ip_address": "10.0.48.6", "to_server_id": 1043, "reference": "order 7790"})),
    params(CommandHeaders, DryRunQuery),
    responses(
        (status = 200, description = "a dry run", body = DryRunReport),
        (status = 202, body = Accepted, headers(("Location" = String, description = "where the outcome will be"))),
        CommandProblems,
    ))]
async fn take(
    State(app): State<AppState>,
    Query(query): Query<DryRunQuery>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    queue_or_dry_run(&app, Action::Move, body?.to_vec(), ids(&headers)?, query.dry_run).await
}

/// Gives an address another virtual MAC. The body is queued as the message `vmac.rotate`, or only simulated
/// (`dry_run`).
#[utoipa::path(post, path = "/rotations", tag = "vmacs",
    request_body(content = ref("#/components/schemas/vmac.rotate"), content_type = "application/json",
        example = json!({"server_id": 1042, "ip_address": "10.0.48.6", "requested_by": "billing"})),
    params(CommandHeaders, DryRunQuery),
    responses(
        (status = 200, description = "a dry run", body = DryRunReport),
        (status = 202, body = Accepted, headers(("Location" = String, description = "where the outcome will be"))),
        CommandProblems,
    ))]
async fn rotate(
    State(app): State<AppState>,
    Query(query): Query<DryRunQuery>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    queue_or_dry_run(&app, Action::Rotate, body?.to_vec(), ids(&headers)?, query.dry_run).await
}
