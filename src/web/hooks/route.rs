//! The route: who sends, what it asks for, and the answer.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::header::AsHeaderName;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::mapping::{Delivery, map_event};
use super::signature::Check;
use crate::domain::{Code, Failure, shown};
use crate::web::access::wrong_credentials::{EntryPoint, WrongCredentials};
use crate::web::api::extract::Path;
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::api::queue::queue;
use crate::web::app_state::AppState;
use crate::web::server::connections::ActiveRequest;

/// Longest body, bytes: as long as a message's.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The route, for every hook of the settings.
pub(in crate::web) fn router(app: AppState, wrong_credentials: WrongCredentials) -> Router {
    let receive = post(receive).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new().route("/hooks/{name}", receive).layer(Extension(wrong_credentials)).with_state(app)
}

/// Takes one delivery. Nothing of it is read before its signature was found right.
async fn receive(
    State(app): State<AppState>,
    Extension(wrong_credentials): Extension<WrongCredentials>,
    active_request: Option<Extension<ActiveRequest>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Some(hook) = app.hook(&name) else {
        return Err(Problem::new(ApiCode::NotFound, "no hook of this name is configured"));
    };
    let body = body?;
    let check = Check { name: &name, hook, headers: &headers, body: &body };
    let id = match check.run(app.store.time().await) {
        Ok(id) => id,
        Err(error) => {
            wrong_credentials.record_and_delay(EntryPoint::Hook(name), active_request.as_deref()).await;
            let challenge = [(header::WWW_AUTHENTICATE, "HMAC realm=\"vmacd\"")];
            return Ok((challenge, Problem::new(ApiCode::BadSignature, error.to_string())).into_response());
        }
    };
    refuse_compressed(&headers)?;
    let content_type = text(&headers, header::CONTENT_TYPE).unwrap_or_default();
    match map_event(&name, hook, Delivery { body: &body, content_type, id: id.as_deref() })? {
        None => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(mut command) => {
            command.ids.traceparent = text(&headers, "traceparent").map(str::to_owned);
            queue(&app, command.action, command.body, command.ids).await
        }
    }
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Compressed bodies are refused by name: whether they are signed before or after compressing differs between senders.
fn refuse_compressed(headers: &HeaderMap) -> Result<(), Problem> {
    match text(headers, header::CONTENT_ENCODING).map(str::trim).unwrap_or_default() {
        "" | "identity" => Ok(()),
        encoding => {
            let problem =
                format!("a body with `Content-Encoding: {}` is not read; send it uncompressed", shown(encoding));
            Err(Failure::new(Code::InvalidEncoding, problem).into())
        }
    }
}
