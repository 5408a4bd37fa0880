//! Frozen sites: why nothing happens there, and a button that lets it go on.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::failed::Failed;
use super::parts::{back_to, moment, safe};
use crate::domain::{Freeze, FreezeKind, Scope};
use crate::web::App;
use crate::web::api::{ApiCode, Problem};

/// Freezes with their buttons; `back` is where the browser goes afterwards.
pub(super) fn notes<'a>(freezes: impl IntoIterator<Item = &'a Freeze>, back: &str) -> Markup {
    html! { @for freeze in freezes { (note(freeze, back)) } }
}

fn note(freeze: &Freeze, back: &str) -> Markup {
    html! {
        div .note .bad {
            strong { (what(freeze)) } " "
            @match freeze.kind {
                FreezeKind::Manual => { "until " (moment(freeze.until)) ", by " (safe(&freeze.made_by)) },
                FreezeKind::Automatic => "until somebody thaws it, by vmacd itself",
            }
            @if let Some(reason) = &freeze.reason { ": " (safe(reason)) }
            form method="post" action="/freezes/thaw" {
                input type="hidden" name="site" value=(freeze.site);
                input type="hidden" name="back" value=(back);
                button { "Thaw" }
            }
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

/// What the button says.
#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    site: String,
    #[serde(default)]
    back: String,
}

/// Thaws a site.
pub(super) async fn thaw(State(app): State<App>, Form(chosen): Form<Chosen>) -> Result<Response, Failed> {
    let site: Scope =
        chosen.site.parse().map_err(|error| Problem::new(ApiCode::InvalidBody, format!("site: {error}")))?;
    app.store.thaw(&site).await?;
    Ok(back_to(&chosen.back))
}
