//! Dead letters: list, show, replay, discard.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::dead_letter_views::{CauseView, DeadLetterView};
use super::extract::{Body, Path, Query, parsed_optional};
use super::paging::{Page, PageRequest};
use super::problem::{ApiCode, LookupProblems, Problem, QueryProblems};
use super::replays::ReplayView;
use crate::broker;
use crate::store::DeadLetterFilter;
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(causes))
        .routes(routes!(show))
        .routes(routes!(replay_one))
        .routes(routes!(discard_one))
        .routes(routes!(replay_many))
        .routes(routes!(discard_many))
        .routes(routes!(progress))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `waiting` (the default), `replayed` or `discarded`.
    #[param(inline)]
    state: Option<LetterState>,
    /// Those with this reason code.
    reason: Option<String>,
    /// Those of this switch.
    #[param(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    switch: Option<String>,
    /// Those that last failed at or after this time.
    since: Option<DateTime<Utc>>,
    /// Maximum number of items.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// The cursor `next` of the previous page.
    after: Option<String>,
}

/// What became of a dead letter.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DeadLetterState)]
enum LetterState {
    Waiting,
    Replayed,
    Discarded,
}

impl LetterState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

/// Lists dead letters, newest first, and says how many there are in all.
#[utoipa::path(get, path = "/dead-letters", operation_id = "list_dead_letters", tag = "dead letters", params(ListQuery),
    responses(
        (status = 200, body = Page<DeadLetterView>),
        QueryProblems,
    ))]
async fn list(
    State(app): State<AppState>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let page_request = PageRequest::new(query.limit, query.after)?;
    let filter = DeadLetterFilter {
        state: query.state.unwrap_or(LetterState::Waiting).as_str().to_owned(),
        newest_first: true,
        after_id: page_request.after_number(0)?,
        limit: page_request.reads(),
        ids: Vec::new(),
        reason: query.reason,
        switch: parsed_optional("switch", query.switch.as_ref())?,
        since: query.since,
        ..DeadLetterFilter::default()
    };
    let total = app.store.dead_letters().count(&filter).await?;
    let items = app.store.dead_letters().list(&filter).await?.into_iter().map(DeadLetterView::from).collect();
    Ok(Page::new(items, total, &page_request, |letter: &DeadLetterView| letter.id.to_string()).answer(&uri))
}

/// Groups the waiting dead letters by reason and switch, the largest group first.
#[utoipa::path(get, path = "/dead-letters/causes", tag = "dead letters",
    responses(
        (status = 200, body = Vec<CauseView>),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn causes(State(app): State<AppState>) -> Result<Json<Vec<CauseView>>, Problem> {
    Ok(Json(app.store.dead_letters().causes().await?.into_iter().map(CauseView::from).collect()))
}

/// Shows one dead letter, whatever its state.
#[utoipa::path(get, path = "/dead-letters/{id}", operation_id = "show_dead_letter", tag = "dead letters",
    params(("id" = i64, Path, description = "its number")),
    responses(
        (status = 200, body = DeadLetterView),
        LookupProblems,
    ))]
async fn show(State(app): State<AppState>, Path(id): Path<i64>) -> Result<Json<DeadLetterView>, Problem> {
    Ok(Json(app.store.dead_letters().get(id).await?.into()))
}

/// Which dead letters were changed, or would be.
#[derive(Debug, Serialize, ToSchema)]
struct Changed {
    count: usize,
    ids: Vec<i64>,
    /// True when nothing was changed.
    dry_run: bool,
}

impl Changed {
    fn of(ids: Vec<i64>, dry_run: bool) -> Json<Self> {
        Json(Self { count: ids.len(), ids, dry_run })
    }
}

/// Replays a waiting dead letter: sends it to the work queue again, with its attempts reset.
#[utoipa::path(post, path = "/dead-letters/{id}/replay", tag = "dead letters",
    params(("id" = i64, Path, description = "its number")),
    responses(
        (status = 200, body = Changed),
        LookupProblems,
    ))]
async fn replay_one(State(app): State<AppState>, Path(id): Path<i64>) -> Result<Json<Changed>, Problem> {
    let letters = waiting(&app, DeadLetterFilter { ids: vec![id], ..DeadLetterFilter::default() }).await?;
    Ok(Changed::of(broker::replay(&app.broker, &app.store, &letters, |_| ()).await?, false))
}

