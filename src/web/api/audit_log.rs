//! The log of who changed what.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Query;
use super::problem::{ApiCode, Problem, QueryProblems};
use crate::domain::LogEntry;
use crate::store::{CheckedLog, LogFilter};
use crate::web::app_state::AppState;

/// Entries in one answer.
const LIMIT: i64 = 100;
const LIMIT_MAX: i64 = 1_000;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(check))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// Only entries of this token or login.
    who: Option<String>,
    /// Only entries with this action, such as `freeze`.
    action: Option<String>,
    /// Only entries with a smaller number: the last one of the answer before.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// What somebody changed, or asked to change.
#[derive(Debug, Serialize, ToSchema)]
struct LogEntryView {
    id: i64,
    at: DateTime<Utc>,
    /// The token's name; `admin` for the one of the setting `api.token`, `local` where none is set.
    #[schema(example = "ops-1")]
    who: String,
    /// Their role; empty at the command line.
    role: String,
    /// `api`, `page`, `command line`, or `vmacd` for what it found changed at its start.
    via: String,
    /// From which address.
    address: Option<String>,
    /// The operation's id in this document, or the verb.
    #[schema(example = "freeze")]
    action: String,
    /// To what, such as a site.
    subject: String,
    /// What was asked; `refused` where it was not done.
    details: Value,
    /// The hash over the entry and the hash before it.
    hash: String,
}

impl From<LogEntry> for LogEntryView {
    fn from(LogEntry { id, at, entry, hash }: LogEntry) -> Self {
        Self {
            id,
            at,
            who: entry.who,
            role: entry.role,
            via: entry.via.as_str().to_owned(),
            address: entry.address,
            action: entry.action,
            subject: entry.subject,
            details: entry.details,
            hash,
        }
    }
}

/// Lists entries, the newest first. An entry is written before its change is made; if that is refused, another entry says so.
#[utoipa::path(get, path = "/audit-log", operation_id = "read_audit_log", tag = "access", params(LogQuery),
    responses(
        (status = 200, body = Vec<LogEntryView>),
        QueryProblems,
    ))]
async fn list(State(app): State<AppState>, Query(query): Query<LogQuery>) -> Result<Json<Vec<LogEntryView>>, Problem> {
    let limit = within("limit", query.limit, LIMIT_MAX)?.unwrap_or(LIMIT);
    let filter = LogFilter { who: query.who, action: query.action, before: within("before", query.before, i64::MAX)? };
    Ok(Json(app.store.audit_log().list(&filter, limit).await?.into_iter().map(LogEntryView::from).collect()))
}

fn within(name: &str, value: Option<i64>, max: i64) -> Result<Option<i64>, Problem> {
    let refused = || Problem::new(ApiCode::InvalidParameter, format!("{name}: expected a number from 1 to {max}"));
    if value.is_none_or(|value| (1..=max).contains(&value)) { Ok(value) } else { Err(refused()) }
}

/// How far the log is as it was written.
#[derive(Debug, Serialize, ToSchema)]
struct CheckedLogView {
    /// The entries that were looked at and are right.
    entries: i64,
    /// The hash of the last one. Kept elsewhere, it shows later that nothing was removed since.
    hash: String,
    /// What is wrong, if something is.
    fault: Option<String>,
}

/// Checks the whole log for entries that were changed, put in or removed.
#[utoipa::path(get, path = "/audit-log/check", operation_id = "check_audit_log", tag = "access",
    responses(
        (status = 200, body = CheckedLogView),
        QueryProblems,
    ))]
async fn check(State(app): State<AppState>) -> Result<Json<CheckedLogView>, Problem> {
    let CheckedLog { entries, hash, fault } = app.store.audit_log().check().await?;
    Ok(Json(CheckedLogView { entries, hash, fault }))
}
