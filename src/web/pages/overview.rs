//! The first page: how much is pending, active and failed, and what needs somebody.

use axum::extract::State;
use maud::{Markup, html};

use super::failed::Failed;
use super::layout::page;
use super::{dead_letters, freezes, switches, vmacs};
use crate::domain::Status;
use crate::store::{SwitchOverview, Vmac, VmacFilter};
use crate::web::App;

/// Virtual MACs are counted up to here: nobody waits for a count of millions.
const COUNTED_MAX: i64 = 10_000;
/// Rows in each of the lists.
const LISTED: i64 = 10;

/// Shows it.
pub(super) async fn show(State(app): State<App>) -> Result<Markup, Failed> {
    let (counts, causes) = (app.store.counts().await?, app.store.dead_letter_causes().await?);
    let active = app.store.count_up_to(Status::Active, COUNTED_MAX + 1).await?;
    let needy = app.store.switches_in_need(LISTED).await?;
    let newest = VmacFilter { newest_first: true, limit: LISTED, ..VmacFilter::default() };
    let newest = app.store.find(&newest).await?;
    let frozen = app.store.freezes().await?;
    let content = html! {
        (freezes::notes(&frozen, "/"))
        div .tiles {
            (tile("/vmacs?status=pending", counts.rows_pending, "pending"))
            (tile("/vmacs?status=active", active, "active"))
            (tile("/vmacs?status=failed", counts.rows_failed, "failed"))
            (tile("/dead-letters", counts.dead_letters_waiting, "dead letters"))
            (tile("/switches", counts.switches_in_trouble, "switches in trouble"))
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
        _ => "failed",
    };
    html! { a href=(path) { strong class=(class) { (counted(count)) } (name) } }
}

fn counted(count: i64) -> String {
    if count > COUNTED_MAX { format!("{COUNTED_MAX}+") } else { count.to_string() }
}

fn needs(switches: &[SwitchOverview]) -> Markup {
    html! {
        h2 { "Switches with work or trouble" }
        @if switches.is_empty() { p .faint { "All switches reachable, no pending changes." } }
        @else { (switches::table(switches)) }
    }
}

fn latest(newest: &[Vmac]) -> Markup {
    html! {
        h2 { "Newest virtual MACs" }
        @if newest.is_empty() { p .faint { "There are none yet." } } @else { (vmacs::table(newest)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_are_not_counted_to_their_end() {
        assert_eq!((counted(10_000).as_str(), counted(10_001).as_str()), ("10000", "10000+"));
    }
}
