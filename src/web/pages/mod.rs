//! The pages for people, at `/`: made on the server, usable from a phone, nothing fetched from elsewhere.
//!
//! One file a thing that is looked at; `layout` is what they share, `parts` the small pieces, `failed` the page that
//! says why there is none, `login` asks for the token, `live` tells open pages that something happened.
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
mod switches;
mod vmacs;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use super::App;
use super::server::Access;

/// The routes of the pages. Those that watch live are let go once `stopping` is cancelled.
pub(super) fn router(app: App, access: Arc<Access>, stopping: CancellationToken) -> Router {
    let live = live::Live::new(app.store.clone(), stopping);
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
        .with_state(access.clone());
    let guarded = guarded.route_layer(middleware::from_fn_with_state(access, login::require));
    guarded.merge(open).merge(assets::router()).route_layer(middleware::from_fn(layout::protect))
}
