//! What became of a request.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Path;
use super::problem::{LookupProblems, Problem};
use super::views::CommandView;
use crate::domain::MessageKey;
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Shows the outcome of a request, by its message id. A request that no worker has accepted yet is not found.
#[utoipa::path(get, path = "/commands/{message_id}", operation_id = "show_command", tag = "vmacs",
    params(("message_id" = String, Path, description = "the message id, which is the idempotency key")),
    responses(
        (status = 200, body = CommandView),
        LookupProblems,
    ))]
async fn show(State(app): State<AppState>, Path(message_id): Path<String>) -> Result<Json<CommandView>, Problem> {
    Ok(Json(app.store.commands().get(&MessageKey(message_id)).await?.into()))
}
