//! The routes, and who may use which.

use std::future::Future;
use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
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
    let router = open.merge(guarded).with_state(vitals);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}
