//! Reservations: MACs kept for servers' addresses. No switch is involved, so that they are written at once.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, Query, parsed};
use super::paging::{Page, PageQuery};
use super::problem::{LookupProblems, Problem, QueryProblems};
use crate::domain::{BindableAddress, Code, Failure, Mac};
use crate::store::{Listed, NewReservation, Reservation};
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, reserve, release))
}

/// A MAC that is reserved for a server's address.
#[derive(Debug, Serialize, ToSchema)]
struct ReservationView {
    server_id: i64,
    #[schema(example = "10.0.48.6", format = "ipv4")]
    ip_address: String,
    #[schema(example = "02:5e:10:9a:0c:44")]
    mac_address: String,
    /// The pool that it was taken from; null if the MAC itself was requested.
    pool: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Reservation> for ReservationView {
    fn from(reservation: Reservation) -> Self {
        Self {
            server_id: reservation.server_id,
            ip_address: reservation.ip_address.to_string(),
            mac_address: reservation.mac_address.to_string(),
            pool: reservation.pool.map(|pool| pool.to_string()),
            created_at: reservation.created_at,
        }
    }
}

/// Lists the reservations in the order of their MACs.
#[utoipa::path(get, path = "/reservations", operation_id = "list_reservations", tag = "pools", params(PageQuery),
    responses(
        (status = 200, body = Page<ReservationView>),
        QueryProblems,
    ))]
async fn list(
    State(app): State<AppState>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page_request = query.page_request()?;
    let after: Option<Mac> =
        if page_request.after.is_empty() { None } else { Some(parsed("after", &page_request.after)?) };
    let items = app
        .store
        .mac_registry()
        .reservations(after, page_request.reads())
        .await?
        .into_iter()
        .map(ReservationView::from)
        .collect();
    let total = app.store.statistics().length(Listed::Reservations).await?;
    Ok(Page::new(items, total, &page_request, |kept: &ReservationView| kept.mac_address.clone()).answer(&uri))
}

/// What to reserve.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReserveBody {
    /// The server's number in the panel; it may be missing from the inventory.
    #[schema(minimum = 1, example = 1042)]
    server_id: i64,
    #[schema(format = "ipv4", example = "10.0.48.6")]
    ip_address: String,
    /// The MAC; without it, one from the pool.
    #[schema(example = "02:5e:10:9a:0c:44", pattern = "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
    mac_address: Option<String>,
    /// The pool; without it, the one that a create would use.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
    pool: Option<String>,
}

impl TryFrom<ReserveBody> for NewReservation {
    type Error = Failure;

    fn try_from(body: ReserveBody) -> Result<Self, Failure> {
        let mac = |text: &str| text.parse::<Mac>().and_then(Mac::as_virtual);
        let mac = body.mac_address.as_deref().map(mac).transpose();
        let pool = body.pool.map(|name| name.parse()).transpose();
        if body.server_id <= 0 {
            return Err(Failure::new(Code::InvalidField, format!("server_id: {} is not positive", body.server_id)));
        }
        Ok(Self {
            server_id: body.server_id,
            ip_address: body
                .ip_address
                .parse()
                .map_err(|error| Failure::new(Code::InvalidAddress, format!("ip_address: {error}")))?,
            mac_address: mac.map_err(|error| Failure::new(Code::InvalidMac, format!("mac_address: {error}")))?,
            pool: pool.map_err(|error| Failure::new(Code::InvalidField, format!("pool: {error}")))?,
        })
    }
}

/// Reserves a MAC for a server's address; repeating the request returns the same MAC.
#[utoipa::path(post, path = "/reservations", tag = "pools", request_body = ReserveBody,
    responses(
        (status = 200, description = "the existing reservation", body = ReservationView),
        (status = 201, description = "a new reservation", body = ReservationView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn reserve(State(app): State<AppState>, Body(body): Body<ReserveBody>) -> Result<Response, Problem> {
    let reserved =
        app.store.mac_registry().reserve(&body.try_into()?, &mut rand::make_rng::<rand::rngs::StdRng>()).await?;
    let status = if reserved.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(ReservationView::from(reserved.reservation))).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReleaseQuery {
    /// The server.
    #[param(minimum = 1)]
    server_id: i64,
    /// Its address.
    #[param(format = "ipv4")]
    ip_address: String,
}

/// Releases a reserved MAC.
#[utoipa::path(delete, path = "/reservations", tag = "pools", params(ReleaseQuery),
    responses(
        (status = 200, description = "the released reservation", body = ReservationView),
        LookupProblems,
    ))]
async fn release(
    State(app): State<AppState>,
    Query(query): Query<ReleaseQuery>,
) -> Result<Json<ReservationView>, Problem> {
    let ip: BindableAddress = parsed("ip_address", &query.ip_address)?;
    Ok(Json(app.store.mac_registry().release(query.server_id, ip).await?.into()))
}
