//! The route: who sends, what it asks for, and the answer.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::mapping::asked;
use super::signature::is_signed;
use crate::config::HookSettings;
use crate::web::App;
use crate::web::api::{ApiCode, Path, Problem, queue};
use crate::web::connections::Turn;
use crate::web::guesses::{Door, Guesses};

/// Longest body, bytes: as long as a message's.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The route, for every hook of the settings.
pub(in crate::web) fn router(app: App, guesses: Guesses) -> Router {
    let take = post(take).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new().route("/hooks/{name}", take).layer(Extension(guesses)).with_state(app)
}

/// Takes one delivery. Nothing of it is read before its signature was found right.
async fn take(
    State(app): State<App>,
    Extension(guesses): Extension<Guesses>,
    turn: Option<Extension<Turn>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Some(hook) = app.hook(&name) else {
        return Err(Problem::new(ApiCode::NotFound, "the settings have no such hook"));
    };
    let body = body?;
    if let Err(problem) = signed(hook, &headers, &body) {
        guesses.wrong(Door::Hook(name), turn.as_deref()).await;
        let challenge = [(header::WWW_AUTHENTICATE, "HMAC-SHA256 realm=\"vmacd\"")];
        return Ok((challenge, problem).into_response());
    }
    let traceparent = headers.get("traceparent").and_then(|trace| trace.to_str().ok());
    match asked(&name, hook, &body)? {
        None => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(mut asked) => {
            asked.ids.traceparent = traceparent.map(str::to_owned);
            queue(&app, asked.action, asked.body, asked.ids).await
        }
    }
}

fn signed(hook: &HookSettings, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let name = hook.signature_header.as_str();
    let refusal = |text: String| Err(Problem::new(ApiCode::BadSignature, text));
    match headers.get(name).map(|shown| shown.to_str().unwrap_or_default()) {
        None => refusal(format!("the header {name} with the HMAC-SHA256 of the body is missing")),
        Some(shown) if is_signed(hook.secret.reveal(), body, shown) => Ok(()),
        Some(_) => {
            refusal(format!("the header {name} does not hold the HMAC-SHA256 of the body under the hook's secret"))
        }
    }
}
