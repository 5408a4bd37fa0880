//! The page for an error: the same problems as the API's, for people.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::components::safe;
use super::layout::page;
use crate::web::api::problem::Problem;

/// Why a page cannot be shown.
#[derive(Debug)]
pub(super) struct PageError(Problem);

impl<E> From<E> for PageError
where
    Problem: From<E>,
{
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content = html! {
            p .note.bad { (safe(&problem.detail)) }
            p .faint { "Code " code { (problem.code) } }
        };
        (status, page(&problem.title, "", content)).into_response()
    }
}
