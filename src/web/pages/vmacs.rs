//! Virtual MACs: the list, one with its history, and finding one.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::dead_letters;
use super::failed::Failed;
use super::layout::page;
use super::parts::{Path, Query, ROWS, encoded, moment, moment_or_dash, more, next, or_dash, safe, status, time};
use crate::domain::{BindableAddress, Desired, Status, SwitchBinding, SwitchName, VmacName};
use crate::store::{DeadLetterFilter, DeadLetterRow, StoreError, TimelineEntry, Vmac, VmacFilter};
use crate::web::App;
use crate::web::api::{ApiCode, Problem};

/// Which virtual MACs; empty fields of the form count as not given.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    status: String,
    switch: String,
    server: String,
    after: String,
}

impl Wanted {
    fn filter(&self) -> Result<VmacFilter, Problem> {
        Ok(VmacFilter {
            status: given("status", &self.status)?,
            switch: given("switch", &self.switch)?,
            server_id: given("server", &self.server)?,
            newest_first: true,
            after_id: given("after", &self.after)?.unwrap_or(0),
            limit: ROWS,
            ..VmacFilter::default()
        })
    }

    fn path(&self) -> String {
        let given = [("status", &self.status), ("switch", &self.switch), ("server", &self.server)];
        let pairs = given.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        format!("/vmacs?{}", query.join("&"))
    }
}

fn given<T>(name: &str, text: &str) -> Result<Option<T>, Problem>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let parsed = (!text.is_empty()).then(|| text.trim().parse()).transpose();
    parsed.map_err(|error| Problem::new(ApiCode::InvalidParameter, format!("{name}: {error}")))
}

