//! Access: bearer tokens and what their roles permit, and no requests of other sites' pages.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::caller::{self, Caller, Credentials};
use super::change_log;
use super::permissions::{Needed, Permissions};
use super::wrong_credentials::{EntryPoint, WrongCredentials};
use crate::domain::{Permission, Via};
use crate::store::{Store, StoreError, TokenSecret};
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::server::connections::ActiveRequest;

/// Who may use more than `/healthz` and `/readyz`.
#[derive(Clone)]
pub enum Access {
    /// Everybody: the address is a loopback one and no token is set.
    Open,
    /// Who shows a token; this one is the first admin's.
    Token(String),
}

/// Who may ask for what, and what is known of those who may not.
pub(in crate::web) struct Guard {
    pub access: Access,
    pub store: Store,
    pub permissions: Permissions,
    pub wrong_credentials: WrongCredentials,
}

/// Who makes a request, as far as it shows.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) enum Shown {
    /// A token that is accepted, or no token is asked for.
    Known(Caller),
    /// Something else in its place.
    Wrong,
    /// Nothing.
    Nothing,
}

/// Lets a request through that shows a token whose role permits it, or every one where no token is asked for.
pub(in crate::web) async fn require_token(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.shown(&Credentials::of(&request, Via::Api)).await {
        Ok(Shown::Known(caller)) => return guard.answer(caller, request, next).await,
        Ok(Shown::Wrong) => {
            guard.wrong_credentials.record_and_delay(EntryPoint::Api, request.extensions().get::<ActiveRequest>()).await
        }
        Ok(Shown::Nothing) => {}
        Err(error) => return Problem::from(error).into_response(),
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"vmacd\"")];
    let text = "send an API token: Authorization: Bearer TOKEN";
    (challenge, Problem::new(ApiCode::Unauthorized, text)).into_response()
}

impl Guard {
    /// Whoever shows a token as a header.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shown(&self, credentials: &Credentials) -> Result<Shown, StoreError> {
        match (&self.access, credentials.bearer()) {
            (Access::Open, None) => Ok(Shown::Known(credentials.as_local())),
            (Access::Token(_), None) => Ok(Shown::Nothing),
            (Access::Open, Some(token)) => {
                let known = self.named(token, credentials).await?;
                Ok(Shown::Known(known.unwrap_or_else(|| credentials.as_local())))
            }
            (Access::Token(first), Some(token)) if equal_in_constant_time(token, first) => {
                Ok(Shown::Known(credentials.as_first_admin()))
            }
            (Access::Token(_), Some(token)) => {
                Ok(self.named(token, credentials).await?.map_or(Shown::Wrong, Shown::Known))
            }
        }
    }

    /// Whoever shows the token of a name.
    async fn named(&self, token: &str, credentials: &Credentials) -> Result<Option<Caller>, StoreError> {
        if token.is_empty() {
            return Ok(None);
        }
        let found = self.store.tokens().shown(&TokenSecret::shown(token), &credentials.address).await?;
        Ok(found.map(|token| credentials.as_token(&token)))
    }

    /// Answers a request of that caller, if their role permits it. What changes something is written into the log first;
    /// orders are not: their commands say who asked.
    pub async fn answer(&self, caller: Caller, request: Request, next: Next) -> Response {
        let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let Needed { action, permission } = self.permissions.of(request.method(), path);
        if !caller.role.permits(permission) {
            let needed = permission.roles().join(" or ");
            let text = format!("this needs a token with the role {needed}; {} has {}", caller.who(), caller.role);
            return caller::scope(caller, async { Problem::new(ApiCode::Forbidden, text).into_response() }).await;
        }
        let is_change = !request.method().is_safe() && permission >= Permission::Operate;
        let answer = async {
            match is_change {
                true => change_log::run(&self.store, &caller, &action, request, next).await,
                false => next.run(request).await,
            }
        };
        caller::scope(caller.clone(), answer).await
    }
}

/// Keeps pages of other sites, which an operator's browser may have open, from using an address that asks for no token, or a
/// login: a request that a browser sends for them names where it comes from (Fetch Standard, `Origin`; Fetch Metadata,
/// `Sec-Fetch-Site`), and one that reaches a loopback address under a foreign name shows that name (DNS rebinding).
pub(in crate::web) async fn refuse_other_sites(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    match is_of_another_site(&guard.access, &request) {
        true => Problem::new(ApiCode::CrossSite, "requests from other sites are not allowed").into_response(),
        false => next.run(request).await,
    }
}

fn is_of_another_site(access: &Access, request: &Request) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header(header::HOST).unwrap_or_default();
    let foreign_name = matches!(access, Access::Open) && !host.is_empty() && !is_local(host);
    let is_foreign = |origin: &str| origin.split_once("://").is_none_or(|(_, name)| name != host);
    let fetched_from = header(header::HeaderName::from_static("sec-fetch-site"));
    let is_sent_by_another = header(header::ORIGIN).is_some_and(is_foreign)
        || fetched_from.is_some_and(|site| !matches!(site, "same-origin" | "none"));
    foreign_name || (!request.method().is_safe() && is_sent_by_another)
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

/// Compares in a time that reveals nothing about the token, neither its length nor where the two differ.
pub(in crate::web) fn equal_in_constant_time(shown: &str, token: &str) -> bool {
    let (shown, token) = (Sha256::digest(shown), Sha256::digest(token));
    let differences = shown.iter().zip(token.iter()).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    differences == 0
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

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

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let start = Request::builder().method(method).header("host", "vmacd.example");
        let request = headers.iter().fold(start, |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).expect("a request")
    }

    #[test]
    fn what_a_browser_sends_for_another_site_is_told_by_either_header() {
        let access = Access::Token("s3cret".to_owned());
        for (method, name, value, expected) in [
            ("POST", "origin", "https://vmacd.example", false),
            ("POST", "origin", "https://evil.example", true),
            ("POST", "origin", "null", true),
            ("POST", "sec-fetch-site", "same-origin", false),
            ("POST", "sec-fetch-site", "none", false),
            ("POST", "sec-fetch-site", "cross-site", true),
            ("POST", "sec-fetch-site", "same-site", true),
            ("GET", "sec-fetch-site", "cross-site", false),
        ] {
            let request = request(method, &[(name, value)]);
            assert_eq!(is_of_another_site(&access, &request), expected, "{method} {name}: {value}");
        }
    }
}
