//! Who had an address: over all rows there ever were.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query, parsed, parsed_optional};
use super::problem::{Problem, QueryProblems};
use super::views::address_schema;
use crate::domain::BindableAddress;
use crate::store::{AddressHolder, AskedBy, HeldPort};
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Who had an address.
#[derive(Debug, Serialize, ToSchema)]
struct AddressHistory {
    #[schema(schema_with = address_schema)]
    ip_address: String,
    /// In the order in which they got it.
    holders: Vec<HolderView>,
}

/// A time in which a server had the address.
#[derive(Debug, Serialize, ToSchema)]
struct HolderView {
    /// The row.
    vmac_id: i64,
    server_id: i64,
    #[schema(example = "02:5e:10:9a:0c:44")]
    mac_address: String,
    /// Where it was bound.
    ports: Vec<HeldPortView>,
    /// When what began it was admitted.
    from: DateTime<Utc>,
    /// When it was moved or rotated, or removed from the switches; null while it lasts.
    until: Option<DateTime<Utc>>,
    /// `created`, `adopted`, `moved`, `rotated` or `group-changed`.
    began: String,
    began_by: AskedByView,
    /// `moved`, `rotated`, `group-changed` or `revoked`; null while it lasts.
    ended: Option<String>,
    ended_by: AskedByView,
    /// Whether it was ever active on the switches; null if that is not known.
    was_active: Option<bool>,
}

/// A port that the address was bound on.
#[derive(Debug, Serialize, ToSchema)]
struct HeldPortView {
    server_id: i64,
    /// The switch, by the name that it had then.
    switch: String,
    interface: String,
    vlan: Option<String>,
}

/// Who asked for a change.
#[derive(Debug, Serialize, ToSchema)]
struct AskedByView {
    requested_by: Option<String>,
    reference: Option<String>,
}

impl From<HeldPort> for HeldPortView {
    fn from(HeldPort { server_id, switch, interface, vlan }: HeldPort) -> Self {
        Self { server_id, switch, interface, vlan }
    }
}

impl From<AskedBy> for AskedByView {
    fn from(AskedBy { requested_by, reference }: AskedBy) -> Self {
        Self { requested_by, reference }
    }
}

impl From<AddressHolder> for HolderView {
    fn from(holder: AddressHolder) -> Self {
        Self {
            vmac_id: holder.vmac_id,
            server_id: holder.server_id,
            mac_address: holder.mac_address.to_string(),
            ports: holder.ports.into_iter().map(HeldPortView::from).collect(),
            from: holder.from,
            until: holder.until,
            began: holder.began.as_str().to_owned(),
            began_by: holder.began_by.into(),
            ended: holder.ended.map(|ended| ended.as_str().to_owned()),
            ended_by: holder.ended_by.into(),
            was_active: holder.was_active,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Only who had it at this time.
    #[param(format = "date-time")]
    at: Option<String>,
}

/// Lists everybody who ever had an address, or who had it at a time, also after old rows were removed.
#[utoipa::path(get, path = "/history/{ip}", operation_id = "show_history", tag = "vmacs",
    params(("ip" = String, Path, description = "the IP address"), HistoryQuery),
    responses(
        (status = 200, body = AddressHistory),
        QueryProblems,
    ))]
async fn show(
    State(app): State<AppState>,
    Path(ip): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<AddressHistory>, Problem> {
    let ip: BindableAddress = parsed("the address", &ip)?;
    let at: Option<DateTime<Utc>> = parsed_optional("at", query.at.as_ref())?;
    let holders = app.store.vmacs().history(ip, at).await?.into_iter().map(HolderView::from).collect();
    Ok(Json(AddressHistory { ip_address: ip.to_string(), holders }))
}
