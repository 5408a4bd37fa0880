//! Virtual MACs: the list, and one with its history.

use std::collections::HashMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{
    ROWS, ROWS_READ, exact_time, exact_time_or_dash, next_page_link, or_dash, safe, shown_of_total, status, time,
    truncate_to_page, url_encoded,
};
use super::dead_letters;
use super::error_page::PageError;
use super::extract::{Path, Query};
use super::layout::page;
use super::wording::{plural, switch_problem};
use crate::domain::in_force::{InForce, InForceState};
use crate::domain::{BindableAddress, Desired, Search, Status, SwitchBinding, SwitchName, VmacName};
use crate::store::{DeadLetterFilter, DeadLetterRow, RowWait, StoreError, TimelineEntry, Vmac, VmacFilter};
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::app_state::AppState;

/// Which virtual MACs; empty fields of the form count as not given.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VmacQuery {
    status: String,
    in_force: String,
    switch: String,
    server: String,
    q: String,
    after: String,
}

impl VmacQuery {
    fn filter(&self) -> Result<VmacFilter, Problem> {
        Ok(VmacFilter {
            status: given("status", &self.status)?,
            in_force: given("in_force", &self.in_force)?,
            switch: given("switch", &self.switch)?,
            server_id: given("server", &self.server)?,
            search: Search::of(&self.q),
            newest_first: true,
            after_id: given("after", &self.after)?.unwrap_or(0),
            limit: ROWS_READ,
            ..VmacFilter::default()
        })
    }

    fn is_all(&self) -> bool {
        self.given().next().is_none()
    }

    fn given(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let all = [
            ("status", &self.status),
            ("in_force", &self.in_force),
            ("switch", &self.switch),
            ("server", &self.server),
            ("q", &self.q),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty())
    }

    fn path(&self) -> String {
        let pairs: Vec<String> = self.given().map(|(name, value)| format!("{name}={}", url_encoded(value))).collect();
        format!("/vmacs?{}", pairs.join("&"))
    }
}

fn given<T>(name: &str, text: &str) -> Result<Option<T>, Problem>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let parsed = (!text.is_empty()).then(|| text.trim().parse()).transpose();
    parsed.map_err(|error| Problem::new(ApiCode::InvalidParameter, format!("{name}: {error}")))
}

/// What the list can be narrowed to.
const IN_FORCE: [(&str, &str); 3] = [("no", "not in force"), ("unknown", "in force: not known"), ("yes", "in force")];

/// Lists them, newest first.
pub(super) async fn list(State(app): State<AppState>, Query(query): Query<VmacQuery>) -> Result<Markup, PageError> {
    let filter = query.filter()?;
    let mut vmacs = app.store.vmacs().find(&filter).await?;
    let next = truncate_to_page(&mut vmacs, |vmac| vmac.id.to_string());
    let total = app.store.vmacs().count(&filter).await?;
    let content = html! {
        form .actions action="/vmacs" {
            select name="status" aria-label="Status" {
                option value="" { "any status" }
                @for name in [Status::Pending, Status::Active, Status::Failed, Status::Revoked].map(Status::as_str) {
                    option value=(name) selected[query.status == name] { (name) }
                }
            }
            select name="in_force" aria-label="In force" {
                option value="" { "in force or not" }
                @for (name, text) in IN_FORCE { option value=(name) selected[query.in_force == name] { (text) } }
            }
            input name="switch" placeholder="switch" aria-label="Switch" value=(query.switch);
            input name="server" placeholder="server" aria-label="Server" inputmode="numeric" value=(query.server);
            input name="q" placeholder="address, subnet, MAC or order" aria-label="Part of an address, subnet, MAC or order" value=(query.q);
            button { "Filter" }
        }
        @if total > 0 { (shown_of_total(vmacs.len(), total)) (table(&vmacs)) }
        @else if query.is_all() { p .faint { "No virtual MACs yet. Create the first one: " code { "vmacd create --server ID --ip ADDRESS" } } }
        @else { p .faint { "No virtual MAC matches. " a href="/vmacs" { "Clear the filters" } } }
        (next_page_link(&query.path(), next))
    };
    Ok(page("Virtual MACs", "/vmacs", content))
}

