//! Liveness, readiness and metrics, for the supervisor that runs the process and for those who watch it.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::domain::{Health, WorkerHeartbeat};
use crate::store::SwitchTroubles;

/// Whether one part that the worker needs answers, or one of its tasks runs.
#[derive(Debug, Clone, Serialize)]
pub struct Readiness {
    /// The part: `database`, `broker`, or a task of the process such as `intake`.
    pub part: &'static str,
    /// Whether it answers, or runs.
    pub ready: bool,
    /// What is wrong, when it does not.
    pub error: Option<String>,
}

/// The health of the service, as pages show it.
#[derive(Debug, Clone)]
pub struct HealthView {
    /// The parts and the workers.
    pub health: Health,
    /// The switches in trouble.
    pub switches: SwitchTroubles,
    /// Freezes in force.
    pub freezes: i64,
}

impl HealthView {
    /// Changes when pages should be shown anew; not for each attempt that fails as the one before.
    pub(super) fn fingerprint(&self) -> String {
        let Health { database, broker, workers, known_at, .. } = &self.health;
        let of_worker = |worker: &WorkerHeartbeat| {
            (worker.name.clone(), worker.is_silent(*known_at), worker.trouble.clone(), worker.broker_lost_at)
        };
        let workers: Vec<_> = workers.iter().map(of_worker).collect();
        let switches: Vec<_> = self.switches.longest.iter().map(|of| (&of.switch, of.trouble.code)).collect();
        let parts = (database.is_some(), broker.is_some(), self.freezes);
        format!("{parts:?} {workers:?} {switches:?} {}", self.switches.count)
    }
}

/// Knows the health of the process.
#[async_trait]
pub trait HealthSource: Send + Sync + 'static {
    /// One entry per part that the worker needs, and per task.
    async fn readiness(&self) -> Vec<Readiness>;

    /// The health of the service, within two seconds even if a part does not answer.
    async fn health_view(&self) -> HealthView;

    /// Everything measured, in the OpenMetrics text format.
    async fn metrics(&self) -> String;
}

pub(super) async fn alive() -> Response {
    Json(serde_json::json!({"status": "alive"})).into_response()
}

pub(super) async fn ready(State(health_source): State<Arc<dyn HealthSource>>) -> Response {
    let parts = health_source.readiness().await;
    let all = parts.iter().all(|part| part.ready);
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({"ready": all, "parts": parts}))).into_response()
}

pub(super) async fn metrics(State(health_source): State<Arc<dyn HealthSource>>) -> Response {
    let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, format)], health_source.metrics().await).into_response()
}
