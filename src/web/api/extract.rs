//! Parameters and bodies, with problems in place of axum's plain texts.

use axum::extract::{FromRequest, FromRequestParts};
use axum::http::HeaderMap;
use utoipa::IntoParams;

use super::problem::{ApiCode, Problem};
use crate::broker::RequestIds;

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(super) struct Query<T>(pub T);

/// What the path names.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(in crate::web) struct Path<T>(pub T);

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(super) struct Body<T>(pub T);

/// A parameter as a value of the domain.
pub(super) fn parsed<T>(name: &str, text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Problem::new(ApiCode::InvalidParameter, format!("{name}: {error}")))
}

/// The same for one that may be left out.
pub(super) fn parsed_optional<T>(name: &str, text: Option<&String>) -> Result<Option<T>, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.map(|text| parsed(name, text)).transpose()
}

/// The headers of a command, as [`ids`] reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes headers and is never made")]
pub(super) struct CommandHeaders {
    /// A repeated key returns the first outcome.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
    /// Copied to the events.
    #[param(rename = "X-Correlation-Id")]
    correlation_id: Option<String>,
    /// Copied to the events (W3C Trace Context).
    traceparent: Option<String>,
}

/// The ids that travel in headers: `Idempotency-Key` (with or without the quotes of its draft), `X-Correlation-Id` and
/// `traceparent`.
pub(super) fn ids(headers: &HeaderMap) -> Result<RequestIds, Problem> {
    let header = |name: &str| {
        let value = headers.get(name).map(|value| value.to_str().map(str::to_owned));
        value
            .transpose()
            .map_err(|_| Problem::new(ApiCode::InvalidParameter, format!("the header {name} is not ASCII")))
    };
    let unquoted = |key: String| match key.strip_prefix('"').and_then(|key| key.strip_suffix('"')) {
        Some(inner) => inner.to_owned(),
        None => key,
    };
    let message_id = header("idempotency-key")?.map(unquoted);
    if message_id.as_deref() == Some("") {
        return Err(Problem::new(ApiCode::InvalidParameter, "the header Idempotency-Key is empty"));
    }
    Ok(RequestIds { message_id, correlation_id: header("x-correlation-id")?, traceparent: header("traceparent")? })
}
