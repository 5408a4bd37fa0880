//! Parameters of pages, with an error page for those that cannot be read.

use axum::extract::FromRequestParts;

use super::error_page::PageError;

/// What the path names.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(PageError))]
pub(super) struct Path<T>(pub T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(PageError))]
pub(super) struct Query<T>(pub T);
