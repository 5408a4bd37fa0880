//! Errors of the API: problem details (RFC 9457) with a stable code.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::broker::{BrokerError, ReplayError};
use crate::domain::{Code, Failure, FailureClass, chain};
use crate::store::StoreError;

macro_rules! api_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:ident, $title:literal;)*) => {
        /// The codes that only the API gives; all others are those of [`Code`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ApiCode {
            $($(#[$doc])* $variant,)*
        }

        impl ApiCode {
            /// Every one there is.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as text.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            const fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)*
                }
            }

            const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }
        }
    };
}

api_codes! {
    /// The path names nothing, or nothing that is there.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The path has no such method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// The token is missing or wrong.
    Unauthorized = "unauthorized", UNAUTHORIZED, "The API token is missing or wrong";
    /// A hook's delivery is not signed, not with its secret, or too long ago.
    BadSignature = "bad_signature", UNAUTHORIZED, "The signature is missing, wrong or too old";
    /// The token's role does not permit it.
    Forbidden = "forbidden", FORBIDDEN, "The token's role does not permit this";
    /// A page of another site asks, or the address is reached under a foreign name.
    CrossSite = "cross_site", FORBIDDEN, "Requests from other sites are not allowed";
    /// A switch or a server that is to go is needed.
    StillNeeded = "still_needed", CONFLICT, "It is still needed";
    /// A parameter of the path or the query, or a header, cannot be read.
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "Invalid parameter";
    /// The body is not what the method takes.
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY, "Invalid body";
    /// The body of the request did not come in time.
    SlowBody = "slow_body", REQUEST_TIMEOUT, "The body did not arrive in time";
    /// As many connections are open as may be, and each is being answered.
    TooManyConnections = "too_many_connections", SERVICE_UNAVAILABLE, "Too many connections";
    /// The broker does not take messages.
    BrokerTrouble = "broker_trouble", SERVICE_UNAVAILABLE, "The broker does not accept messages";
    /// No answer was ready in time.
    NoAnswer = "no_answer", SERVICE_UNAVAILABLE, "No answer in time";
}

/// A problem as RFC 9457 has it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Identifies the kind of problem: `urn:vmacd:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:vmacd:problem:invalid_field")]
    kind: String,
    /// The kind of problem in words.
    pub(in crate::web) title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub(in crate::web) status: u16,
    /// What happened here, and what to do where that is known.
    pub(in crate::web) detail: String,
    /// The stable code, the same as in dead letters and events.
    #[schema(example = "invalid_field")]
    pub(in crate::web) code: String,
}

impl Problem {
    /// A problem of the API's own.
    pub fn new(code: ApiCode, detail: impl Into<String>) -> Self {
        Self::of(code.as_str(), code.status(), code.title(), detail.into())
    }

    fn of(code: &str, status: StatusCode, title: &str, detail: String) -> Self {
        let kind = format!("urn:vmacd:problem:{code}");
        Self { kind, title: title.to_owned(), status: status.as_u16(), detail, code: code.to_owned() }
    }
}

/// What a list is answered with that cannot be given; only described with this.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers and is never made")]
pub(super) enum QueryProblems {
    /// A parameter is invalid
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// The database does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// The same of one thing that the path names.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers and is never made")]
pub(super) enum LookupProblems {
    /// A parameter or the body is invalid
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// Not found
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The database or the broker does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// The same of a command in the body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers and is never made")]
pub(super) enum CommandProblems {
    /// A parameter, a header or the body cannot be read
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The command was refused
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
    /// The database or the broker does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let format = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, format, Json(&self).into_response().into_body()).into_response();
        // A browser is shown the same as a page.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (status, title) = match (failure.code, failure.class()) {
            (Code::NotUtf8 | Code::NotJson, _) => (StatusCode::BAD_REQUEST, "The body cannot be read"),
            (Code::InvalidEncoding, _) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported encoding of the body"),
            (Code::TooLarge, _) => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            (_, FailureClass::Permanent) => (StatusCode::UNPROCESSABLE_ENTITY, "The request was refused"),
            (_, FailureClass::Transient | FailureClass::Deferred) => {
                (StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable")
            }
        };
        Self::of(failure.code.as_str(), status, title, failure.text)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(failure) => failure.into(),
            StoreError::NotFound { .. } | StoreError::NotFrozen(_) => Self::new(ApiCode::NotFound, error.to_string()),
            StoreError::StillNeeded { .. } => Self::new(ApiCode::StillNeeded, error.to_string()),
            error => Failure::new(Code::DatabaseTrouble, chain(&error)).into(),
        }
    }
}

impl From<BrokerError> for Problem {
    fn from(error: BrokerError) -> Self {
        Self::new(ApiCode::BrokerTrouble, chain(&error))
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Broker(error) => error.into(),
            ReplayError::Store(error) => error.into(),
            error @ ReplayError::TooLong { .. } => Failure::new(Code::TooLarge, error.to_string()).into(),
        }
    }
}

/// Bodies are read up to a limit: axum's own of 2 MB, or a route's.
impl From<axum::extract::rejection::BytesRejection> for Problem {
    fn from(rejection: axum::extract::rejection::BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::new(Code::TooLarge, rejection.body_text()).into(),
            _ => Self::new(ApiCode::InvalidBody, rejection.body_text()),
        }
    }
}

macro_rules! problem_of {
    ($($rejection:ident => $code:ident),* $(,)?) => {
        $(impl From<axum::extract::rejection::$rejection> for Problem {
            fn from(rejection: axum::extract::rejection::$rejection) -> Self {
                Self::new(ApiCode::$code, rejection.body_text())
            }
        })*
    };
}

problem_of! {
    QueryRejection => InvalidParameter,
    PathRejection => InvalidParameter,
    JsonRejection => InvalidBody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_api_is_documented_with_its_status() {
        let page = include_str!("../../../docs/ERRORS.md");
        for code in ApiCode::ALL {
            let row = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
            assert!(page.contains(&row), "{row}");
        }
    }
}
