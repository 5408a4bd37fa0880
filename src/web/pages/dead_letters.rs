//! Dead letters: by cause, all of them, one; replay and discard.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{
    ROWS_READ, exact_time, next_page_link, or_dash, redirect_to, safe, shown_of_total, status, time, truncate_to_page,
};
use super::error_page::PageError;
use super::extract::{Path, Query};
use super::layout::page;
use crate::broker;
use crate::domain::{BODY_BYTES_MAX, Cure};
use crate::store::{DeadLetterCause, DeadLetterFilter, DeadLetterRow, FullDeadLetter};
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::app_state::AppState;

/// Which part of the list, and which replay is under way.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    after: i64,
    replay: String,
}

/// Lists the waiting dead letters: by cause, then all of them.
pub(super) async fn list(State(app): State<AppState>, Query(query): Query<ListQuery>) -> Result<Markup, PageError> {
    let found = app.store.dead_letters().causes().await?;
    let filter =
        DeadLetterFilter { newest_first: true, after_id: query.after, limit: ROWS_READ, ..DeadLetterFilter::default() };
    let mut letters = app.store.dead_letters().list(&filter).await?;
    let next = truncate_to_page(&mut letters, |letter| letter.id.to_string());
    let total = app.store.dead_letters().count(&filter).await?;
    let content = html! {
        (progress(&app, &query.replay))
        @if total == 0 { p .faint { "No dead letters are waiting." } } @else {
            h2 { "By cause" }
            (causes(&found, "/dead-letters"))
            h2 { "All messages, newest first" }
            (shown_of_total(letters.len(), total))
            (table(&letters, "/dead-letters"))
        }
        (next_page_link("/dead-letters", next))
    };
    Ok(page("Dead letters", "/dead-letters", content))
}

fn progress(app: &AppState, replay: &str) -> Markup {
    html! {
        @if let Some(replay) = app.replays.get(replay) {
            p .note .bad[replay.error.is_some()] .good[replay.state == "done"] {
                "Replay " (replay.state) ": " (replay.done) " of " (replay.total) " "
                progress max=(replay.total) value=(replay.done) {}
                @if let Some(error) = &replay.error { " " (safe(error)) }
            }
        }
    }
}

/// Causes with their buttons, those that only producers can put right apart; `back` is where the browser goes afterwards.
pub(super) fn causes(causes: &[DeadLetterCause], back: &str) -> Markup {
    let (of_producers, here): (Vec<_>, Vec<_>) = causes.iter().partition(|cause| cause.cure() == Cure::Producer);
    html! {
        @if !here.is_empty() {
            h3 { (sum(&here)) " to fix here" }
            p .faint { "Put the cause right, then replay." }
            (causes_table(&here, back))
        }
        @if !of_producers.is_empty() {
            h3 { (sum(&of_producers)) " for the producers to fix" }
            p .faint { "No replay helps: the same message fails again. The producer has to send another one." }
            (causes_table(&of_producers, back))
        }
    }
}

fn sum(causes: &[&DeadLetterCause]) -> i64 {
    causes.iter().map(|cause| cause.count).sum()
}

fn causes_table(causes: &[&DeadLetterCause], back: &str) -> Markup {
    html! {
        table .stack {
            thead { tr { th .number { "Letters" } th { "Cause" } th { "Switch" } th { "Latest error" } th { "Newest" } th {} } }
            tbody {
                @for cause in causes {
                    tr {
                        td data-label="Letters" .number { (cause.count) }
                        td data-label="Cause" { strong { (safe(&cause.reason_code)) } }
                        td data-label="Switch" { (or_dash(cause.switch.as_ref())) }
                        td data-label="Latest error" { (safe(&cause.error_text)) }
                        td data-label="Newest" { (time(cause.newest_at)) }
                        td { (buttons(&of_cause(cause), cause.count, back, cause.cure())) }
                    }
                }
            }
        }
    }
}

fn of_cause(cause: &DeadLetterCause) -> Markup {
    html! {
        input type="hidden" name="reason" value=(cause.reason_code);
        input type="hidden" name="switch" value=(cause.switch.as_ref().map(ToString::to_string).unwrap_or_default());
    }
}

/// Dead letters as a table with their buttons.
pub(super) fn table(letters: &[DeadLetterRow], back: &str) -> Markup {
    html! {
        table .stack {
            thead { tr { th { "Letter" } th { "Cause" } th { "Address" } th { "Error" } th { "Failed" } th {} } }
            tbody {
                @for letter in letters {
                    tr {
                        td data-label="Letter" { a href={ "/dead-letters/" (letter.id) } { (letter.id) } }
                        td data-label="Cause" { strong { (safe(&letter.reason_code)) } }
                        td data-label="Address" .mono { (or_dash(letter.ip_address.as_ref())) }
                        td data-label="Error" { (safe(&letter.error_text)) }
                        td data-label="Failed" { (time(letter.last_failed_at)) }
                        td { (buttons(&html! { input type="hidden" name="id" value=(letter.id); }, 1, back, letter.cure())) }
                    }
                }
            }
        }
    }
}

