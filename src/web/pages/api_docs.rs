//! The API's documentation as a page, for those who are logged in.

use maud::{Markup, PreEscaped};
use serde_json::Value;

use crate::web::api::docs;

/// Where it is.
pub(super) const PATH: &str = "/api/v1/docs";

/// Its content, made once.
pub(super) fn page_of(document: &Value) -> Markup {
    PreEscaped(docs::content(document).into_string())
}
