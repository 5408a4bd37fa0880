//! Liveness and readiness, for the supervisor that runs the process.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

/// Whether one part that the worker needs answers.
#[derive(Debug, Clone, Serialize)]
pub struct Readiness {
    /// The part: `database` or `broker`.
    pub part: &'static str,
    /// Whether it answers.
    pub ready: bool,
    /// What is wrong, when it does not.
    pub error: Option<String>,
}

/// Asks every part that the worker needs.
pub trait Health: Send + Sync + 'static {
    /// One entry per part.
    fn readiness(&self) -> Pin<Box<dyn Future<Output = Vec<Readiness>> + Send + '_>>;
}

/// Answers on the listener until `shutdown` resolves.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    health: Arc<dyn Health>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { Json(serde_json::json!({"status": "alive"})) }))
        .route("/readyz", get(ready))
        .with_state(health);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn ready(State(health): State<Arc<dyn Health>>) -> Response {
    let parts = health.readiness().await;
    let all = parts.iter().all(|part| part.ready);
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({"ready": all, "parts": parts}))).into_response()
}
