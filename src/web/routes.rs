//! The routes, and who may use which.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::access::guard::{Guard, refuse_other_sites, require_token};
use super::access::permissions::Permissions;
use super::access::unknown_parameters::{KnownParameters, refuse_unknown};
use super::access::wrong_credentials::WrongCredentials;
use super::api::Api;
use super::api::problem::{ApiCode, Problem};
use super::app_state::AppState;
use super::health;
use super::hooks;
use super::pages::{self, Pages};
use super::server::Server;
use super::server::deadlines;
use super::server_context::ServerContext;

impl Server {
    /// Serves on the listener, once it runs, until `stopping` is cancelled. `/healthz` and `/readyz` answer everybody, as
    /// supervisors ask without credentials; a hook answers whoever signs with its secret.
    pub fn new(listener: TcpListener, context: &ServerContext, app: AppState, stopping: CancellationToken) -> Self {
        let router = router(context, app, stopping.clone());
        Self::with_router(listener, router, &context.settings, context.metrics.clone(), stopping)
    }
}

fn router(context: &ServerContext, app: AppState, stopping: CancellationToken) -> Router {
    let wrong_credentials = WrongCredentials::new(context.metrics.clone());
    let health_source = context.health_source.clone();
    let api = Api::new(app.clone(), health_source.clone());
    let guard = Arc::new(Guard {
        access: context.access.clone(),
        store: app.store.clone(),
        permissions: Permissions::documented(&api.document),
        wrong_credentials: wrong_credentials.clone(),
    });
    let checked = middleware::from_fn_with_state(Arc::new(KnownParameters::documented(&api.document)), refuse_unknown);
    let health = Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready));
    let hooks = hooks::router(app.clone(), wrong_credentials).route_layer(checked.clone());
    let open = health.with_state(health_source.clone()).merge(hooks);
    let metrics = Router::new().route("/metrics", get(health::metrics)).with_state(health_source);
    let programs = metrics.merge(api.routes.route_layer(checked.clone()));
    let programs = programs.route_layer(middleware::from_fn_with_state(guard.clone(), require_token));
    let pages = Pages::new(app, guard.clone(), context, stopping, &api.document);
    let documents = pages.for_programs_too(api.documents);
    let guarded = programs.merge(documents).merge(pages.routes.route_layer(checked));
    let guarded = guarded.route_layer(middleware::from_fn_with_state(guard, refuse_other_sites));
    let router = open.merge(guarded).fallback(no_such_path).method_not_allowed_fallback(no_such_method);
    let body_timeout = Duration::from_millis(context.settings.client_timeout_ms);
    let router = router.layer(middleware::from_fn_with_state(body_timeout, deadlines::enforce));
    router.layer(middleware::from_fn_with_state(pages.problem_pages, pages::render_problems))
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(ApiCode::NotFound, format!("nothing found at {}; /api/v1/docs lists all paths", uri.path()))
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(ApiCode::MethodNotAllowed, format!("{} does not accept {method}", uri.path()))
}
