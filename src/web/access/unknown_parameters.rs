//! Unknown parameters are refused if a request changes something: a `dry_run` that is not supported must not be carried out
//! for real.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::domain::shown;
use crate::web::api::problem::{ApiCode, Problem};

/// The parameters of the query that each request accepts, by method and path as the routes are written.
#[derive(Debug, Default)]
pub(in crate::web) struct KnownParameters(BTreeMap<(String, String), BTreeSet<String>>);

impl KnownParameters {
    /// Those that the OpenAPI document names.
    pub fn documented(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, methods)| {
            methods.as_object().into_iter().flatten().map(move |(method, operation)| {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let of_query = parameters.filter(|parameter| parameter["in"] == "query");
                let names = of_query.filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned())).collect();
                ((method.to_uppercase(), path.clone()), names)
            })
        });
        Self(operations.collect())
    }

    /// What is wrong with the query of a request, where something is.
    fn refusal(&self, method: &Method, path: &str, query: &str) -> Option<Problem> {
        let none = BTreeSet::new();
        let known = self.0.get(&(method.to_string(), path.to_owned())).unwrap_or(&none);
        let mut names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        let unknown = names.find(|name| !known.contains(name.as_ref()))?;
        let accepted = match known.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => "accepts no query parameters".to_owned(),
            known => format!("accepts {}", known.join(", ")),
        };
        let text = format!("unknown parameter `{}`: {method} {path} {accepted}; nothing was done", shown(&unknown));
        Some(Problem::new(ApiCode::InvalidParameter, text))
    }
}

/// Refuses a request that changes something and has a parameter that nothing reads.
pub(in crate::web) async fn refuse_unknown(
    State(known): State<Arc<KnownParameters>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let query = request.uri().query().filter(|_| !request.method().is_safe());
    match query.and_then(|query| known.refusal(request.method(), path, query)) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_parameter_is_named_with_those_that_there_are() {
        let parameters = json!([
            {"name": "dry_run", "in": "query"}, {"name": "server_id", "in": "query"}, {"name": "what", "in": "path"}
        ]);
        let known =
            KnownParameters::documented(&json!({"paths": {"/vmacs/{what}": {"delete": {"parameters": parameters}}}}));
        let refusal = |method, path, query| known.refusal(&method, path, query).map(|problem| problem.detail);
        assert_eq!(refusal(Method::DELETE, "/vmacs/{what}", "server_id=7&dry_run=true"), None);
        assert_eq!(
            refusal(Method::DELETE, "/vmacs/{what}", "dry-run=true").as_deref(),
            Some("unknown parameter `dry-run`: DELETE /vmacs/{what} accepts dry_run, server_id; nothing was done")
        );
        assert_eq!(
            refusal(Method::POST, "/hooks/{name}", "%64ry_run").as_deref(),
            Some("unknown parameter `dry_run`: POST /hooks/{name} accepts no query parameters; nothing was done")
        );
    }
}
