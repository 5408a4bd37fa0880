//! The pages for people, at `/`: made on the server, usable from a phone, nothing fetched from elsewhere.
//!
//! One file a thing that is looked at; `layout` is what they share, `parts` the small pieces, `failed` the page that
//! says why there is none, `login` asks for the token and `sessions` remembers who showed it, `live` tells open pages that something happened.
//!
//! Everything works without scripts; `assets/page.js` only fetches a page again when `live` says so. What is shown is
//! escaped twice over: by `maud` for HTML, by [`crate::domain::shown`] for what turns or hides text.

mod assets;
mod backups;
mod dead_letters;
mod failed;
mod freezes;
mod layout;
mod live;
mod login;
mod overview;
mod parts;
mod pushes;
mod sessions;
mod switches;
mod vmacs;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use self::sessions::Sessions;
use super::App;
use super::guard::Guard;
use crate::config::HttpSettings;

/// Longest form, bytes: who has not shown the token may send the one that asks for it.
const FORM_BYTES_MAX: usize = 16 << 10;

/// The routes of the pages. Those that watch live are let go once `stopping` is cancelled.
pub(super) fn router(app: App, guard: Arc<Guard>, settings: &HttpSettings, stopping: CancellationToken) -> Router {
    // Open pages are not to keep all others out.
    let watchers_max =
        settings.watchers_max.min(settings.connections_per_address_max.min(settings.connections_max) / 2);
    let live = live::Live::new(app.store.clone(), watchers_max, stopping);
    let logins = login::Logins::new(guard, Sessions::new(app.store.clone(), settings));
    let guarded = Router::new()
        .route("/", get(overview::show))
        .route("/find", get(vmacs::find))
        .route("/vmacs", get(vmacs::list))
        .route("/vmacs/{name}", get(vmacs::show))
        .route("/dead-letters", get(dead_letters::list))
        .route("/dead-letters/{id}", get(dead_letters::show))
        .route("/dead-letters/replay", post(dead_letters::replay))
        .route("/dead-letters/discard", post(dead_letters::discard))
        .route("/freezes/thaw", post(freezes::thaw))
        .route("/switches", get(switches::list))
        .route("/switches/{name}", get(switches::show))
        .route("/pushes/{id}", get(pushes::show))
        .route("/backups/{id}", get(backups::show))
        .with_state(app)
        .merge(Router::new().route("/live", get(live::watch)).with_state(live));
    let open = Router::new()
        .route("/login", get(login::ask).post(login::enter))
        .route("/logout", post(login::leave))
        .with_state(logins.clone());
    let guarded = guarded.route_layer(middleware::from_fn_with_state(logins, login::require));
    let pages = guarded.merge(open).merge(assets::router()).layer(DefaultBodyLimit::max(FORM_BYTES_MAX));
    pages.route_layer(middleware::from_fn(layout::protect))
}
