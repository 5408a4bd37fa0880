//! The API, over a real worker: requests, lists, dead letters, refusals, and its own description of itself.

mod dead_letters;
mod document;
mod dry_run;
mod health;
mod messages;
mod refusals;
mod requests;

use serde_json::Value;

use crate::support::http::{Answer, Ask, ask};
use crate::support::vmacd::Serve;

/// Asks a worker's API: a path below `/api/v1`.
pub async fn call(serve: &Serve, method: &'static str, path: &str, body: Option<Value>) -> Answer {
    let headers = body.iter().map(|_| ("content-type", "application/json".to_owned())).collect();
    let body = body.map(|body| body.to_string());
    ask(&format!("{}/api/v1{path}", serve.http_url()), Ask { method, headers, body }).await
}

/// The data of a GET that must succeed.
pub async fn data(serve: &Serve, path: &str) -> Value {
    let answer = call(serve, "GET", path, None).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}
