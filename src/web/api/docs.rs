//! What the API's documentation shows to people, made from the OpenAPI document.

use maud::{Markup, html};
use serde_json::Value;

use super::schemas::{self, BASE};

/// The content of the page.
pub(in crate::web) fn content(document: &Value) -> Markup {
    html! {
        p { (text(&document["info"]["description"])) ". The same as " a href={ (BASE) "/openapi.json" } { "OpenAPI" } "." }
        p {
            "Messages over AMQP: " a href={ (BASE) "/asyncapi.json" } { "AsyncAPI" } "; JSON Schema of "
            @for (name, _) in schemas::schemas() { a href=(schemas::path(name)) { (name) } " " }
        }
        p { "If " code { "api.token" } " is set, programs send it: " code { "Authorization: Bearer TOKEN" } }
        @for tag in array(&document["tags"]) {
            h2 { (text(&tag["name"])) }
            p { (text(&tag["description"])) }
            @for (path, method, operation) in operations(document, text(&tag["name"])) { (shown(path, method, operation)) }
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
        details .operation {
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
            @if let Some(example) = example(&operation["requestBody"]) { pre { (example) } }
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

fn example(body: &Value) -> Option<String> {
    let content = body["content"].as_object()?.values().next()?;
    content.get("example").map(Value::to_string)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
