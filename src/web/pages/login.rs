//! The token, asked for once: a browser cannot send it as a header, so who showed it gets a session, and its number as a
//! cookie. `SameSite=Strict` and the check of a request's origin keep other sites from using it.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{redirect_to, url_encoded};
use super::error_page::PageError;
use super::extract::Query;
use super::layout::document;
use super::sessions::Sessions;
use crate::domain::Via;
use crate::store::StoreError;
use crate::web::access::caller::{Caller, Credentials};
use crate::web::access::guard::{Access, Guard, Shown, equal_in_constant_time, require_token};
use crate::web::access::wrong_credentials::EntryPoint;
use crate::web::server::connections::ActiveRequest;

const COOKIE: &str = "vmacd_session";
/// What `assets/page.js` sends when it fetches a page by itself.
const AUTO_REFRESH: &str = "x-vmacd-refresh";
/// Asked for by itself, too.
const LIVE_PATH: &str = "/live";

/// Who may see the pages, and who showed that they may.
#[derive(Clone)]
pub(super) struct Logins {
    guard: Arc<Guard>,
    sessions: Sessions,
}

/// Where the browser wanted to go.
#[derive(Debug, Deserialize)]
pub(super) struct NextPage {
    #[serde(default)]
    next: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Entered {
    token: String,
    #[serde(default)]
    next: String,
}

impl Logins {
    pub fn new(guard: Arc<Guard>, sessions: Sessions) -> Self {
        Self { guard, sessions }
    }

    /// Who the sender of these headers is, if they may see pages: no token is needed, or they are logged in.
    pub async fn viewer(&self, headers: &HeaderMap) -> Option<Caller> {
        let credentials = Credentials { authorization: None, address: String::new(), via: Via::Page };
        match &self.guard.access {
            Access::Open => Some(credentials.as_local()),
            Access::Token(_) => self.of_cookie(cookie(headers), &credentials, false).await.unwrap_or(None),
        }
    }

    /// Whose session it is.
    async fn of_cookie(
        &self,
        secret: Option<&str>,
        credentials: &Credentials,
        is_use: bool,
    ) -> Result<Option<Caller>, StoreError> {
        match (&self.guard.access, secret) {
            (Access::Token(first), Some(secret)) => self.sessions.caller(secret, first, credentials, is_use).await,
            _ => Ok(None),
        }
    }
}

/// Lets a request through that shows a token as a header, or the cookie of a session; sends others to ask for it.
pub(super) async fn require(State(logins): State<Logins>, request: Request, next: Next) -> Result<Response, PageError> {
    let credentials = Credentials::of(&request, Via::Page);
    let caller = match logins.guard.shown(&credentials).await? {
        Shown::Known(caller) => Some(caller),
        Shown::Wrong => {
            let active_request = request.extensions().get::<ActiveRequest>();
            logins.guard.wrong_credentials.record_and_delay(EntryPoint::Page, active_request).await;
            None
        }
        Shown::Nothing => {
            let secret = cookie(request.headers()).map(str::to_owned);
            logins.of_cookie(secret.as_deref(), &credentials, is_use(&request)).await?
        }
    };
    if let Some(caller) = caller {
        return Ok(logins.guard.answer(caller, request, next).await);
    }
    let next_page = request.uri().path_and_query().map_or("/", |next_page| next_page.as_str());
    Ok(Redirect::to(&format!("/login?next={}", url_encoded(next_page))).into_response())
}

/// The same for paths that programs use too: without a cookie, and without accepting HTML, the token is required as in the
/// rest of the API.
pub(super) async fn require_or_token(State(logins): State<Logins>, request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match cookie(request.headers()).is_some() || accepts.contains("text/html") {
        true => require(State(logins), request, next).await.into_response(),
        false => require_token(State(logins.guard), request, next).await,
    }
}

/// True where a person asks, and not a page that is left open.
fn is_use(request: &Request) -> bool {
    request.uri().path() != LIVE_PATH && !request.headers().contains_key(AUTO_REFRESH)
}

/// Asks for the token.
pub(super) async fn show_form(Query(next_page): Query<NextPage>) -> Markup {
    form(&next_page.next, false)
}

/// Takes the token.
pub(super) async fn log_in(
    State(logins): State<Logins>,
    active_request: Option<Extension<ActiveRequest>>,
    headers: HeaderMap,
    Form(entered): Form<Entered>,
) -> Result<Response, PageError> {
    let Access::Token(first) = &logins.guard.access else { return Ok(redirect_to(&entered.next)) };
    let secret = match equal_in_constant_time(entered.token.trim(), first) {
        true => Some(logins.sessions.open_for_first_admin(first).await?),
        false => logins.sessions.open_for_token(&entered.token, active_request.as_deref()).await?,
    };
    let Some(secret) = secret else {
        logins.guard.wrong_credentials.record_and_delay(EntryPoint::Page, active_request.as_deref()).await;
        return Ok((StatusCode::UNAUTHORIZED, form(&entered.next, true)).into_response());
    };
    let cookie = set_cookie(&secret, logins.sessions.age_max().as_secs(), &headers);
    Ok(([(header::SET_COOKIE, cookie)], redirect_to(&entered.next)).into_response())
}

/// Ends the session, wherever a copy of its cookie is.
pub(super) async fn log_out(State(logins): State<Logins>, headers: HeaderMap) -> Result<Response, PageError> {
    if let (Access::Token(first), Some(secret)) = (&logins.guard.access, cookie(&headers)) {
        logins.sessions.end(secret, first).await?;
    }
    Ok(([(header::SET_COOKIE, set_cookie("", 0, &headers))], Redirect::to("/login")).into_response())
}

fn form(next: &str, refused: bool) -> Markup {
    document(
        "Log in",
        html! {
            main {
                h1 { "vmacd" }
                @if refused { p .note.bad { "Wrong token." } }
                form method="post" action="/login" .actions {
                    input type="hidden" name="next" value=(next);
                    input type="password" name="token" placeholder="API token" aria-label="API token" autocomplete="current-password" autofocus required;
                    button .primary { "Log in" }
                }
                p .faint { "Enter a token made with " code { "vmacd tokens create" } ", or the one set as " code { "api.token" } " on the server." }
            }
        },
    )
}

/// What the browser holds of its session.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, secret)| secret)
}

