//! Search: an address, a MAC, an order, a server, a switch, or a part of one.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

use super::components::{ROWS, safe, shown_of_total, url_encoded};
use super::error_page::PageError;
use super::extract::Query;
use super::layout::page;
use super::{dead_letters, vmacs};
use crate::domain::{Search, SwitchName, VmacName};
use crate::store::{DeadLetterFilter, DeadLetterRow, StoreError, Vmac, VmacFilter};
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::app_state::AppState;

/// What to search for.
#[derive(Debug, Deserialize)]
pub(super) struct SearchQuery {
    #[serde(default)]
    q: String,
}

/// All that has the text.
struct Matches {
    vmacs: Vec<Vmac>,
    /// On all pages.
    vmacs_total: i64,
    switches: Vec<SwitchName>,
    letters: Vec<DeadLetterRow>,
}

/// Leads to the one thing that matches, or shows all that do.
pub(super) async fn find(State(app): State<AppState>, Query(query): Query<SearchQuery>) -> Result<Response, PageError> {
    let text = query.q.trim();
    let Some(search) = Search::of(text) else { return Ok(Redirect::to("/vmacs").into_response()) };
    if let Some(path) = exact_match(&app, text).await? {
        return Ok(Redirect::to(&path).into_response());
    }
    let found = all_matches(&app, text, search).await?;
    match single_match(&found) {
        Some(path) => Ok(Redirect::to(&path).into_response()),
        None => results_page(text, &found),
    }
}

/// The path of the thing with exactly this name.
async fn exact_match(app: &AppState, text: &str) -> Result<Option<String>, StoreError> {
    match text.parse::<VmacName>() {
        Ok(VmacName::Id(number)) => {
            let of_server = VmacFilter { server_id: Some(number), limit: 1, ..VmacFilter::default() };
            let known = !app.store.vmacs().find(&of_server).await?.is_empty();
            Ok(known.then(|| format!("/vmacs?server={number}")))
        }
        Ok(name @ (VmacName::Ip(_) | VmacName::Mac(_))) => match app.store.vmacs().named(name).await {
            Ok(_) => Ok(Some(format!("/vmacs/{}", url_encoded(text)))),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        },
        Err(_) => match text.parse::<SwitchName>() {
            Ok(switch) => match app.store.switches().get(&switch).await {
                Ok(_) => Ok(Some(format!("/switches/{switch}"))),
                Err(StoreError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            },
            Err(_) => Ok(None),
        },
    }
}

async fn all_matches(app: &AppState, text: &str, search: Search) -> Result<Matches, StoreError> {
    let of_text = match &search {
        Search::Text(text) => Some(text.clone()),
        Search::Within(_) => None,
    };
    let filter = VmacFilter { search: Some(search), newest_first: true, limit: ROWS, ..VmacFilter::default() };
    let (switches, letters) = match of_text {
        None => (Vec::new(), Vec::new()),
        Some(search) => {
            let filter = DeadLetterFilter {
                search: Some(search),
                newest_first: true,
                limit: ROWS,
                ..DeadLetterFilter::default()
            };
            (app.store.switches().named_like(text, ROWS).await?, app.store.dead_letters().list(&filter).await?)
        }
    };
    let mut found = Matches {
        vmacs: app.store.vmacs().find(&filter).await?,
        vmacs_total: app.store.vmacs().count(&filter).await?,
        switches,
        letters,
    };
    // A number that is nothing else is that of a row.
    if let (Ok(VmacName::Id(id)), 0) = (text.parse(), found.count()) {
        match app.store.vmacs().get(id).await {
            Ok(vmac) => (found.vmacs, found.vmacs_total) = (vec![vmac], 1),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

impl Matches {
    fn count(&self) -> usize {
        self.vmacs.len() + self.switches.len() + self.letters.len()
    }
}

/// The path of the only match; none if there are several, or none.
fn single_match(found: &Matches) -> Option<String> {
    match (found.vmacs.as_slice(), found.switches.as_slice(), found.letters.as_slice()) {
        ([vmac], [], letters)
            if letters.iter().all(|letter| letter.ip_address == Some(vmac.ip_address.to_string())) =>
        {
            Some(format!("/vmacs/{}", vmac.id))
        }
        ([], [switch], []) => Some(format!("/switches/{switch}")),
        ([], [], [letter]) => Some(format!("/dead-letters/{}", letter.id)),
        _ => None,
    }
}

fn results_page(text: &str, found: &Matches) -> Result<Response, PageError> {
    if found.count() == 0 {
        let text = format!("no address, MAC, order, message, server or switch matches `{}`", safe(text));
        return Err(Problem::new(ApiCode::NotFound, text).into());
    }
    let content = html! {
        @if !found.switches.is_empty() {
            h2 { "Switches" }
            ul { @for switch in &found.switches { li { a href={ "/switches/" (switch) } { (switch) } } } }
        }
        @if !found.vmacs.is_empty() {
            h2 { "Virtual MACs" }
            (shown_of_total(found.vmacs.len(), found.vmacs_total))
            (vmacs::table(&found.vmacs))
            @if found.vmacs_total > ROWS { p { a href={ "/vmacs?q=" (url_encoded(text)) } { "All " (found.vmacs_total) } } }
        }
        @if !found.letters.is_empty() {
            h2 { "Dead letters" }
            (dead_letters::table(&found.letters, "/dead-letters"))
        }
    };
    Ok(page(&format!("Found for {}", safe(text)), "", content).into_response())
}
