//! The health of the service and its switches, for programs: the same as the top of the pages.

use std::sync::Arc;

use axum::Json;
use axum::extract::Extension;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::{Code, Health, Outage, WorkerHeartbeat};
use crate::store::SwitchTrouble;
use crate::web::app_state::AppState;
use crate::web::health::{HealthSource, HealthView};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The health of the service, as this process sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct HealthReport {
    /// True if database, broker and workers are all healthy. Switches and freezes do not count.
    good: bool,
    /// How recent the data on workers and switches is; in the past while the database is unreachable.
    known_at: DateTime<Utc>,
    database: PartView,
    broker: PartView,
    /// True if the queue is a table of the database.
    broker_is_embedded: bool,
    /// By name.
    workers: Vec<WorkerView>,
    /// Switches whose latest attempt failed.
    #[schema(minimum = 0)]
    switches_in_trouble: i64,
    /// Those that have had problems longest.
    switches: Vec<TroubledSwitchView>,
    /// Freezes in force.
    #[schema(minimum = 0)]
    freezes: i64,
}

/// A part that the service needs.
#[derive(Debug, Serialize, ToSchema)]
struct PartView {
    good: bool,
    /// Since when it is unreachable.
    since: Option<DateTime<Utc>>,
    /// The error.
    error: Option<String>,
}

/// A worker, as it last reported.
#[derive(Debug, Serialize, ToSchema)]
struct WorkerView {
    name: String,
    version: String,
    started_at: DateTime<Utc>,
    heard_at: DateTime<Utc>,
    /// True if it has not reported for too long.
    silent: bool,
    /// Since when it has no connection to the broker.
    broker_lost_at: Option<DateTime<Utc>>,
    /// Which of its tasks stopped, and why.
    trouble: Option<String>,
}

/// A switch whose changes are waiting.
#[derive(Debug, Serialize, ToSchema)]
struct TroubledSwitchView {
    switch: String,
    #[schema(value_type = String, example = "unreachable")]
    code: Code,
    text: String,
    since: DateTime<Utc>,
    next_try_at: DateTime<Utc>,
}

impl From<&HealthView> for HealthReport {
    fn from(view: &HealthView) -> Self {
        let HealthView { health, switches, freezes } = view;
        let Health { database, broker, broker_is_embedded, workers, known_at, .. } = health;
        Self {
            good: health.is_good() && health.running().count() > 0,
            known_at: *known_at,
            database: PartView::of(database.as_ref()),
            broker: PartView::of(broker.as_ref()),
            broker_is_embedded: *broker_is_embedded,
            workers: workers.iter().map(|worker| WorkerView::of(worker, *known_at)).collect(),
            switches_in_trouble: switches.count,
            switches: switches.longest.iter().map(TroubledSwitchView::of).collect(),
            freezes: *freezes,
        }
    }
}

impl PartView {
    fn of(away: Option<&Outage>) -> Self {
        let (since, error) = (away.map(|away| away.since), away.map(|away| away.error.clone()));
        Self { good: away.is_none(), since, error }
    }
}

impl WorkerView {
    fn of(worker: &WorkerHeartbeat, now: DateTime<Utc>) -> Self {
        let WorkerHeartbeat { name, version, started_at, heard_at, broker_lost_at, trouble } = worker.clone();
        Self { silent: worker.is_silent(now), name, version, started_at, heard_at, broker_lost_at, trouble }
    }
}

impl TroubledSwitchView {
    fn of(SwitchTrouble { switch, trouble }: &SwitchTrouble) -> Self {
        let (code, text) = (trouble.code, trouble.text.clone());
        let (since, next_try_at) = (trouble.since, trouble.next_try_at);
        Self { switch: switch.to_string(), code, text, since, next_try_at }
    }
}

/// Shows the health of database, broker, workers and switches within two seconds, even if a part does not answer. The status
/// is always 200; probes that need a status use `/healthz` and `/readyz`. `/health` gives programs the same answer.
#[utoipa::path(get, path = "/health", operation_id = "show_health", tag = "health", responses((status = 200, body = HealthReport)))]
async fn show(Extension(health_source): Extension<Arc<dyn HealthSource>>) -> Json<HealthReport> {
    Json(HealthReport::from(&health_source.health_view().await))
}
