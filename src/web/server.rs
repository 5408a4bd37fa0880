//! The routes, and who may use which.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::guard::require_token;
use super::health::{self, Vitals};

/// Who may ask for more than whether the process lives.
#[derive(Clone)]
pub enum Access {
    /// Everybody: the address is a loopback one and no token is set.
    Open,
    /// Who shows this bearer token.
    Token(String),
}

/// Longest time for one answer: longer than the database and the broker take to say why they do not answer.
const ANSWER_MAX: Duration = Duration::from_secs(15);

async fn within_deadline(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "no answer within 15 s\n").into_response(),
    }
}

/// Answers on the listener until `shutdown` resolves. `/healthz` and `/readyz` answer everybody, as supervisors ask
/// without credentials.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    vitals: Arc<dyn Vitals>,
    access: Access,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let guarded = Router::new()
        .route("/metrics", get(health::metrics))
        .route_layer(middleware::from_fn_with_state(Arc::new(access), require_token));
    let open = Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready));
    let router = open.merge(guarded).layer(middleware::from_fn(within_deadline)).with_state(vitals);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}