/// Virtual MACs as a table.
pub(super) fn table(vmacs: &[Vmac]) -> Markup {
    html! {
        table .stack {
            thead { tr { th { "Address" } th { "Status" } th { "MAC" } th { "Server" } th { "Port" } th { "Changed" } } }
            tbody {
                @for vmac in vmacs {
                    tr {
                        td data-label="Address" { a .mono href={ "/vmacs/" (vmac.id) } { (vmac.ip_address) } }
                        td data-label="Status" { (state(vmac)) }
                        td data-label="MAC" .mono { (vmac.mac_address) }
                        td data-label="Server" { a href={ "/vmacs?server=" (vmac.server_id) } { (vmac.server_id) } }
                        td data-label="Port" { span { @for binding in vmac.ports() { (port(binding)) " " } } }
                        td data-label="Changed" { (time(vmac.updated_at)) }
                    }
                }
            }
        }
    }
}

fn state(vmac: &Vmac) -> Markup {
    let revoking = vmac.desired == Desired::Unbound && vmac.status != Status::Revoked;
    html! {
        span {
            (status(vmac.status.as_str()))
            @if revoking { span .faint { " revoking" } }
            @if let Some(code) = &vmac.failure_code { span .faint { " " (safe(code)) } }
        }
    }
}

fn port(binding: &SwitchBinding) -> Markup {
    html! { a href={ "/switches/" (binding.switch) } { (binding.switch) } " " span .mono { (binding.interface) } }
}

/// Shows one: what it is, why it failed, where it is bound, what happened to it.
pub(super) async fn show(State(app): State<AppState>, Path(name): Path<String>) -> Result<Markup, PageError> {
    let name = given::<VmacName>("name", &name)?;
    let name = name.ok_or_else(|| Problem::new(ApiCode::NotFound, "expected an address, a MAC or a row's id"))?;
    let vmac = match (app.store.vmacs().named(name).await, name) {
        (Err(StoreError::NotFound { .. }), VmacName::Ip(ip)) => return without_row(&app, ip).await,
        (found, _) => found?,
    };
    let letters = letters_of(&app, vmac.ip_address).await?;
    let timeline = app.store.vmacs().timeline(vmac.id).await?;
    let waits = app.store.work().waits_of(vmac.id).await?;
    let seen_at = app.store.checks().in_force_seen_at(&vmac).await?;
    let back = format!("/vmacs/{}", vmac.id);
    let content = html! {
        p { (state(&vmac)) }
        (trouble(&vmac))
        (waiting(&waits))
        @if !letters.is_empty() { h2 { "Dead letters of this address" } (dead_letters::table(&letters, &back)) }
        (facts(&vmac))
        h2 { "Bindings" }
        (bindings(&vmac, &seen_at))
        h2 { "History" }
        p { a href={ "/history/" (vmac.ip_address) } { "Everybody who ever had " (vmac.ip_address) } }
        (history(&timeline))
    };
    Ok(page(&vmac.ip_address.to_string(), "/vmacs", content))
}

/// An address that was asked for and refused has dead letters and no row.
async fn without_row(app: &AppState, ip: BindableAddress) -> Result<Markup, PageError> {
    let letters = letters_of(app, ip).await?;
    if letters.is_empty() {
        return Err(Problem::new(
            ApiCode::NotFound,
            format!("{ip} has no virtual MAC, never had one, and has no dead letter"),
        )
        .into());
    }
    let content = html! {
        p .note { "This address has no virtual MAC and never had one." }
        h2 { "Dead letters of this address" }
        (dead_letters::table(&letters, &format!("/vmacs/{ip}")))
    };
    Ok(page(&ip.to_string(), "/vmacs", content))
}

async fn letters_of(app: &AppState, ip: BindableAddress) -> Result<Vec<DeadLetterRow>, StoreError> {
    app.store.dead_letters().list(&DeadLetterFilter { ip: Some(ip), limit: ROWS, ..DeadLetterFilter::default() }).await
}

fn trouble(vmac: &Vmac) -> Markup {
    let failed = vmac.status == Status::Failed;
    html! {
        @if let Some(code) = &vmac.failure_code {
            p .note .bad[failed] {
                strong { (safe(code)) } ": " (safe(vmac.failure_text.as_deref().unwrap_or_default()))
            }
        }
    }
}

/// What it waits for: which switch, why, and when it is tried next.
fn waiting(waits: &[RowWait]) -> Markup {
    html! {
        @for wait in waits {
            p .note {
                "Waiting for " a href={ "/switches/" (wait.switch) } { (wait.switch) }
                @if let Some(trouble) = &wait.trouble {
                    ": " (switch_problem(trouble.code)) " since " (time(trouble.since)) ", next attempt " (time(trouble.next_try_at.max(wait.due_at)))
                } @else {
                    @if wait.attempts > 0 { ", after " (plural(wait.attempts, "failed attempt", "failed attempts")) }
                    ", next attempt " (time(wait.due_at))
                }
            }
        }
    }
}

