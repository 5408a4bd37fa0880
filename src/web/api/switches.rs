//! Switches, their pushes and their backups.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query, parsed};
use super::paging::{Page, PageQuery};
use super::problem::{ApiCode, LookupProblems, Problem, QueryProblems};
use super::views::{BackupView, PushView, SwitchView};
use crate::domain::{SwitchName, redacted};
use crate::store::Listed;
use crate::web::app_state::AppState;
use crate::web::backup_diff::{BackupComparison, diff_since};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(pushes))
        .routes(routes!(push))
        .routes(routes!(backups))
        .routes(routes!(backup))
        .routes(routes!(backup_diff))
}

/// Lists the switches by name.
#[utoipa::path(get, path = "/switches", operation_id = "list_switches", tag = "switches", params(PageQuery),
    responses(
        (status = 200, body = Page<SwitchView>),
        QueryProblems,
    ))]
async fn list(
    State(app): State<AppState>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page_request = query.page_request()?;
    let overviews = app.store.switches().overviews(&page_request.after, page_request.reads()).await?.into_iter();
    let items = overviews.map(|overview| SwitchView::new(overview, app.drift)).collect();
    let total = app.store.statistics().length(Listed::Switches).await?;
    Ok(Page::new(items, total, &page_request, |switch: &SwitchView| switch.name.clone()).answer(&uri))
}

/// Shows one switch: problems, lease, pending changes, last push.
#[utoipa::path(get, path = "/switches/{name}", operation_id = "show_switch", tag = "switches",
    params(("name" = String, Path, description = "its name in the inventory")),
    responses(
        (status = 200, body = SwitchView),
        LookupProblems,
    ))]
async fn show(State(app): State<AppState>, Path(name): Path<String>) -> Result<Json<SwitchView>, Problem> {
    let overview = app.store.switches().overview(&parsed("name", &name)?).await?;
    Ok(Json(SwitchView::new(overview, app.drift)))
}

/// Lists the pushes to a switch, newest first.
#[utoipa::path(get, path = "/switches/{name}/pushes", tag = "switches",
    params(("name" = String, Path, description = "its name in the inventory"), PageQuery),
    responses(
        (status = 200, body = Page<PushView>),
        LookupProblems,
    ))]
async fn pushes(
    State(app): State<AppState>,
    OriginalUri(uri): OriginalUri,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let (switch, page_request) = (known(&app, &name).await?, query.page_request()?);
    let items = app
        .store
        .pushes()
        .list(&switch, &page_request.after, page_request.reads())
        .await?
        .into_iter()
        .map(PushView::from)
        .collect();
    let total = app.store.statistics().length(Listed::Pushes(&switch)).await?;
    Ok(Page::new(items, total, &page_request, |push: &PushView| push.id.clone()).answer(&uri))
}

/// Shows one push with its changes.
#[utoipa::path(get, path = "/pushes/{id}", tag = "switches",
    params(("id" = String, Path, description = "its id, which is also in the switch's commit log")),
    responses(
        (status = 200, body = PushView),
        LookupProblems,
    ))]
async fn push(State(app): State<AppState>, Path(id): Path<String>) -> Result<Json<PushView>, Problem> {
    Ok(Json(app.store.pushes().get(&id).await?.into()))
}

/// Lists the backups of a switch, newest first.
#[utoipa::path(get, path = "/switches/{name}/backups", tag = "switches",
    params(("name" = String, Path, description = "its name in the inventory"), PageQuery),
    responses(
        (status = 200, body = Page<BackupView>),
        LookupProblems,
    ))]
async fn backups(
    State(app): State<AppState>,
    OriginalUri(uri): OriginalUri,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let (switch, page_request) = (known(&app, &name).await?, query.page_request()?);
    let backups = app.store.backups().list(&switch, page_request.after_number(i64::MAX)?, page_request.reads()).await?;
    let items = backups.into_iter().map(BackupView::from).collect();
    let total = app.store.statistics().length(Listed::Backups(&switch)).await?;
    Ok(Page::new(items, total, &page_request, |backup: &BackupView| backup.id.to_string()).answer(&uri))
}

async fn known(app: &AppState, name: &str) -> Result<SwitchName, Problem> {
    Ok(app.store.switches().get(&parsed("name", name)?).await?.switch.name)
}

/// A backup with its content.
#[derive(Debug, Serialize, ToSchema)]
struct BackupContent {
    backup: BackupView,
    /// The configuration, its secrets hidden.
    content: String,
}

/// Shows a backup, its secrets hidden.
#[utoipa::path(get, path = "/backups/{id}", tag = "switches",
    params(("id" = i64, Path, description = "its number")),
    responses(
        (status = 200, body = BackupContent),
        LookupProblems,
    ))]
async fn backup(State(app): State<AppState>, Path(id): Path<i64>) -> Result<Json<BackupContent>, Problem> {
    let (backup, content) = app.store.backups().get(id).await?;
    Ok(Json(BackupContent { backup: backup.into(), content: redacted(&content) }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiffQuery {
    /// The other backup; without it, the switch's next one.
    to: Option<i64>,
}

/// How two backups differ.
#[derive(Debug, Serialize, ToSchema)]
struct BackupDiff {
    from: BackupView,
    to: BackupView,
    /// A unified diff, secrets hidden.
    diff: String,
}

/// Compares a backup with another, or with the switch's next one.
#[utoipa::path(get, path = "/backups/{id}/diff", tag = "switches",
    params(("id" = i64, Path, description = "its number"), DiffQuery),
    responses(
        (status = 200, body = BackupDiff),
        LookupProblems,
    ))]
async fn backup_diff(
    State(app): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<BackupDiff>, Problem> {
    let newest = || Problem::new(ApiCode::NotFound, format!("backup {id} is the newest of its switch"));
    let BackupComparison { from, to, diff } = diff_since(&app.store, id, query.to).await?.ok_or_else(newest)?;
    Ok(Json(BackupDiff { from: from.into(), to: to.into(), diff }))
}
