//! Taking switches and servers out of the inventory.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query, parsed};
use super::problem::{LookupProblems, Problem};
use crate::broker;
use crate::domain::InventoryItem;
use crate::web::access::caller;
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(remove_switch)).routes(routes!(remove_server))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    /// Revoke what needs it first: the revokes are queued, and the request is to be repeated until it is answered with 200.
    /// Reservations for a server are released.
    #[serde(default)]
    with_rows: bool,
    /// Who is asking; stored with the revokes.
    #[param(max_length = 200)]
    requested_by: Option<String>,
}

/// What was taken out of the inventory, or what has to be done before.
#[derive(Debug, Serialize, ToSchema)]
struct RemovalView {
    /// `switch` or `server`.
    #[schema(example = "switch")]
    what: String,
    name: String,
    /// Whether it was taken out.
    removed: bool,
    /// Ports of servers that went with it.
    ports: usize,
    /// Reservations that went with it.
    reservations: usize,
    /// The ids of the revokes that were queued.
    message_ids: Vec<String>,
    /// The virtual MACs that still need it.
    needed_by: Vec<String>,
}

/// Takes a switch out of the inventory, with the ports that servers have on it. Its pushes and backups stay.
#[utoipa::path(delete, path = "/inventory/switches/{name}", operation_id = "remove_switch", tag = "switches",
    params(("name" = String, Path, description = "its name in the inventory"), RemoveQuery),
    responses(
        (status = 200, description = "it is removed", body = RemovalView),
        (status = 202, description = "its virtual MACs are being revoked", body = RemovalView),
        (status = 409, description = "it is still needed", body = Problem, content_type = "application/problem+json"),
        LookupProblems,
    ))]
async fn remove_switch(
    State(app): State<AppState>,
    Path(name): Path<String>,
    Query(query): Query<RemoveQuery>,
) -> Result<Response, Problem> {
    remove(&app, InventoryItem::Switch(parsed("name", &name)?), query).await
}

/// Takes a server out of the inventory.
#[utoipa::path(delete, path = "/inventory/servers/{id}", operation_id = "remove_server", tag = "switches",
    params(("id" = i64, Path, description = "its number"), RemoveQuery),
    responses(
        (status = 200, description = "it is removed", body = RemovalView),
        (status = 202, description = "its virtual MACs are being revoked", body = RemovalView),
        (status = 409, description = "it is still needed", body = Problem, content_type = "application/problem+json"),
        LookupProblems,
    ))]
async fn remove_server(
    State(app): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<RemoveQuery>,
) -> Result<Response, Problem> {
    remove(&app, InventoryItem::Server(id), query).await
}

async fn remove(app: &AppState, item: InventoryItem, query: RemoveQuery) -> Result<Response, Problem> {
    let needs = app.store.inventory().needs(&item).await?;
    if query.with_rows && !needs.rows.is_empty() {
        let (mut message_ids, now) = (Vec::new(), app.store.time().await);
        for message in broker::revokes(&needs, query.requested_by.or_else(caller::token_name).as_deref())? {
            message_ids.extend(message.message_id.clone());
            app.broker.publish_command(message.stamped(now)).await?;
        }
        let needed_by = needs.rows.iter().map(|row| row.ip_address.to_string()).collect();
        let view = RemovalView {
            what: item.kind().to_owned(),
            name: item.name(),
            removed: false,
            ports: 0,
            reservations: 0,
            message_ids,
            needed_by,
        };
        return Ok((StatusCode::ACCEPTED, Json(view)).into_response());
    }
    let removal = app.store.inventory().remove(&item, query.with_rows).await?;
    let view = RemovalView {
        what: removal.what.to_owned(),
        name: removal.name,
        removed: true,
        ports: removal.ports,
        reservations: removal.reservations,
        message_ids: Vec::new(),
        needed_by: Vec::new(),
    };
    Ok(Json(view).into_response())
}
