//! Frozen sites: why nothing is committed there, and a button to thaw them.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{exact_time, redirect_to, safe};
use super::error_page::PageError;
use crate::domain::{Freeze, FreezeKind, Scope};
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::app_state::AppState;

/// Freezes, a note with a button for each site; `back` is where the browser goes afterwards. Those of one site come
/// together.
pub(super) fn notes(freezes: &[Freeze], back: &str) -> Markup {
    html! { @for of_site in freezes.chunk_by(|one, next| one.site == next.site) { (note(of_site, back)) } }
}

/// The button ends all of them, so all of them are shown.
fn note(freezes: &[Freeze], back: &str) -> Markup {
    let Some(first) = freezes.first() else { return html! {} };
    html! {
        div .note .bad {
            strong { (what(first)) }
            @for freeze in freezes { " " (line(freeze)) }
            form method="post" action="/freezes/thaw" {
                input type="hidden" name="site" value=(first.site);
                input type="hidden" name="back" value=(back);
                button { "Thaw" }
            }
        }
    }
}

fn line(freeze: &Freeze) -> Markup {
    html! {
        div {
            @match freeze.kind {
                FreezeKind::Manual => { "until " (exact_time(freeze.until)) ", by " (safe(&freeze.made_by)) },
                FreezeKind::Automatic => "until somebody thaws it; vmacd froze it by itself",
            }
            @if let Some(reason) = &freeze.reason { ": " (safe(reason)) }
        }
    }
}

fn what(freeze: &Freeze) -> String {
    match &freeze.site {
        Scope::All => "All sites are frozen".to_owned(),
        Scope::Site(None) => "Switches without a site are frozen".to_owned(),
        Scope::Site(Some(site)) => format!("Site {site} is frozen"),
    }
}

/// What the button sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThawForm {
    site: String,
    #[serde(default)]
    back: String,
}

/// Thaws a site: all of its freezes end.
pub(super) async fn thaw(State(app): State<AppState>, Form(form): Form<ThawForm>) -> Result<Response, PageError> {
    let site: Scope =
        form.site.parse().map_err(|error| Problem::new(ApiCode::InvalidBody, format!("site: {error}")))?;
    app.store.freezes().thaw(&site).await?;
    Ok(redirect_to(&form.back))
}
