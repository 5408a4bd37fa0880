//! The style and the script, within the program. Their addresses change with their content, so that they may be kept.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.js");

/// Where the style is.
pub(super) static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path(STYLE, "css"));
/// Where the script is.
pub(super) static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| path(SCRIPT, "js"));

fn path(content: &str, ending: &str) -> String {
    format!("/assets/{}.{ending}", &hex::encode(Sha256::digest(content))[..16])
}

pub(super) fn router() -> Router {
    Router::new()
        .route(&STYLE_PATH, get(async || kept("text/css; charset=utf-8", STYLE)))
        .route(&SCRIPT_PATH, get(async || kept("text/javascript; charset=utf-8", SCRIPT)))
}

fn kept(kind: &'static str, content: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, content).into_response()
}