/// A replay is the first button only where it can help.
fn buttons(which: &Markup, count: i64, back: &str, cure: Cure) -> Markup {
    let which = html! { (which) input type="hidden" name="back" value=(back); };
    html! {
        div .actions {
            @if cure == Cure::Producer {
                (discard_button(&which, count))
                details .careful { summary { "Replay…" } (replay_button(&which, count, "anyway")) }
            } @else {
                (replay_button(&which, count, ""))
                (discard_button(&which, count))
            }
        }
    }
}

fn replay_button(which: &Markup, count: i64, anyway: &str) -> Markup {
    html! {
        form method="post" action="/dead-letters/replay" {
            (which) button .primary[anyway.is_empty()] { "Replay" @if count > 1 { " " (count) } @if !anyway.is_empty() { " " (anyway) } }
        }
    }
}

fn discard_button(which: &Markup, count: i64) -> Markup {
    html! {
        details .careful {
            summary { "Discard…" }
            form method="post" action="/dead-letters/discard" {
                (which) button .grave { "Discard " @if count > 1 { (count) " " } "permanently" }
            }
        }
    }
}

/// Shows one with what was received.
pub(super) async fn show(State(app): State<AppState>, Path(id): Path<i64>) -> Result<Markup, PageError> {
    let FullDeadLetter { row: letter, body, headers } = app.store.dead_letters().get(id).await?;
    let content = html! {
        p { (status(&letter.state)) }
        p .note.bad { strong { (safe(&letter.reason_code)) } ": " (safe(&letter.error_text)) }
        @if letter.state == "waiting" {
            (buttons(&html! { input type="hidden" name="id" value=(letter.id); }, 1, &format!("/dead-letters/{id}"), letter.cure()))
        }
        dl {
            dt { "Command" } dd .mono { (safe(&letter.routing_key)) }
            dt { "Message" } dd .mono { (or_dash(letter.message_id.as_ref())) }
            dt { "Correlation" } dd .mono { (or_dash(letter.correlation_id.as_ref())) }
            dt { "Server" } dd { (or_dash(letter.server_id.as_ref())) }
            dt { "Address" } dd .mono { (or_dash(letter.ip_address.as_ref())) }
            dt { "Switch" } dd { (or_dash(letter.switch.as_ref())) }
            dt { "Attempts" } dd { (letter.attempts) }
            dt { "Replays" } dd { (letter.replays) }
            dt { "Copies" } dd { (letter.copies) }
            dt { "First failed" } dd { (exact_time(letter.first_failed_at)) }
            dt { "Last failed" } dd { (exact_time(letter.last_failed_at)) }
        }
        h2 { "Body" }
        @if letter.is_too_long() {
            p .note {
                "The first " (BODY_BYTES_MAX) " of " (letter.body_bytes) " bytes. It cannot be replayed: publish a corrected message."
                @if let Some(hash) = &letter.body_sha256 { " SHA-256 of the whole: " span .mono { (hash) } }
            }
        }
        pre { (safe(&String::from_utf8_lossy(&body))) }
        h2 { "Headers" }
        pre { (safe(&headers.to_string())) }
    };
    Ok(page(&format!("Dead letter {id}"), "/dead-letters", content))
}

/// What a button sends: one letter, or those of a cause.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ButtonForm {
    id: Option<i64>,
    reason: String,
    switch: String,
    back: String,
}

impl ButtonForm {
    fn filter(&self) -> Result<DeadLetterFilter, Problem> {
        let all = DeadLetterFilter::default();
        if let Some(id) = self.id {
            return Ok(DeadLetterFilter { ids: vec![id], ..all });
        }
        if self.reason.is_empty() {
            return Err(Problem::new(ApiCode::InvalidBody, "no dead letters were selected"));
        }
        let switch = (!self.switch.is_empty()).then(|| self.switch.parse()).transpose();
        let switch = switch.map_err(|error| Problem::new(ApiCode::InvalidBody, format!("switch: {error}")))?;
        let without_switch = switch.is_none();
        Ok(DeadLetterFilter { reason: Some(self.reason.clone()), switch, without_switch, ..all })
    }
}

/// Sends them again: one at once, those of a cause in the background.
pub(super) async fn replay(State(app): State<AppState>, Form(form): Form<ButtonForm>) -> Result<Response, PageError> {
    let letters = waiting(&app, &form).await?;
    if form.id.is_some() {
        broker::replay(&app.broker, &app.store, &letters, |_| ()).await?;
        return Ok(redirect_to(&form.back));
    }
    let replay = app.replays.start(&app.broker, &app.store, letters);
    Ok(redirect_to(&format!("/dead-letters?replay={}", replay.id)))
}

/// Puts them aside for good.
pub(super) async fn discard(State(app): State<AppState>, Form(form): Form<ButtonForm>) -> Result<Response, PageError> {
    let letters = waiting(&app, &form).await?;
    app.store.dead_letters().discard(&letters).await?;
    Ok(redirect_to(&form.back))
}

async fn waiting(app: &AppState, form: &ButtonForm) -> Result<Vec<i64>, PageError> {
    let letters = app.store.dead_letters().ids(&form.filter()?).await?;
    let gone = "none of them is still waiting: somebody else replayed or discarded them";
    if letters.is_empty() { Err(Problem::new(ApiCode::NotFound, gone).into()) } else { Ok(letters) }
}