fn facts(vmac: &Vmac) -> Markup {
    html! {
        dl {
            dt { "MAC" } dd .mono { (vmac.mac_address) }
            dt { "Server" } dd { (servers(vmac)) }
            @if let Some(group) = &vmac.group { dt { "Group" } dd { (group) } }
            dt { "VLAN" } dd { (or_dash(vmac.vlan_name.as_ref())) }
            dt { "Desired state" } dd { (vmac.desired.as_str()) }
            dt { "Requested by" } dd { (or_dash(vmac.requested_by.as_ref())) }
            dt { "Reference" } dd { (or_dash(vmac.reference.as_ref())) }
            dt { "Failed pushes" } dd { (vmac.attempts) }
            dt { "Created" } dd { (exact_time(vmac.created_at)) }
            dt { "Active" } dd { (exact_time_or_dash(vmac.activated_at)) }
            dt { "Revoked" } dd { (exact_time_or_dash(vmac.revoked_at)) }
            dt { "Row" } dd { (vmac.id) }
        }
    }
}

/// The server, or those that share the address.
fn servers(vmac: &Vmac) -> Markup {
    let mut all = vmac.members();
    all.insert(vmac.server_id);
    html! { @for server in all { a href={ "/vmacs?server=" (server) } { (server) } " " } }
}

fn bindings(vmac: &Vmac, seen_at: &HashMap<SwitchName, DateTime<Utc>>) -> Markup {
    html! {
        table .stack {
            thead { tr { th { "Port" } th { "State" } th { "MAC" } th { "Before" } th { "Push" } th { "Since" } } }
            tbody {
                @for binding in &vmac.switch_bindings {
                    tr {
                        td data-label="Port" {
                            span { (port(binding)) @if binding.leaving { " (leaves server " (vmac.server_of(binding)) ")" } }
                        }
                        td data-label="State" {
                            span { (status(&binding.state.to_string())) @if let Some(error) = &binding.error { " " (safe(error)) } }
                            @if let Some(known) = &binding.in_force { (in_force(known, seen_at.get(&binding.switch).copied())) }
                            @for evidence in &binding.evidence { span .faint { " in " (evidence.table.as_str()) " since " (time(evidence.at)) } }
                        }
                        td data-label="MAC" .mono { (binding.mac) }
                        td data-label="Before" .mono { (or_dash(binding.previous_mac.as_ref())) }
                        td data-label="Push" {
                            @if let Some(push) = &binding.push_id { a .mono href={ "/pushes/" (url_encoded(push)) } { "push" } } @else { "–" }
                        }
                        td data-label="Since" { (time(binding.at)) }
                    }
                }
            }
        }
    }
}

/// Whether the switch applies the binding, and why not.
fn in_force(known: &InForce, seen_at: Option<DateTime<Utc>>) -> Markup {
    let text = match known.state {
        InForceState::Yes => "in force",
        InForceState::No => "not in force",
        InForceState::Unknown => "not known whether it is in force",
    };
    html! {
        span .in-force { " " (text) @if let Some(table) = known.table { " (" (table.as_str()) ")" } @if let Some(reason) = &known.reason { ": " (safe(&reason.text)) } }
        span .faint { " since " (time(known.at)) ", last checked " (time(known.checked_at(seen_at))) }
    }
}

fn history(timeline: &[TimelineEntry]) -> Markup {
    html! {
        table .stack {
            tbody {
                @for entry in timeline {
                    tr { td data-label="When" { (time(entry.at)) } td data-label="What" { (safe(&entry.text)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_filter_from_page_to_page() {
        let query = VmacQuery {
            status: "failed".into(),
            switch: "sw a".into(),
            q: "10.0.0.0/8".into(),
            ..VmacQuery::default()
        };
        assert_eq!(query.path(), "/vmacs?status=failed&switch=sw%20a&q=10.0.0.0%2F8");
        assert!(!query.is_all() && VmacQuery::default().is_all());
    }

    #[test]
    fn an_empty_field_of_the_form_is_none() {
        let filter = VmacQuery::default().filter().expect("no filter");
        assert_eq!((filter.status, filter.switch, filter.server_id), (None, None, None));
        let wrong = VmacQuery { server: "seven".into(), ..VmacQuery::default() };
        assert!(wrong.filter().is_err_and(|problem| problem.detail.starts_with("server:")));
    }
}
