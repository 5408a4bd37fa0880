//! The routes, and who may use which.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::api::{self, ApiCode, Problem};
use super::guard::{refuse_other_sites, require_token};
use super::health::{self, Vitals};
use super::{App, hooks, pages};

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
        Err(_) => Problem::new(ApiCode::NoAnswer, "no answer within 15 s").into_response(),
    }
}

/// Answers on the listener until `shutdown` resolves. `/healthz` and `/readyz` answer everybody, as supervisors ask
/// without credentials; a hook answers whoever signs with its secret.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    vitals: Arc<dyn Vitals>,
    app: App,
    access: Access,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let stopping = CancellationToken::new();
    let router = router(vitals, app, Arc::new(access), stopping.clone());
    let shutdown = async move {
        shutdown.await;
        stopping.cancel();
    };
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

fn router(vitals: Arc<dyn Vitals>, app: App, access: Arc<Access>, stopping: CancellationToken) -> Router {
    let health = Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready));
    let open = health.with_state(vitals.clone()).merge(hooks::router(app.clone()));
    let metrics = Router::new().route("/metrics", get(health::metrics)).with_state(vitals);
    let api = metrics.merge(api::router(app.clone()));
    let api = api.route_layer(middleware::from_fn_with_state(access.clone(), require_token));
    let guarded = api.merge(pages::router(app, access.clone(), stopping));
    let guarded = guarded.route_layer(middleware::from_fn_with_state(access, refuse_other_sites));
    let router = open.merge(guarded).fallback(no_such_path).method_not_allowed_fallback(no_such_method);
    router.layer(middleware::from_fn(within_deadline))
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(ApiCode::NotFound, format!("there is nothing at {}; /api/v1/docs lists what there is", uri.path()))
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(ApiCode::MethodNotAllowed, format!("{} does not take {method}", uri.path()))
}
