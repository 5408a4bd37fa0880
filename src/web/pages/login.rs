//! The token, asked for once: a browser cannot send it as a header, so it is kept as a cookie.
//!
//! The cookie is the token's hash under a name of its own: it opens the pages for as long as the token is in force, and
//! tells nobody the token. `SameSite=Strict` and the look at `Origin` keep other sites from using it.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::layout::document;
use super::parts::{Query, back_to, encoded};
use crate::web::guard::{is_same, shows};
use crate::web::server::Access;

tokio::task_local! {
    /// There while a page is made for somebody who showed the token.
    static LOGGED_IN: ();
}

const COOKIE: &str = "vmacd_login";
const COOKIE_AGE_S: u32 = 30 * 24 * 3600;

/// Where the browser wanted to go.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
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

/// Lets a request through that shows the token as a header or as the cookie; sends others to ask for it.
pub(super) async fn require(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match &*access {
        Access::Token(token) if !shows(&request, token) && !has_cookie(request.headers(), token) => {
            let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
            Redirect::to(&format!("/login?next={}", encoded(wanted))).into_response()
        }
        Access::Token(_) => LOGGED_IN.scope((), next.run(request)).await,
        Access::Open => next.run(request).await,
    }
}

/// True while a page is made for somebody who can log out.
pub(super) fn is_logged_in() -> bool {
    LOGGED_IN.try_with(|()| ()).is_ok()
}

/// Asks for the token.
pub(super) async fn ask(Query(wanted): Query<Wanted>) -> Markup {
    form(&wanted.next, false)
}

/// Takes the token.
pub(super) async fn enter(
    State(access): State<Arc<Access>>,
    headers: HeaderMap,
    Form(entered): Form<Entered>,
) -> Response {
    match &*access {
        Access::Open => back_to(&entered.next),
        Access::Token(token) if is_same(entered.token.trim(), token) => {
            let cookie = set_cookie(&value(token), COOKIE_AGE_S, &headers);
            ([(header::SET_COOKIE, cookie)], back_to(&entered.next)).into_response()
        }
        Access::Token(_) => (StatusCode::UNAUTHORIZED, form(&entered.next, true)).into_response(),
    }
}

/// Forgets the token.
pub(super) async fn leave(headers: HeaderMap) -> Response {
    ([(header::SET_COOKIE, set_cookie("", 0, &headers))], Redirect::to("/login")).into_response()
}

fn form(next: &str, refused: bool) -> Markup {
    document(
        "Log in",
        html! {
            main {
                h1 { "vmacd" }
                @if refused { p .note.bad { "That is not the token." } }
                form method="post" action="/login" .actions {
                    input type="hidden" name="next" value=(next);
                    input type="password" name="token" placeholder="API token" aria-label="API token" autocomplete="current-password" autofocus required;
                    button .primary { "Log in" }
                }
                p .faint { "The setting " code { "api.token" } "." }
            }
        },
    )
}

fn value(token: &str) -> String {
    hex::encode(Sha256::new_with_prefix("vmacd page\0").chain_update(token).finalize())
}

fn has_cookie(headers: &HeaderMap, token: &str) -> bool {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut ours = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    ours.any(|(name, shown)| name == COOKIE && is_same(shown, &value(token)))
}

/// `Secure` where a proxy in front speaks HTTPS; without it browsers would drop the cookie on plain HTTP.
fn set_cookie(value: &str, age_s: u32, headers: &HeaderMap) -> String {
    let secure = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(line: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, line.parse().expect("a header"))])
    }

    #[test]
    fn only_the_cookie_of_the_token_in_force_opens() {
        let line = format!("theme=dark; {COOKIE}={}", value("secret"));
        assert!(has_cookie(&cookies(&line), "secret"));
        assert!(!has_cookie(&cookies(&line), "another"));
        assert!(!has_cookie(&cookies(&format!("{COOKIE}=secret")), "secret"), "the token itself is no cookie");
        assert!(!has_cookie(&HeaderMap::new(), "secret"));
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_other_sites_and_plain_http() {
        let headers =
            HeaderMap::from_iter([("x-forwarded-proto".parse().expect("a name"), "https".parse().expect("a value"))]);
        let cookie = set_cookie("x", 60, &headers);
        assert_eq!(cookie, "vmacd_login=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure");
    }
}
