//! The health page: broker, database and workers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use maud::{Markup, html};

use super::api_docs;
use super::components::{exact_time, safe, time};
use super::error_page::PageError;
use super::health_banner::{self, PATH, clock};
use super::layout::page;
use crate::domain::{Code, Failure, Health, Outage, WorkerHeartbeat};
use crate::web::api::health::HealthReport;
use crate::web::health::HealthSource;

/// A database outage that has lasted this long is certain; a shorter one may be just a slow answer.
const OUTAGE_CERTAIN_AFTER: TimeDelta = TimeDelta::seconds(3);

/// Adds the health banner to every page of a router. During an outage of the database only pages that need none are made: the others
/// would make their reader wait, and then say the same.
pub(super) async fn add_health(
    State(health_source): State<Arc<dyn HealthSource>>,
    request: Request,
    next: Next,
) -> Response {
    let needs_none = [PATH, api_docs::PATH].contains(&request.uri().path());
    let seen = health_source.health_view().await;
    // One slow answer is no outage.
    let lasts = |away: &Outage| seen.health.now - away.since > OUTAGE_CERTAIN_AFTER;
    let away = seen.health.database.clone().filter(|away| !needs_none && lasts(away));
    let page = async {
        match away {
            Some(away) => {
                let text = format!("cannot reach the database: {}; this page retries", away.error);
                PageError::from(Failure::new(Code::DatabaseTrouble, text)).into_response()
            }
            None => next.run(request).await,
        }
    };
    health_banner::scope(seen, page).await
}

/// The page; clients that do not accept HTML get the answer of the API.
pub(super) async fn show(headers: HeaderMap) -> Response {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let varies = [(header::VARY, "accept")];
    if accepted.into_iter().any(|value| value.contains("text/html")) {
        let content = health_banner::read(|seen| table(&seen.health)).unwrap_or_default();
        return (varies, page("Health", PATH, content)).into_response();
    }
    let report = health_banner::read(|seen| Json(HealthReport::from(seen)));
    (varies, report.ok_or(StatusCode::INTERNAL_SERVER_ERROR)).into_response()
}

fn table(health: &Health) -> Markup {
    html! {
        p { @if health.is_good() { "Everything is working." } @else { "There is a problem; see above." } }
        h2 { "Workers" }
        table .stack {
            thead { tr { th { "Worker" } th { "Version" } th { "Running since" } th { "Last heard from" } th { "RabbitMQ" } th { "Tasks" } } }
            tbody {
                @for worker in &health.workers {
                    tr {
                        td data-label="Worker" { (safe(&worker.name)) }
                        td data-label="Version" { (safe(&worker.version)) }
                        td data-label="Running since" { span { (exact_time(worker.started_at)) } }
                        td data-label="Last heard from" { (time(worker.heard_at)) @if worker.is_silent(health.known_at) { " " span .failed { "silent" } } }
                        td data-label="RabbitMQ" { (broker_of(health, worker)) }
                        td data-label="Tasks" { @match &worker.trouble { Some(trouble) => span .failed { (safe(trouble)) }, None => "all running" } }
                    }
                }
            }
        }
        h2 { "Parts" }
        dl {
            dt { "Database" } dd { @match &health.database { None => { "answers in " (health.database_ms) " ms" }, Some(away) => (since(away)) } }
            dt { "Broker" } dd { @match &health.broker {
                None => { @if health.broker_is_embedded { "embedded: a table of the database" } @else { "RabbitMQ, connected" } },
                Some(away) => (since(away)),
            } }
            dt { "As of" } dd { (exact_time(health.known_at)) }
        }
    }
}

fn since(away: &Outage) -> Markup {
    html! { span .failed { "unreachable" } " since " (exact_time(away.since)) ": " (safe(&away.error)) }
}

fn broker_of(health: &Health, worker: &WorkerHeartbeat) -> Markup {
    html! {
        @if health.broker_is_embedded { "embedded" }
        @else if let Some(since) = worker.broker_lost_at { span .failed { "no connection" } " since " (clock(since)) }
        @else { "connected" }
    }
}
