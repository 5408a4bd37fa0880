//! A refusal of any part of the service becomes a page for a browser; other clients get problem details.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error_page::PageError;
use super::health_banner;
use super::layout::set_protection;
use super::login::Logins;
use crate::web::access::caller;
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::health::HealthSource;

/// Paths under which programs ask: they get problem details whatever they accept.
const PROGRAM_PATHS: &[&str] = &["/api/", "/hooks/", "/metrics", "/healthz", "/readyz"];
/// Longest time for finding out whether the browser is logged in.
const LOGIN_CHECK_MAX: Duration = Duration::from_secs(2);

/// What such a page needs: the logins and the health.
#[derive(Clone)]
pub(in crate::web) struct ProblemPages {
    pub(super) logins: Logins,
    pub(super) health_source: Arc<dyn HealthSource>,
}

/// Turns problem details into a page where a browser asked for one.
pub(in crate::web) async fn render_problems(
    State(pages): State<ProblemPages>,
    request: Request,
    next: Next,
) -> Response {
    if !wants_page(request.uri().path(), request.headers()) {
        return next.run(request).await;
    }
    let headers = request.headers().clone();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    // Asked only now: mostly there is no problem.
    let is_foreign = problem.code == ApiCode::CrossSite.as_str();
    let looked = async { if is_foreign { None } else { pages.logins.viewer(&headers).await } };
    let viewer = tokio::time::timeout(LOGIN_CHECK_MAX, looked).await.unwrap_or(None);
    let page = async { PageError::from(problem).into_response() };
    let mut shown = match viewer {
        Some(viewer) => caller::scope(viewer, health_banner::with_health(&*pages.health_source, page)).await,
        None => page.await,
    };
    let others = response.headers().iter().filter(|(name, _)| !is_of_content(name));
    shown.headers_mut().extend(others.map(|(name, value)| (name.clone(), value.clone())));
    set_protection(shown.headers_mut());
    shown
}

fn is_of_content(name: &header::HeaderName) -> bool {
    [header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name)
}

fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let is_of_programs = PROGRAM_PATHS.iter().any(|prefix| path.starts_with(prefix));
    !is_of_programs && accepted.into_iter().any(|value| value.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_pages_and_programs_do_not() {
        let accepts = |value: &str| {
            let pair = (header::ACCEPT, value.parse().expect("a header"));
            [pair].into_iter().collect::<HeaderMap>()
        };
        let browser = accepts("text/html,application/xhtml+xml,*/*;q=0.8");
        assert!(wants_page("/nope", &browser) && wants_page("/dead-letters/replay", &browser));
        assert!(!wants_page("/api/v1/nope", &browser) && !wants_page("/hooks/billing", &browser));
        assert!(!wants_page("/nope", &accepts("*/*")) && !wants_page("/nope", &HeaderMap::new()));
    }
}
