//! Virtual MACs: create, revoke, list, show.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::dry_run::{DryRunQuery, DryRunReport};
use super::extract::{CommandHeaders, Path, Query, ids, parsed, parsed_optional};
use super::paging::{Page, PageRequest};
use super::problem::{ApiCode, CommandProblems, LookupProblems, Problem, QueryProblems};
use super::queue::{Accepted, queue_or_dry_run};
use super::views::{VmacView, address_schema};
use crate::domain::{Action, BindableAddress, Search, Status};
use crate::store::{TimelineEntry, Vmac, VmacFilter};
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, revoke)).routes(routes!(timeline))
}

/// Requests a virtual MAC. The body is queued as the message `vmac.create`; `Location` says where the outcome will be. With
/// `dry_run` the request is only simulated.
#[utoipa::path(post, path = "/vmacs", tag = "vmacs",
    request_body(content = ref("#/components/schemas/vmac.create"), content_type = "application/json",
        example = json!({"server_id": 1042, "ip_address": "10.0.48.6", "requested_by": "billing", "reference": "order 7781"})),
    params(CommandHeaders, DryRunQuery),
    responses(
        (status = 200, description = "a dry run", body = DryRunReport),
        (status = 202, body = Accepted, headers(("Location" = String, description = "where the outcome will be"))),
        CommandProblems,
    ))]
async fn create(
    State(app): State<AppState>,
    Query(query): Query<DryRunQuery>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    queue_or_dry_run(&app, Action::Create, body?.to_vec(), ids(&headers)?, query.dry_run).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RevokeQuery {
    /// The server; without it the one that has the address.
    #[param(minimum = 1)]
    server_id: Option<i64>,
    /// When the revoke was requested.
    #[param(format = "date-time")]
    issued_at: Option<String>,
    /// Who is asking; stored with the row.
    #[param(max_length = 200)]
    requested_by: Option<String>,
    /// Your own reference, stored with the row.
    #[param(max_length = 200)]
    reference: Option<String>,
    /// Only show what would change: nothing is queued, and the switches are queried but not changed.
    #[serde(default)]
    dry_run: bool,
}

/// Revokes the virtual MAC of an address: the message `vmac.revoke` is queued, or only simulated (`dry_run`).
#[utoipa::path(delete, path = "/vmacs/{what}", tag = "vmacs",
    params(("what" = String, Path, description = "the IP address"), CommandHeaders, RevokeQuery),
    responses(
        (status = 200, description = "a dry run", body = DryRunReport),
        (status = 202, body = Accepted, headers(("Location" = String, description = "where the outcome will be"))),
        LookupProblems,
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ))]
async fn revoke(
    State(app): State<AppState>,
    Path(ip): Path<String>,
    Query(query): Query<RevokeQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let address: BindableAddress = parsed("the address", &ip)?;
    let server_id = match query.server_id {
        Some(server_id) => server_id,
        None => server_of(&app, address).await?,
    };
    let mut body = Map::new();
    body.insert("server_id".to_owned(), server_id.into());
    body.insert("ip_address".to_owned(), address.to_string().into());
    let texts = [("issued_at", query.issued_at), ("requested_by", query.requested_by), ("reference", query.reference)];
    body.extend(texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))));
    let body = Value::from(body).to_string().into_bytes();
    queue_or_dry_run(&app, Action::Revoke, body, ids(&headers)?, query.dry_run).await
}

