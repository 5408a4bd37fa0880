//! Switches: trouble, lease, what waits, pushes and backups.

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{
    ROWS_READ, exact_time, exact_time_or_dash, next_page_link, or_dash, relative_time_or_dash, safe, shown_of_total,
    status, time, truncate_to_page, url_encoded,
};
use super::error_page::PageError;
use super::extract::{Path, Query};
use super::freezes;
use super::layout::page;
use super::wording::{plural, switch_problem};
use crate::domain::{DriftMode, SwitchName};
use crate::store::{Backup, Listed, PushRecord, SwitchOverview};
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::app_state::AppState;

/// Pushes and backups shown with a switch.
const LATEST: i64 = 20;

/// The cursor of a list.
#[derive(Debug, Deserialize)]
pub(super) struct From {
    #[serde(default)]
    after: String,
}

/// Lists them by name.
pub(super) async fn list(State(app): State<AppState>, Query(from): Query<From>) -> Result<Markup, PageError> {
    let mut switches = app.store.switches().overviews(&from.after, ROWS_READ).await?;
    let next = truncate_to_page(&mut switches, |switch| url_encoded(switch.known.switch.name.as_str()));
    let total = app.store.statistics().length(Listed::Switches).await?;
    let frozen = app.store.freezes().list().await?;
    let content = html! {
        (freezes::notes(&frozen, "/switches"))
        @if total == 0 { p .faint { "No switches yet. Import an inventory: " code { "vmacd inventory import FILE" } } }
        @else { (shown_of_total(switches.len(), total)) (table(&switches)) }
        (next_page_link("/switches", next))
    };
    Ok(page("Switches", "/switches", content))
}

/// Switches as a table.
pub(super) fn table(switches: &[SwitchOverview]) -> Markup {
    html! {
        table .stack {
            thead { tr { th { "Switch" } th { "Site" } th { "State" } th .number { "Waiting" } th { "Lease" } th { "Last push" } th { "Last seen" } } }
            tbody {
                @for overview in switches {
                    @let name = &overview.known.switch.name;
                    tr {
                        td data-label="Switch" { a href={ "/switches/" (name) } { (name) } }
                        td data-label="Site" { (or_dash(overview.known.switch.site.as_ref())) }
                        td data-label="State" { (state(overview)) }
                        td data-label="Waiting" .number { (overview.changes_waiting) }
                        td data-label="Lease" { (or_dash(overview.lease_holder.as_ref())) }
                        td data-label="Last push" { span { (last_push(overview)) } }
                        td data-label="Last seen" { (relative_time_or_dash(overview.known.last_seen_at)) }
                    }
                }
            }
        }
    }
}

/// What it is doing; where its work waits, why, since when, and when it is tried next.
fn state(overview: &SwitchOverview) -> Markup {
    let known = &overview.known;
    html! {
        span {
            @if let Some(freeze) = &known.freeze { (status("frozen")) span .faint { " " (freeze.end()) } }
            @else if let Some(trouble) = &known.trouble {
                span .status .open { (switch_problem(trouble.code)) }
                span .faint { " since " (time(trouble.since)) ", next attempt " (time(trouble.next_try_at)) }
            }
            @else if overview.lease_holder.is_some() { span .status .sent { "pushing" } }
            @else if let Some(waits) = &overview.waits {
                span .status .pending { "waiting" }
                @if let Some(code) = &waits.reason_code { " " (safe(code)) }
                span .faint { " next attempt " (time(waits.due_at)) }
            }
            @else if known.last_seen_at.is_some() { span .active { "reachable" } }
            @else { span .faint { "never pushed to" } }
        }
    }
}

fn last_push(overview: &SwitchOverview) -> Markup {
    html! {
        @match (&overview.last_push_id, &overview.last_push_state) {
            (Some(id), Some(name)) => { a href={ "/pushes/" (url_encoded(id)) } { (status(name)) } " " (relative_time_or_dash(overview.last_push_at)) }
            _ => "–",
        }
    }
}

