//! The pages for people, at `/`: made on the server, usable from a phone, nothing fetched from elsewhere.
//!
//! One file for each kind of page. `layout` is what pages share, `health_banner` is at their top, `components` has small
//! pieces, `wording` the words for states, `extract` the parameters. `search` finds what somebody means. `error_page` says why a page cannot be shown;
//! `problem_pages` turns what other parts refuse into one. `login` asks for a token, `sessions` remembers who sent it.
//! `live_updates` tells open pages that something happened.
//!
//! Everything works without scripts; `assets/page.js` only fetches a page again when `live` says so. What is shown is
//! escaped twice over: by `maud` for HTML, by [`crate::domain::shown`] for what turns or hides text.

mod api_docs;
mod assets;
mod backups;
mod components;
mod dead_letters;
mod error_page;
mod extract;
mod freezes;
mod health;
mod health_banner;
mod history;
mod layout;
mod live_updates;
mod log;
mod login;
mod overview;
mod problem_pages;
mod pushes;
mod search;
mod sessions;
mod switches;
mod vmacs;
mod webhooks;
mod wording;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::login::Logins;
use self::sessions::Sessions;
use crate::web::access::guard::Guard;
use crate::web::app_state::AppState;
use crate::web::server_context::ServerContext;

pub(super) use problem_pages::{ProblemPages, render_problems};

/// Longest form, bytes: who has not shown the token may send the one that asks for it.
const FORM_BYTES_MAX: usize = 16 << 10;

/// The pages.
pub(super) struct Pages {
    /// Their routes.
    pub routes: Router,
    /// What turns problems into pages.
    pub problem_pages: ProblemPages,
    logins: Logins,
}

/// Most pages that are kept live at the same time, each by a connection of its own.
const WATCHERS_MAX: usize = 128;

impl Pages {
    /// Live updates end once `stopping` is cancelled. `api` is the OpenAPI document.
    pub fn new(
        app: AppState,
        guard: Arc<Guard>,
        context: &ServerContext,
        stopping: CancellationToken,
        api: &Value,
    ) -> Self {
        let (settings, health_source) = (&context.settings, &context.health_source);
        // Open pages are not to keep all others out.
        let watchers_max = WATCHERS_MAX.min(settings.connections_per_address_max.min(settings.connections_max) / 2);
        let live = live_updates::LiveUpdates::new(app.store.clone(), health_source.clone(), watchers_max, stopping);
        let logins = Logins::new(guard, Sessions::new(app.store.clone(), settings));
        let guarded =
            guarded(app, api).route_layer(middleware::from_fn_with_state(health_source.clone(), health::add_health));
        let guarded = guarded.merge(Router::new().route("/live", get(live_updates::watch)).with_state(live));
        let open = Router::new()
            .route("/login", get(login::show_form).post(login::log_in))
            .route("/logout", post(login::log_out))
            .with_state(logins.clone());
        let guarded = guarded.route_layer(middleware::from_fn_with_state(logins.clone(), login::require));
        let health = Router::new().route(health_banner::PATH, get(health::show));
        let health = health.route_layer(middleware::from_fn_with_state(health_source.clone(), health::add_health));
        let health = health.route_layer(middleware::from_fn_with_state(logins.clone(), login::require_or_token));
        let routes =
            guarded.merge(health).merge(open).merge(assets::router()).layer(DefaultBodyLimit::max(FORM_BYTES_MAX));
        let problem_pages = ProblemPages { logins: logins.clone(), health_source: health_source.clone() };
        Self { routes: routes.route_layer(middleware::from_fn(layout::protect)), problem_pages, logins }
    }

    /// What programs fetch with the token, and the pages link to for people who are logged in.
    pub fn for_programs_too(&self, routes: Router) -> Router {
        routes.route_layer(middleware::from_fn_with_state(self.logins.clone(), login::require_or_token))
    }
}

fn guarded(app: AppState, api: &Value) -> Router {
    let documentation = api_docs::page_of(api);
    Router::new()
        .route("/", get(overview::show))
        .route("/find", get(search::find))
        .route("/vmacs", get(vmacs::list))
        .route("/vmacs/{name}", get(vmacs::show))
        .route("/history/{ip}", get(history::show))
        .route("/dead-letters", get(dead_letters::list))
        .route("/dead-letters/{id}", get(dead_letters::show))
        .route("/dead-letters/replay", post(dead_letters::replay))
        .route("/dead-letters/discard", post(dead_letters::discard))
        .route("/freezes/thaw", post(freezes::thaw))
        .route("/switches", get(switches::list))
        .route("/switches/{name}", get(switches::show))
        .route("/pushes/{id}", get(pushes::show))
        .route(log::PATH, get(log::show))
        .route("/backups/{id}", get(backups::show))
        .route("/webhooks", get(webhooks::list))
        .route("/webhooks/pause", post(webhooks::pause))
        .route("/webhooks/resume", post(webhooks::resume))
        .route("/webhooks/test", post(webhooks::test))
        .route("/webhooks/replay", post(webhooks::replay))
        .with_state(app)
        .route(api_docs::PATH, get(async move || layout::page("API", api_docs::PATH, documentation)))
}
