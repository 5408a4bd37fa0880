//! Queues a request as a message and answers where its outcome will be, or only simulates it.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::broker::{RequestIds, expand_subnet, request};
use crate::domain::Action;
use crate::web::access::caller;
use crate::web::app_state::AppState;

/// A request that was queued.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// The message's id, the idempotency key.
    message_id: String,
    /// `accepted`.
    status: String,
    /// The ids of the commands that a subnet becomes, one an address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    message_ids: Vec<String>,
}

/// Queues the command, or only shows what it would change.
pub(super) async fn queue_or_dry_run(
    app: &AppState,
    action: Action,
    body: Vec<u8>,
    ids: RequestIds,
    dry_run: bool,
) -> Result<Response, Problem> {
    if !dry_run {
        return queue(app, action, body, ids).await;
    }
    let message = request(action, body, ids)?;
    let messages = match expand_subnet(&message)? {
        Some(commands) => commands.messages(&message).collect(),
        None => vec![message],
    };
    Ok(Json(app.dry_runner.dry_run(messages).await?).into_response())
}

/// The body, in which `requested_by` is the token's name if it says nothing. Everything else stays as it was written: what is
/// wrong in it is refused later.
fn by_caller(body: Vec<u8>) -> Vec<u8> {
    let Some(name) = caller::token_name() else { return body };
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(&body) else { return body };
    let Some(open) = body.trim_ascii_end().strip_suffix(b"}").filter(|_| !fields.contains_key("requested_by")) else {
        return body;
    };
    let comma = if fields.is_empty() { "" } else { "," };
    [open, format!("{comma}\"requested_by\":{}}}", Value::from(name)).as_bytes()].concat()
}

/// Publishes the command as any producer would: what a worker would refuse for its form is refused here.
pub(in crate::web) async fn queue(
    app: &AppState,
    action: Action,
    body: Vec<u8>,
    ids: RequestIds,
) -> Result<Response, Problem> {
    let message = request(action, by_caller(body), ids)?.stamped(app.store.time().await);
    let message_id = message.message_id.clone().unwrap_or_default();
    let message_ids: Vec<String> = expand_subnet(&message)?
        .iter()
        .flat_map(|commands| commands.messages(&message))
        .filter_map(|one| one.message_id)
        .collect();
    app.broker.publish_command(message).await?;
    // For a subnet, the last command; the others are in the body.
    let name = message_ids.last().unwrap_or(&message_id);
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let location = format!("/api/v1/commands/{}", name.replace('+', "%20"));
    let accepted = Accepted { message_id, status: "accepted".to_owned(), message_ids };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(accepted)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Role, Via};
    use crate::store::Token;
    use crate::web::access::caller::Credentials;

    #[tokio::test]
    async fn who_asks_is_put_in_where_the_body_does_not_say_it() {
        let credentials = Credentials { authorization: None, address: String::new(), via: Via::Api };
        let token = Token {
            name: "billing".parse().expect("a name"),
            role: Role::Producer,
            created_at: chrono::DateTime::UNIX_EPOCH,
            created_by: String::new(),
            expires_at: None,
            last_used_at: None,
            last_used_from: None,
            revoked_at: None,
        };
        for (body, expected) in [
            ("{\"a\": 1.0}\n", "{\"a\": 1.0,\"requested_by\":\"billing\"}"),
            ("{}", "{\"requested_by\":\"billing\"}"),
            ("{\"requested_by\": \"panel\"}", "{\"requested_by\": \"panel\"}"),
            ("[1]", "[1]"),
            ("{", "{"),
        ] {
            let asked = async { by_caller(body.as_bytes().to_vec()) };
            let made = caller::scope(credentials.as_token(&token), asked).await;
            assert_eq!(String::from_utf8_lossy(&made), expected);
        }
        assert_eq!(by_caller(b"{}".to_vec()), b"{}");
    }
}