/// Lists them, newest first.
pub(super) async fn list(State(app): State<App>, Query(wanted): Query<Wanted>) -> Result<Markup, Failed> {
    let vmacs = app.store.find(&wanted.filter()?).await?;
    let content = html! {
        form .actions action="/vmacs" {
            select name="status" aria-label="Status" {
                option value="" { "any status" }
                @for name in [Status::Pending, Status::Active, Status::Failed, Status::Revoked].map(Status::as_str) {
                    option value=(name) selected[wanted.status == name] { (name) }
                }
            }
            input name="switch" placeholder="switch" aria-label="Switch" value=(wanted.switch);
            input name="server" placeholder="server" aria-label="Server" inputmode="numeric" value=(wanted.server);
            button { "Filter" }
        }
        @if vmacs.is_empty() { p .faint { "None." } } @else { (table(&vmacs)) }
        (more(&wanted.path(), next(&vmacs, |vmac| vmac.id.to_string())))
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

/// Shows one: what it is, why it failed, where it stands, what happened to it.
pub(super) async fn show(State(app): State<App>, Path(name): Path<String>) -> Result<Markup, Failed> {
    let name = given::<VmacName>("name", &name)?;
    let name = name.ok_or_else(|| Problem::new(ApiCode::NotFound, "name an address, a MAC or a row"))?;
    let vmac = match (app.store.look_up(name).await, name) {
        (Err(StoreError::NotFound { .. }), VmacName::Ip(ip)) => return without_row(&app, ip).await,
        (found, _) => found?,
    };
    let letters = letters_of(&app, vmac.ip_address).await?;
    let timeline = app.store.timeline(vmac.id).await?;
    let back = format!("/vmacs/{}", vmac.id);
    let content = html! {
        p { (state(&vmac)) }
        (trouble(&vmac))
        @if !letters.is_empty() { h2 { "Dead letters of this address" } (dead_letters::table(&letters, &back)) }
        (facts(&vmac))
        h2 { "Bindings" }
        (bindings(&vmac))
        h2 { "History" }
        (history(&timeline))
    };
    Ok(page(&vmac.ip_address.to_string(), "/vmacs", content))
}

/// An address that was asked for and refused has dead letters and no row.
async fn without_row(app: &App, ip: BindableAddress) -> Result<Markup, Failed> {
    let letters = letters_of(app, ip).await?;
    if letters.is_empty() {
        return Err(Problem::new(ApiCode::NotFound, format!("nothing is known of {ip}")).into());
    }
    let content = html! {
        p .note { "There is no virtual MAC for this address, and there never was." }
        h2 { "Dead letters of this address" }
        (dead_letters::table(&letters, &format!("/vmacs/{ip}")))
    };
    Ok(page(&ip.to_string(), "/vmacs", content))
}

async fn letters_of(app: &App, ip: BindableAddress) -> Result<Vec<DeadLetterRow>, StoreError> {
    app.store.dead_letters(&DeadLetterFilter { ip: Some(ip), limit: ROWS, ..DeadLetterFilter::default() }).await
}

fn trouble(vmac: &Vmac) -> Markup {
    let failed = vmac.status == Status::Failed;
    html! {
        @if let Some(code) = &vmac.failure_code {
            p .note .bad[failed] {
                strong { (safe(code)) } ": " (safe(vmac.failure_text.as_deref().unwrap_or_default()))
                @if !failed { " It is tried again." }
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
            dt { "Wanted" } dd { (vmac.desired.as_str()) }
            dt { "Asked for by" } dd { (or_dash(vmac.requested_by.as_ref())) }
            dt { "Reference" } dd { (or_dash(vmac.reference.as_ref())) }
            dt { "Failed pushes" } dd { (vmac.attempts) }
            dt { "Created" } dd { (moment(vmac.created_at)) }
            dt { "Active" } dd { (moment_or_dash(vmac.activated_at)) }
            dt { "Revoked" } dd { (moment_or_dash(vmac.revoked_at)) }
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

fn bindings(vmac: &Vmac) -> Markup {
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
                            @for evidence in &binding.evidence { span .faint { " in " (evidence.table.as_str()) " " (time(evidence.at)) } }
                        }
                        td data-label="MAC" .mono { (binding.mac) }
                        td data-label="Before" .mono { (or_dash(binding.previous_mac.as_ref())) }
                        td data-label="Push" {
                            @if let Some(push) = &binding.push_id { a .mono href={ "/pushes/" (encoded(push)) } { "push" } } @else { "–" }
                        }
                        td data-label="Since" { (time(binding.at)) }
                    }
                }
            }
        }
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

/// What somebody looks for.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

/// Leads to what is meant: an address, a MAC, a server's number, a row's number, or a switch.
pub(super) async fn find(State(app): State<App>, Query(search): Query<Search>) -> Result<Response, Failed> {
    let text = search.q.trim();
    Ok(Redirect::to(&meant(&app, text).await?).into_response())
}

async fn meant(app: &App, text: &str) -> Result<String, Failed> {
    match text.parse::<VmacName>() {
        _ if text.is_empty() => Ok("/vmacs".to_owned()),
        Ok(VmacName::Id(number)) => {
            let of_server = VmacFilter { server_id: Some(number), limit: 1, ..VmacFilter::default() };
            let known = !app.store.find(&of_server).await?.is_empty();
            Ok(if known { format!("/vmacs?server={number}") } else { format!("/vmacs/{number}") })
        }
        Ok(VmacName::Ip(_) | VmacName::Mac(_)) => Ok(format!("/vmacs/{}", encoded(text))),
        Err(_) => match text.parse::<SwitchName>() {
            Ok(switch) if app.store.switch(&switch).await.is_ok() => Ok(format!("/switches/{switch}")),
            _ => {
                let none = format!("`{}` is no address, MAC, server or switch that is known", safe(text));
                Err(Problem::new(ApiCode::NotFound, none).into())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_filter_from_page_to_page() {
        let wanted = Wanted { status: "failed".into(), switch: "sw a".into(), ..Wanted::default() };
        assert_eq!(wanted.path(), "/vmacs?status=failed&switch=sw%20a");
    }

    #[test]
    fn an_empty_field_of_the_form_is_none() {
        let filter = Wanted::default().filter().expect("no filter");
        assert_eq!((filter.status, filter.switch, filter.server_id), (None, None, None));
        let wrong = Wanted { server: "seven".into(), ..Wanted::default() };
        assert!(wrong.filter().is_err_and(|problem| problem.detail.starts_with("server:")));
    }
}