async fn server_of(app: &AppState, ip: BindableAddress) -> Result<i64, Problem> {
    let rows = app.store.vmacs().find(&VmacFilter { ip: Some(ip), ..VmacFilter::default() }).await?;
    let live = rows.iter().find(|row| row.status != Status::Revoked).map(|row| row.server_id);
    let text = || format!("{ip} has no virtual MAC; name the server with `server_id` to revoke all the same");
    live.ok_or_else(|| Problem::new(ApiCode::NotFound, text()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `pending`, `active`, `failed` or `revoked`.
    #[param(pattern = "^(pending|active|failed|revoked)$")]
    status: Option<String>,
    /// Active ones that are in force: `yes`, `no`, or `unknown` where it is not known; what is worst of its ports counts.
    #[param(pattern = "^(yes|no|unknown)$")]
    in_force: Option<String>,
    /// Those on this switch.
    #[param(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    switch: Option<String>,
    /// Those of this server.
    server_id: Option<i64>,
    /// Those for this address.
    #[param(schema_with = address_schema)]
    ip: Option<String>,
    /// Those with this MAC.
    #[param(pattern = "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$")]
    mac: Option<String>,
    /// Those that match: part of an address, a subnet, the start of a MAC, an order or another reference, a message id, a
    /// server's number.
    q: Option<String>,
    /// Maximum number of items.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// The cursor `next` of the previous page.
    after: Option<String>,
}

/// Lists virtual MACs, newest first, and says how many there are in all.
#[utoipa::path(get, path = "/vmacs", operation_id = "list_vmacs", tag = "vmacs", params(ListQuery),
    responses(
        (status = 200, body = Page<VmacView>),
        QueryProblems,
    ))]
async fn list(
    State(app): State<AppState>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let page_request = PageRequest::new(query.limit, query.after)?;
    let filter = VmacFilter {
        status: parsed_optional("status", query.status.as_ref())?,
        in_force: parsed_optional("in_force", query.in_force.as_ref())?,
        switch: parsed_optional("switch", query.switch.as_ref())?,
        server_id: query.server_id,
        ip: parsed_optional("ip", query.ip.as_ref())?,
        mac: parsed_optional("mac", query.mac.as_ref())?,
        search: query.q.as_deref().and_then(Search::of),
        newest_first: true,
        after_id: page_request.after_number(0)?,
        limit: page_request.reads(),
    };
    let total = app.store.vmacs().count(&filter).await?;
    let items = app.store.vmacs().find(&filter).await?.into_iter().map(VmacView::from).collect();
    Ok(Page::new(items, total, &page_request, |vmac: &VmacView| vmac.id.to_string()).answer(&uri))
}

/// Shows the virtual MAC with this address, MAC or id; the newest if there are several.
#[utoipa::path(get, path = "/vmacs/{what}", operation_id = "show_vmac", tag = "vmacs",
    params(("what" = String, Path, description = "an IP address, a MAC, or a row's id")),
    responses(
        (status = 200, body = VmacView),
        LookupProblems,
    ))]
async fn show(State(app): State<AppState>, Path(what): Path<String>) -> Result<Json<VmacView>, Problem> {
    Ok(Json(find(&app, &what).await?.into()))
}

/// What happened to a virtual MAC.
#[derive(Debug, Serialize, ToSchema)]
struct Timeline {
    vmac: VmacView,
    entries: Vec<Entry>,
}

/// One line of it.
#[derive(Debug, Serialize, ToSchema)]
struct Entry {
    at: chrono::DateTime<chrono::Utc>,
    text: String,
}

/// Lists what happened to a virtual MAC, oldest first: its commands and its events.
#[utoipa::path(get, path = "/vmacs/{what}/timeline", tag = "vmacs",
    params(("what" = String, Path, description = "an IP address, a MAC, or a row's id")),
    responses(
        (status = 200, body = Timeline),
        LookupProblems,
    ))]
async fn timeline(State(app): State<AppState>, Path(what): Path<String>) -> Result<Json<Timeline>, Problem> {
    let vmac = find(&app, &what).await?;
    let entries = app.store.vmacs().timeline(vmac.id).await?;
    let entries = entries.into_iter().map(|TimelineEntry { at, text }| Entry { at, text }).collect();
    Ok(Json(Timeline { vmac: vmac.into(), entries }))
}

async fn find(app: &AppState, what: &str) -> Result<Vmac, Problem> {
    Ok(app.store.vmacs().named(parsed("what", what)?).await?)
}
