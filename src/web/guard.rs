//! The bearer token (RFC 6750 section 2.1).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::server::Access;

/// Lets a request through that shows the token, or every one where none is asked for.
pub(super) async fn require_token(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match &*access {
        Access::Open => next.run(request).await,
        Access::Token(token) if shows(&request, token) => next.run(request).await,
        Access::Token(_) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"vmacd\"")];
            (StatusCode::UNAUTHORIZED, challenge, "show the API token: Authorization: Bearer TOKEN\n").into_response()
        }
    }
}

/// Hashes are compared, not texts: how long that takes tells nothing of the token.
fn shows(request: &Request, token: &str) -> bool {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.split_once(' '));
    shown.is_some_and(|(scheme, shown)| {
        scheme.eq_ignore_ascii_case("bearer") && Sha256::digest(shown) == Sha256::digest(token)
    })
}
