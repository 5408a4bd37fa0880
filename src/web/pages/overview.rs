//! The first page: how much is pending, active and failed, and what needs attention.

use axum::extract::State;
use maud::{Markup, html};

use super::error_page::PageError;
use super::layout::page;
use super::{dead_letters, freezes, switches, vmacs};
use crate::domain::Status;
use crate::store::{SwitchOverview, Vmac, VmacFilter};
use crate::web::app_state::AppState;

/// Rows in each of the lists.
const LISTED: i64 = 10;

pub(super) async fn show(State(app): State<AppState>) -> Result<Markup, PageError> {
    let (counts, causes) = (app.store.statistics().counts().await?, app.store.dead_letters().causes().await?);
    let active = VmacFilter { status: Some(Status::Active), ..VmacFilter::default() };
    let active = app.store.vmacs().count(&active).await?;
    let needy = app.store.switches().in_need(LISTED).await?;
    let newest = VmacFilter { newest_first: true, limit: LISTED, ..VmacFilter::default() };
    let newest = app.store.vmacs().find(&newest).await?;
    let frozen = app.store.freezes().list().await?;
    let content = html! {
        (freezes::notes(&frozen, "/"))
        div .tiles {
            (tile("/vmacs?status=pending", counts.rows_pending, "pending"))
            (tile("/vmacs?status=active", active, "active"))
            (tile("/vmacs?in_force=no", counts.rows_not_in_force, "active, not in force"))
            (tile("/vmacs?status=failed", counts.rows_failed, "failed"))
            (tile("/dead-letters", counts.dead_letters_waiting, "dead letters"))
            (tile("/switches", counts.switches_in_trouble, "switches with problems"))
        }
        @if !causes.is_empty() { h2 { "Dead letters by cause" } (dead_letters::causes(&causes, "/")) }
        (needs(&needy))
        (latest(&newest))
    };
    Ok(page("Overview", "/", content))
}

fn tile(path: &str, count: i64, name: &str) -> Markup {
    let class = match (name, count) {
        (_, 0) => "none",
        ("active" | "pending", _) => name,
        ("active, not in force", _) => "pending",
        _ => "failed",
    };
    html! { a href=(path) { strong class=(class) { (count) } (name) } }
}

fn needs(switches: &[SwitchOverview]) -> Markup {
    html! {
        h2 { "Switches with pending work or problems" }
        @if switches.is_empty() { p .faint { "All switches reachable, no pending changes." } }
        @else { (switches::table(switches)) }
    }
}

fn latest(newest: &[Vmac]) -> Markup {
    html! {
        h2 { "Newest virtual MACs" }
        @if newest.is_empty() { p .faint { "No virtual MACs yet. Create the first one: " code { "vmacd create --server ID --ip ADDRESS" } } } @else { (vmacs::table(newest)) }
    }
}