/// Discards a waiting dead letter permanently.
#[utoipa::path(post, path = "/dead-letters/{id}/discard", tag = "dead letters",
    params(("id" = i64, Path, description = "its number")),
    responses(
        (status = 200, body = Changed),
        LookupProblems,
    ))]
async fn discard_one(State(app): State<AppState>, Path(id): Path<i64>) -> Result<Json<Changed>, Problem> {
    let letters = waiting(&app, DeadLetterFilter { ids: vec![id], ..DeadLetterFilter::default() }).await?;
    Ok(Changed::of(app.store.dead_letters().discard(&letters).await?, false))
}

/// Which dead letters to change: give at least one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Selection {
    /// These ids.
    #[serde(default)]
    ids: Vec<i64>,
    /// All waiting dead letters.
    #[serde(default)]
    all: bool,
    /// Those with this reason code.
    reason: Option<String>,
    /// Those of this switch.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    switch: Option<String>,
    /// Those that last failed at or after this time.
    since: Option<DateTime<Utc>>,
    /// Only list them.
    #[serde(default)]
    dry_run: bool,
}

/// Replays the waiting dead letters that match, in the background; `Location` shows the progress.
#[utoipa::path(post, path = "/dead-letters/replay", tag = "dead letters", request_body = Selection,
    responses(
        (status = 200, body = Changed, description = "a dry run"),
        (status = 202, body = ReplayView, headers(("Location" = String, description = "its progress"))),
        LookupProblems,
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ))]
async fn replay_many(State(app): State<AppState>, Body(selection): Body<Selection>) -> Result<Response, Problem> {
    let dry_run = selection.dry_run;
    let letters = chosen(&app, selection).await?;
    if dry_run {
        return Ok(Changed::of(letters, true).into_response());
    }
    let replay = app.replays.start(&app.broker, &app.store, letters);
    let location = format!("/api/v1/replays/{}", replay.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(replay)).into_response())
}

/// Discards the waiting dead letters that match, permanently.
#[utoipa::path(post, path = "/dead-letters/discard", tag = "dead letters", request_body = Selection,
    responses(
        (status = 200, body = Changed),
        LookupProblems,
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ))]
async fn discard_many(State(app): State<AppState>, Body(selection): Body<Selection>) -> Result<Json<Changed>, Problem> {
    let dry_run = selection.dry_run;
    let letters = chosen(&app, selection).await?;
    let changed = if dry_run { letters } else { app.store.dead_letters().discard(&letters).await? };
    Ok(Changed::of(changed, dry_run))
}

/// Shows the progress of a replay. Only the process that runs it knows.
#[utoipa::path(get, path = "/replays/{id}", tag = "dead letters",
    params(("id" = String, Path, description = "from the answer to the replay request")),
    responses(
        (status = 200, body = ReplayView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ))]
async fn progress(State(app): State<AppState>, Path(id): Path<String>) -> Result<Json<ReplayView>, Problem> {
    let unknown = || Problem::new(ApiCode::NotFound, "no replay with this id runs in this process");
    app.replays.get(&id).map(Json).ok_or_else(unknown)
}

async fn chosen(app: &AppState, selection: Selection) -> Result<Vec<i64>, Problem> {
    let Selection { ids, all, reason, switch, since, .. } = selection;
    if ids.is_empty() && !all && reason.is_none() && switch.is_none() && since.is_none() {
        return Err(Problem::new(ApiCode::InvalidBody, "choose which: ids, all, reason, switch or since"));
    }
    let switch = switch.map(|name| name.parse()).transpose();
    let switch = switch.map_err(|error| Problem::new(ApiCode::InvalidBody, format!("switch: {error}")))?;
    waiting(app, DeadLetterFilter { ids, reason, switch, since, ..DeadLetterFilter::default() }).await
}

/// Those that wait and match; it is a problem when one that was named is not among them.
async fn waiting(app: &AppState, filter: DeadLetterFilter) -> Result<Vec<i64>, Problem> {
    let letters = app.store.dead_letters().ids(&filter).await?;
    match filter.ids.iter().find(|id| letters.binary_search(id).is_err()) {
        Some(id) => Err(Problem::new(ApiCode::NotFound, format!("dead letter {id} is not waiting"))),
        None => Ok(letters),
    }
}
