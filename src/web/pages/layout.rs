//! What every page has around it.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::Utc;
use maud::{DOCTYPE, Markup, html};

use super::assets::{SCRIPT_PATH, STYLE_PATH};
use super::health_banner::banner;
use crate::web::access::caller;

/// The parts of the site, as the navigation names them.
const NAVIGATION: &[(&str, &str)] = &[
    ("/vmacs", "Virtual MACs"),
    ("/dead-letters", "Dead letters"),
    ("/switches", "Switches"),
    ("/log", "Log"),
    ("/webhooks", "Webhooks"),
    ("/api/v1/docs", "API"),
];

/// A whole page that keeps itself fresh. `part` is the one of the navigation that it belongs to.
pub(super) fn page(title: &str, part: &str, content: Markup) -> Markup {
    document(
        title,
        html! {
            header {
                a .brand href="/" { "vmacd" }
                nav {
                    @for (path, name) in NAVIGATION { a href=(path) aria-current=[(*path == part).then_some("page")] { (name) } }
                }
                form .find action="/find" role="search" {
                    input name="q" type="search" placeholder="IP, subnet, MAC, order, server, switch" aria-label="Find" autocapitalize="off" autocomplete="off";
                    button { "Find" }
                }
                (as_of())
                @if let Some(caller) = caller::current().filter(|caller| caller.is_logged_in) {
                    form method="post" action="/logout" { button title={ (caller.who()) ", " (caller.role) } { "Log out" } }
                }
            }
            (banner())
            main { h1 { (title) } (content) }
            script src=(*SCRIPT_PATH) defer {}
        },
    )
}

/// The time of the page; the script shows whether it is kept up to date.
fn as_of() -> Markup {
    let now = Utc::now().format("%H:%M:%S UTC");
    html! { span #live data-at=(now) { "As of " (now) } }
}

/// A page without navigation and script.
pub(super) fn document(title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · vmacd" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(*STYLE_PATH);
            }
            body { (body) }
        }
    }
}

/// What a browser may do with a page: nothing from elsewhere, not within another site's frame, and nothing kept unless
/// the answer says so (CSP Level 3; Fetch Standard, `X-Content-Type-Options`).
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    set_protection(response.headers_mut());
    response
}

/// The headers that say so.
pub(super) fn set_protection(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                          form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "no-store");
}
