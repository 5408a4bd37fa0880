//! The log: who changed what.

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::components::{ROWS_READ, exact_time, next_page_link, or_dash, safe, truncate_to_page, url_encoded};
use super::error_page::PageError;
use super::extract::Query;
use super::layout::page;
use crate::domain::LogEntry;
use crate::store::LogFilter;
use crate::web::app_state::AppState;

/// Where it is.
pub(super) const PATH: &str = "/log";

/// Which entries; an empty field of the form counts as not given.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogQuery {
    who: String,
    action: String,
    after: Option<i64>,
}

impl LogQuery {
    fn filter(&self) -> LogFilter {
        let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        LogFilter { who: given(&self.who), action: given(&self.action), before: self.after }
    }

    fn path(&self) -> String {
        format!("{PATH}?who={}&action={}", url_encoded(&self.who), url_encoded(&self.action))
    }
}

pub(super) async fn show(State(app): State<AppState>, Query(query): Query<LogQuery>) -> Result<Markup, PageError> {
    let mut entries = app.store.audit_log().list(&query.filter(), ROWS_READ).await?;
    let next = truncate_to_page(&mut entries, |entry| entry.id.to_string());
    let content = html! {
        form .actions action=(PATH) {
            input name="who" placeholder="ops-1" aria-label="Who" value=(query.who);
            input name="action" placeholder="freeze" aria-label="Action" value=(query.action);
            button { "Filter" }
        }
        @if entries.is_empty() { p .faint { "No entry matches." } } @else { (table(&entries)) }
        (next_page_link(&query.path(), next))
    };
    Ok(page("Log", PATH, content))
}

fn table(entries: &[LogEntry]) -> Markup {
    html! {
        table .stack {
            thead { tr { th { "Entry" } th { "Time" } th { "Who" } th { "From" } th { "Action" } th { "Subject" } th { "Details" } } }
            tbody {
                @for LogEntry { id, at, entry, .. } in entries {
                    tr {
                        td data-label="Entry" { (id) }
                        td data-label="Time" { span { (exact_time(*at)) } }
                        td data-label="Who" { a href={ (PATH) "?who=" (url_encoded(&entry.who)) } { (safe(&entry.who)) } @if !entry.role.is_empty() { " (" (safe(&entry.role)) ")" } }
                        td data-label="From" { span { (entry.via.as_str()) " " (or_dash(entry.address.as_ref())) } }
                        td data-label="Action" { (safe(&entry.action)) }
                        td data-label="Subject" { (safe(&entry.subject)) }
                        td data-label="Details" .mono { (safe(&details(&entry.details))) }
                    }
                }
            }
        }
    }
}

fn details(details: &Value) -> String {
    match details {
        Value::Object(fields) if fields.is_empty() => String::new(),
        details => details.to_string(),
    }
}
