//! Who had an address: every server, MAC, port and reason there ever was.

use axum::extract::State;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{exact_time, safe};
use super::error_page::PageError;
use super::extract::{Path, Query};
use super::layout::page;
use crate::domain::BindableAddress;
use crate::store::{AddressHolder, AskedBy, HolderChange};
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::app_state::AppState;

/// At which time; an empty field of the form counts as not given.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HistoryQuery {
    at: String,
}

impl HistoryQuery {
    /// As a form sends it, without a zone and perhaps without seconds, or as the API takes it.
    fn at(&self) -> Result<Option<DateTime<Utc>>, Problem> {
        let text = self.at.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let forms = [text.to_owned(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
        let at = forms.iter().find_map(|form| form.parse().ok());
        let refused = || Problem::new(ApiCode::InvalidParameter, "at: expected a time such as 2026-03-01T12:00:00Z");
        at.ok_or_else(refused).map(Some)
    }
}

pub(super) async fn show(
    State(app): State<AppState>,
    Path(ip): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Markup, PageError> {
    let invalid = |error| Problem::new(ApiCode::InvalidParameter, format!("the address: {error}"));
    let ip: BindableAddress = ip.parse().map_err(invalid)?;
    let at = query.at()?;
    let holders = app.store.vmacs().history(ip, at).await?;
    let content = html! {
        form .actions action={ "/history/" (ip) } {
            input name="at" placeholder="2026-03-01T12:00:00Z" aria-label="Time (UTC)" value=(query.at);
            button { "Who had it then" }
        }
        @if at.is_some() { p { a href={ "/history/" (ip) } { "Everybody who ever had it" } } }
        @if holders.is_empty() { p .faint { (ip) @if at.is_some() { " had no virtual MAC then." } @else { " never had a virtual MAC." } } }
        @else { (table(&holders)) }
    };
    Ok(page(&format!("Who had {ip}"), "/vmacs", content))
}

fn table(holders: &[AddressHolder]) -> Markup {
    html! {
        table .stack {
            thead { tr { th { "From" } th { "Until" } th { "Server" } th { "MAC" } th { "Port" } th { "Began" } th { "Ended" } } }
            tbody {
                @for holder in holders.iter().rev() {
                    tr {
                        td data-label="From" { span { (exact_time(holder.from)) } }
                        td data-label="Until" { span { @match holder.until { Some(until) => (exact_time(until)), None => "now" } } }
                        td data-label="Server" { a href={ "/vmacs?server=" (holder.server_id) } { (holder.server_id) } }
                        td data-label="MAC" .mono { a href={ "/vmacs/" (holder.vmac_id) } { (holder.mac_address) } }
                        td data-label="Port" { span { @for port in &holder.ports { (safe(&port.switch)) " " span .mono { (safe(&port.interface)) } " " } } }
                        td data-label="Began" { (change(holder.began, &holder.began_by)) @if holder.was_active == Some(false) { ", never active" } }
                        td data-label="Ended" { @match holder.ended { Some(ended) => (change(ended, &holder.ended_by)), None => "–" } }
                    }
                }
            }
        }
    }
}

fn change(change: HolderChange, by: &AskedBy) -> Markup {
    html! {
        (change.as_str())
        @if let Some(who) = &by.requested_by { " by " (safe(who)) }
        @if let Some(reference) = &by.reference { " (" (safe(reference)) ")" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_and_forms_write_it() {
        let at = |text: &str| HistoryQuery { at: text.to_owned() }.at();
        for text in ["2026-03-01T12:00:00Z", "2026-03-01T12:00", "2026-03-01T12:00:00", "2026-03-01T13:00:00+01:00"] {
            let told = at(text).expect("a time").map(|at| at.to_rfc3339());
            assert_eq!(told.as_deref(), Some("2026-03-01T12:00:00+00:00"), "{text}");
        }
        assert!(at("2026-03-01").is_ok_and(|at| at.is_some()) && at(" ").is_ok_and(|at| at.is_none()));
        assert!(at("then").is_err());
    }
}
