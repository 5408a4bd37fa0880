//! Lists in pages: at most so many items, and a cursor to the next ones.

use axum::Json;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::parsed;
use super::problem::{ApiCode, Problem};

const LIMIT_DEFAULT: i64 = 100;
const LIMIT_MAX: i64 = 1_000;

/// The parameters of a list without filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Maximum number of items.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// The cursor `next` of the previous page.
    after: Option<String>,
}

impl PageQuery {
    /// The part of the list.
    pub fn page_request(self) -> Result<PageRequest, Problem> {
        PageRequest::new(self.limit, self.after)
    }
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct PageRequest {
    /// At most so many items.
    pub limit: i64,
    /// The cursor of the page before; empty for the first page.
    pub after: String,
}

impl PageRequest {
    /// From the parameters `limit` and `after`.
    pub fn new(limit: Option<i64>, after: Option<String>) -> Result<Self, Problem> {
        match limit.unwrap_or(LIMIT_DEFAULT) {
            limit @ 1..=LIMIT_MAX => Ok(Self { limit, after: after.unwrap_or_default() }),
            limit => {
                Err(Problem::new(ApiCode::InvalidParameter, format!("limit: {limit} is not between 1 and {LIMIT_MAX}")))
            }
        }
    }

    /// So many items are read: one more than is shown tells whether any come after it.
    pub const fn reads(&self) -> i64 {
        self.limit + 1
    }

    /// The cursor of a list that is ordered by numbers; `start` for the first page.
    pub fn after_number(&self, start: i64) -> Result<i64, Problem> {
        match self.after.as_str() {
            "" => Ok(start),
            cursor => parsed("after", cursor),
        }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: i64,
    /// The cursor to what comes after them; none at the end.
    pub next: Option<String>,
}

impl<T: Serialize> Page<T> {
    /// The items of one page, of so many in all. `read` holds up to [`PageRequest::reads`] of them.
    pub fn new(read: Vec<T>, total: i64, page_request: &PageRequest, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(page_request.limit).unwrap_or(usize::MAX);
        let is_more = read.len() > limit;
        let mut items = read;
        items.truncate(limit);
        let next = items.last().filter(|_| is_more).map(cursor);
        Self { items, total, next }
    }

    /// The page, with the address of the next one in the header `Link` (RFC 8288).
    pub fn answer(self, uri: &Uri) -> Response {
        let link = self.next.as_deref().and_then(|next| link(uri, next));
        let mut response = Json(self).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

fn link(uri: &Uri, next: &str) -> Option<HeaderValue> {
    let others = uri.query().into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.starts_with("after="));
    let query: Vec<&str> = others.filter(|pair| !pair.is_empty()).collect();
    let cursor: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let query = query.into_iter().map(str::to_owned).chain([format!("after={cursor}")]).collect::<Vec<_>>().join("&");
    HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", uri.path())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_keeps_the_filters_and_replaces_the_cursor() {
        let uri: Uri = "/api/v1/vmacs?status=failed&after=7&limit=2".parse().expect("an address");
        let link = link(&uri, "sw a").expect("a link");
        assert_eq!(link, "</api/v1/vmacs?status=failed&limit=2&after=sw+a>; rel=\"next\"");
    }

    #[test]
    fn only_a_page_that_others_follow_has_a_cursor() {
        let page_request = PageRequest::new(Some(2), None).expect("within the bounds");
        let page = |read: i64| {
            let page = Page::new((0..read).collect(), read, &page_request, |item: &i64| item.to_string());
            (page.items.len(), page.next)
        };
        assert_eq!((page(1), page(2)), ((1, None), (2, None)));
        assert_eq!((page_request.reads(), page(3)), (3, (2, Some("1".to_owned()))));
    }
}
