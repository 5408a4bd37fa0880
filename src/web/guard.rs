//! Who may ask: the bearer token (RFC 6750 section 2.1), and no page of another site.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::api::{ApiCode, Problem};
use super::server::Access;

/// Lets a request through that shows the token, or every one where none is asked for.
pub(super) async fn require_token(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match &*access {
        Access::Open => next.run(request).await,
        Access::Token(token) if shows(&request, token) => next.run(request).await,
        Access::Token(_) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"vmacd\"")];
            let text = "show the API token: Authorization: Bearer TOKEN";
            (challenge, Problem::new(ApiCode::Unauthorized, text)).into_response()
        }
    }
}

/// Keeps pages of other sites, which an operator's browser may have open, from using an address that asks for no token:
/// a request that a browser sends for them names where it comes from (Fetch Standard, `Origin`), and one that reaches a
/// loopback address under a foreign name shows that name (DNS rebinding).
pub(super) async fn refuse_other_sites(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match is_of_another_site(&access, &request) {
        true => Problem::new(ApiCode::CrossSite, "a page of another site may not ask this").into_response(),
        false => next.run(request).await,
    }
}

fn is_of_another_site(access: &Access, request: &Request) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header(header::HOST).unwrap_or_default();
    let foreign_name = matches!(access, Access::Open) && !host.is_empty() && !is_local(host);
    let is_foreign = |origin: &str| origin.split_once("://").is_none_or(|(_, name)| name != host);
    foreign_name || (!request.method().is_safe() && header(header::ORIGIN).is_some_and(is_foreign))
}

/// True for `localhost` and loopback addresses, with or without a port.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// True when the request shows the token as a bearer.
pub(super) fn shows(request: &Request, token: &str) -> bool {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.split_once(' '));
    shown.is_some_and(|(scheme, shown)| scheme.eq_ignore_ascii_case("bearer") && is_same(shown, token))
}

/// Hashes are compared, not texts: how long that takes tells nothing of the token.
pub(super) fn is_same(shown: &str, token: &str) -> bool {
    Sha256::digest(shown) == Sha256::digest(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_are_told_from_others() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:80", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["example.com", "127.0.0.1.example.com:80", "10.0.0.1", "localhost.example.com", "[::2]:80"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