/// `Secure` where a proxy in front speaks HTTPS; without it browsers would drop the cookie on plain HTTP.
fn set_cookie(value: &str, age_s: u64, headers: &HeaderMap) -> String {
    let secure = if is_https(headers) { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}")
}

/// Whether the browser uses HTTPS, as the proxy reports it: `X-Forwarded-Proto`, or `Forwarded` (RFC 7239); the first is the browser's own.
fn is_https(headers: &HeaderMap) -> bool {
    let first =
        |name| headers.get(name).and_then(|value| value.to_str().ok()).and_then(|value| value.split(',').next());
    let plain = first("x-forwarded-proto").is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
    let is_proto = |pair: &str| pair.trim().to_ascii_lowercase().replace('"', "") == "proto=https";
    plain || first("forwarded").is_some_and(|element| element.split(';').any(is_proto))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn our_cookie_is_found_among_others() {
        assert_eq!(cookie(&headers(&[("cookie", "theme=dark; vmacd_session=abc")])), Some("abc"));
        assert_eq!(cookie(&headers(&[("cookie", "vmacd_session_of_another=abc")])), None);
        assert_eq!(cookie(&HeaderMap::new()), None);
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_other_sites_and_plain_http() {
        for (name, value, expected) in [
            ("x-forwarded-proto", "https", true),
            ("x-forwarded-proto", "HTTPS, http", true),
            ("x-forwarded-proto", "http, https", false),
            ("forwarded", "for=192.0.2.60;proto=https;by=203.0.113.43", true),
            ("forwarded", "for=192.0.2.60; Proto=\"https\", for=10.0.0.1;proto=http", true),
            ("forwarded", "for=192.0.2.60;proto=http", false),
        ] {
            let cookie = set_cookie("x", 60, &headers(&[(name, value)]));
            let secure = if expected { "; Secure" } else { "" };
            let whole = format!("vmacd_session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict{secure}");
            assert_eq!(cookie, whole, "{name}: {value}");
        }
    }
}
