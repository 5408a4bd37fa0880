//! Writes into the log what somebody is about to change, before it is done: nothing is changed without an entry. If it is
//! refused, another entry says so.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::caller::Caller;
use crate::domain::{LogEntry, NewLogEntry, WebhookForm, WebhookUrl, chain};
use crate::store::Store;
use crate::web::api::problem::Problem;

/// Longest body that is kept whole, bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Answers a request that changes something, with an entry before it.
pub(super) async fn run(store: &Store, caller: &Caller, action: &str, request: Request, next: Next) -> Response {
    let (request, entry) = match prepared(caller, action, request).await {
        Ok(prepared) => prepared,
        Err(problem) => return problem.into_response(),
    };
    let written = match store.audit_log().add(entry).await {
        Ok(written) => written,
        Err(error) => return Problem::from(error).into_response(),
    };
    let response = next.run(request).await;
    if let Some(refusal) = refusal(&response, written.id) {
        note_refusal(store, written, refusal).await;
    }
    response
}

/// The request, whose body was read, and its entry.
async fn prepared(caller: &Caller, action: &str, request: Request) -> Result<(Request, NewLogEntry), Problem> {
    let (subject, query) = (subject(&request), request.uri().query().map(pairs));
    let is_form = request
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form"));
    let (parts, body) = request.into_parts();
    let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await?;
    let entry = NewLogEntry {
        who: caller.who().to_owned(),
        role: caller.role.to_string(),
        via: caller.via,
        address: Some(caller.address.clone()).filter(|address| !address.is_empty()),
        action: action.to_owned(),
        subject,
        details: details(query, asked(&body, is_form).map(|body| without_tokens(action, body))),
    };
    Ok((Request::from_parts(parts, Body::from(body)), entry))
}

/// What the path names, such as a site or a number.
fn subject(request: &Request) -> String {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let named = path.split('/').zip(request.uri().path().split('/')).filter(|(pattern, _)| pattern.starts_with('{'));
    named.map(|(_, name)| name).collect::<Vec<_>>().join(" ")
}

fn pairs(text: &str) -> Value {
    let pairs = url::form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| name != "back");
    Value::Object(pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect())
}

/// The body as it is kept: a long one by its hash.
fn asked(body: &[u8], is_form: bool) -> Option<Value> {
    let text = std::str::from_utf8(body).ok();
    match text {
        _ if body.is_empty() => None,
        Some(text) if is_form && body.len() <= BODY_BYTES_MAX => Some(pairs(text)),
        Some(text) if body.len() <= BODY_BYTES_MAX => Some(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
        _ => Some(json!({"bytes": body.len(), "sha256": hex::encode(Sha256::digest(body))})),
    }
}

/// The URL of a webhook may hold a token: its host is kept, and so is nothing that cannot be read.
fn without_tokens(action: &str, mut body: Value) -> Value {
    match body.get_mut("url") {
        _ if action != "add_webhook" => body,
        Some(url) => {
            let parsed = url.as_str().and_then(|url| url.parse::<WebhookUrl>().ok());
            *url = parsed.map_or_else(|| "***".to_owned(), |url| url.shown(WebhookForm::Slack)).into();
            body
        }
        None => "***".into(),
    }
}

fn details(query: Option<Value>, body: Option<Value>) -> Value {
    let parts = [("query", query), ("body", body)];
    let parts = parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(parts.collect::<Map<_, _>>())
}

/// How the request of that entry was refused, if it was.
fn refusal(response: &Response, entry: i64) -> Option<Value> {
    let status = Some(response.status()).filter(|status| status.is_client_error() || status.is_server_error())?;
    let problem = response.extensions().get::<Problem>();
    Some(json!({"refused": status.as_u16(), "entry": entry,
        "code": problem.map(|problem| &problem.code), "why": problem.map(|problem| &problem.detail)}))
}

async fn note_refusal(store: &Store, written: LogEntry, details: Value) {
    // The entry before it stands in any case.
    if let Err(error) = store.audit_log().add(NewLogEntry { details, ..written.entry }).await {
        tracing::warn!(error = chain(&error), "a refusal could not be written into the log of changes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_kept_as_they_were_asked_and_long_ones_by_their_hash() {
        assert_eq!(asked(b"{\"until\": 1}", false), Some(json!({"until": 1})));
        assert_eq!(asked(b"ids=1&back=%2Fx", true), Some(json!({"ids": "1"})));
        assert_eq!(asked(b"{", false), Some(json!("{")));
        assert_eq!(asked(b"", false), None);
        let long = asked(&vec![b'x'; BODY_BYTES_MAX + 1], false).expect("kept");
        assert_eq!(long["bytes"], BODY_BYTES_MAX + 1);
    }

    #[test]
    fn the_token_in_the_url_of_a_webhook_is_not_kept() {
        let asked = json!({"url": "https://hooks.example.com/services/hunter2", "name": "ops"});
        let kept = json!({"url": "https://hooks.example.com/***", "name": "ops"});
        assert_eq!(without_tokens("add_webhook", asked), kept);
        assert_eq!(without_tokens("add_webhook", json!({"url": "hunter2"})), json!({"url": "***"}));
        assert_eq!(without_tokens("add_webhook", "hunter2".into()), "***");
        assert_eq!(without_tokens("freeze", json!({"url": "x"})), json!({"url": "x"}));
    }

    #[test]
    fn the_subject_is_what_the_path_names() {
        let details = details(Some(pairs("server_id=7&ip_address=10.0.0.1")), None);
        assert_eq!(details, json!({"query": {"server_id": "7", "ip_address": "10.0.0.1"}}));
    }
}