pub(super) async fn show(State(app): State<AppState>, Path(name): Path<String>) -> Result<Markup, PageError> {
    let name: SwitchName =
        name.parse().map_err(|error| Problem::new(ApiCode::InvalidParameter, format!("name: {error}")))?;
    let overview = app.store.switches().overview(&name).await?;
    let pushes = app.store.pushes().list(&name, "", LATEST).await?;
    let backups = app.store.backups().list(&name, i64::MAX, LATEST).await?;
    let mut frozen = app.store.freezes().list().await?;
    frozen.retain(|freeze| freeze.site.covers(overview.known.switch.site.as_ref()));
    let content = html! {
        (freezes::notes(&frozen, &format!("/switches/{name}")))
        (facts(&overview, app.drift))
        p { a href={ "/vmacs?switch=" (name) } { "Virtual MACs on this switch" } }
        h2 { "Latest pushes" }
        (push_table(&pushes))
        h2 { "Latest backups" }
        (backup_table(&backups))
    };
    Ok(page(name.as_str(), "/switches", content))
}

fn facts(overview: &SwitchOverview, drift: DriftMode) -> Markup {
    let known = &overview.known;
    html! {
        p { (state(overview)) }
        @if let Some(trouble) = &known.trouble {
            p .note .bad {
                "Its work has been waiting since " (exact_time(trouble.since)) ", after " (plural(trouble.failures, "failed attempt", "failed attempts"))
                "; next attempt " (time(trouble.next_try_at)) ". Latest error: " strong { (trouble.code) } ": " (safe(&trouble.text))
            }
        } @else if let Some(waits) = &overview.waits {
            p .note {
                (plural(overview.changes_waiting, "change waits", "changes wait")) "; next attempt " (time(waits.due_at)) "."
                @if let Some(text) = &waits.reason_text { " Latest error: " (safe(text)) }
            }
        }
        dl {
            dt { "Address" } dd .mono { (safe(&known.switch.host)) ":" (known.switch.port) }
            dt { "Site" } dd { (or_dash(known.switch.site.as_ref())) }
            dt { "Waiting changes" } dd { (overview.changes_waiting) }
            dt { "Lease" } dd { (or_dash(overview.lease_holder.as_ref())) }
            dt { "Dialect" } dd { (known.dialect_found.map_or("not known yet", |dialect| dialect.as_str())) }
            dt { "Host key" } dd .mono { (or_dash(known.switch.host_key.as_ref())) }
            dt { "Last seen" } dd { (exact_time_or_dash(known.last_seen_at)) }
            dt { "In force" } dd { @match known.in_force_seen_at { Some(at) => { "last checked " (exact_time(at)) }, None => "never checked" } }
            dt { "Drift" } dd { (known.switch.drift.unwrap_or(drift).as_str()) " (" @match known.drift_seen_at { Some(at) => { "last checked " (exact_time(at)) }, None => "never checked" } ")" }
        }
    }
}

fn push_table(pushes: &[PushRecord]) -> Markup {
    html! {
        @if pushes.is_empty() { p .faint { "None yet." } } @else {
            table .stack {
                thead { tr { th { "Started" } th { "State" } th .number { "Changes" } th { "Worker" } th { "Backup before" } } }
                tbody {
                    @for push in pushes {
                        tr {
                            td data-label="Started" { a href={ "/pushes/" (url_encoded(&push.id)) } { (time(push.started_at)) } }
                            td data-label="State" { (status(&push.state)) }
                            td data-label="Changes" .number { (push.changes) }
                            td data-label="Worker" { (safe(&push.worker)) }
                            td data-label="Backup" { @if let Some(id) = push.backup_id { a href={ "/backups/" (id) } { (id) } } @else { "–" } }
                        }
                    }
                }
            }
        }
    }
}

fn backup_table(backups: &[Backup]) -> Markup {
    html! {
        @if backups.is_empty() { p .faint { "None yet." } } @else {
            table .stack {
                thead { tr { th { "Taken" } th .number { "Bytes" } th { "Push" } th { "SHA-256" } } }
                tbody {
                    @for backup in backups {
                        tr {
                            td data-label="Taken" { a href={ "/backups/" (backup.id) } { (time(backup.taken_at)) } }
                            td data-label="Bytes" .number { (backup.bytes) }
                            td data-label="Push" { @if let Some(id) = &backup.push_id { a href={ "/pushes/" (url_encoded(id)) } { "push" } } @else { "–" } }
                            td data-label="SHA-256" .mono { (backup.content_hash.get(..12).unwrap_or(&backup.content_hash)) }
                        }
                    }
                }
            }
        }
    }
}
