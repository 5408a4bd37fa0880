//! The OpenAPI document, and a page that shows it to people: made on the server, nothing is fetched from elsewhere.

use axum::routing::get;
use axum::{Json, Router};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::{BASE, schemas};

const STYLE: &str =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color-scheme:light dark}
h2{margin-top:2rem}details{border:1px solid #8884;border-radius:.4rem;padding:.5rem .8rem;margin:.5rem 0}
summary{cursor:pointer}code{font-size:.95em}.method{display:inline-block;min-width:4.5rem;font-weight:600}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0}";

pub(super) fn router(document: Value) -> Router {
    let page = page(&document);
    Router::new()
        .route(&format!("{BASE}/openapi.json"), get(async || Json(document)))
        .route(&format!("{BASE}/docs"), get(async || page))
}

fn page(document: &Value) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "vmacd API" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "vmacd API" }
                p { (text(&document["info"]["description"])) ". The same as " a href={ (BASE) "/openapi.json" } { "OpenAPI" } "." }
                p {
                    "Messages over AMQP: " a href={ (BASE) "/asyncapi.json" } { "AsyncAPI" } "; JSON Schema of "
                    @for (name, _) in schemas::schemas() { a href=(schemas::path(name)) { (name) } " " }
                }
                @for tag in array(&document["tags"]) {
                    h2 { (text(&tag["name"])) }
                    p { (text(&tag["description"])) }
                    @for (path, method, operation) in operations(document, text(&tag["name"])) { (shown(path, method, operation)) }
                }
            }
        }
    }
}

fn operations<'a>(document: &'a Value, tag: &str) -> Vec<(&'a str, &'a str, &'a Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, methods)| {
        methods.as_object().into_iter().flatten().map(|(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.filter(|(_, _, operation)| array(&operation["tags"]).iter().any(|of| of == tag)).collect()
}

fn shown(path: &str, method: &str, operation: &Value) -> Markup {
    html! {
        details {
            summary { span .method { (method.to_uppercase()) } code { (path) } " " (text(&operation["summary"])) }
            @if !array(&operation["parameters"]).is_empty() {
                table {
                    @for parameter in array(&operation["parameters"]) {
                        tr {
                            td { code { (text(&parameter["name"])) } }
                            td { (text(&parameter["in"])) @if parameter["required"] == true { ", required" } }
                            td { (text(&parameter["description"])) }
                        }
                    }
                }
            }
            @if let Some(body) = schema(&operation["requestBody"]) { p { "Body: " code { (body) } } }
            table {
                @for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                    tr {
                        td { code { (status) } }
                        td { (text(&answer["description"])) }
                        td { @if let Some(body) = schema(answer) { code { (body) } } }
                    }
                }
            }
        }
    }
}

/// The name of the schema of a body.
fn schema(body: &Value) -> Option<String> {
    let content = body["content"].as_object()?.values().next()?;
    let reference =
        [&content["schema"]["$ref"], &content["schema"]["items"]["$ref"]].into_iter().find_map(Value::as_str)?;
    reference.rsplit('/').next().map(str::to_owned)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
