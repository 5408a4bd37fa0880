//! What is told of the messages: the AsyncAPI document and the schemas, the same as in `docs/`, and true.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::data;
use super::document::{assert_kept, root};
use crate::scenario::events::Events;
use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::http::get;
use crate::support::vmacd::Serve;

const SCHEMAS: [&str; 5] = ["vmac.create", "vmac.rotate", "vmac.move", "vmac.revoke", "vmac.event"];

async fn schema(serve: &Serve, name: &str) -> Value {
    data(serve, &format!("/schemas/{name}.json")).await
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::draft202012::meta::validate(schema).expect("a schema of JSON Schema 2020-12");
    jsonschema::options().should_validate_formats(true).build(schema).expect("a schema")
}

#[tokio::test]
async fn the_asyncapi_document_and_the_schemas_are_served_linked_and_kept_in_docs() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let page = get(&format!("{}/api/v1/docs", serve.http_url()), None).await;
    assert_kept("docs/asyncapi.json", &data(&serve, "/asyncapi.json").await);
    assert!(page.body.contains("/api/v1/asyncapi.json"), "the page links the document");
    for name in SCHEMAS {
        let schema = schema(&serve, name).await;
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        validator(&schema);
        assert_kept(&format!("docs/schemas/{name}.json"), &schema);
        assert!(page.body.contains(&format!("/api/v1/schemas/{name}.json")), "the page links {name}");
    }
}

#[tokio::test]
async fn the_body_of_a_request_over_http_has_the_fields_of_the_message() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let over_http = &data(&serve, "/openapi.json").await["components"]["schemas"]["vmac.create"];
    let message = schema(&serve, "vmac.create").await;
    let fields =
        |schema: &Value| schema["properties"].as_object().expect("fields").keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(fields(over_http), fields(&message));
    assert_eq!((&over_http["required"], &over_http["additionalProperties"]), (&message["required"], &json!(false)));
}

#[tokio::test]
async fn the_official_parser_finds_nothing_wrong_in_the_asyncapi_document() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let document = data(&serve, "/asyncapi.json").await;
    let installed = Command::new(root().join("tests/api/asyncapi/install")).stderr(Stdio::inherit()).output().await;
    let installed = installed.expect("tests/api/asyncapi/install");
    assert!(installed.status.success(), "the parser is not installed");
    let folder = String::from_utf8_lossy(&installed.stdout).trim().to_owned();
    assert_eq!(parsed(&folder, &document).await, Ok(json!({"channels": 11, "operations": 11, "messages": 5})));
    let mut broken = document;
    broken["operations"]["send.vmac.active"]["channel"]["$ref"] = "#/channels/none".into();
    assert!(parsed(&folder, &broken).await.is_err(), "the parser would see a mistake");
}

/// What the parser counts, or what it finds wrong.
async fn parsed(folder: &str, document: &Value) -> Result<Value, String> {
    let mut command = Command::new("node");
    command.arg("validate.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = command.kill_on_drop(true).spawn().expect("Node.js runs");
    node.stdin.take().expect("its input").write_all(document.to_string().as_bytes()).await.expect("written");
    let output = node.wait_with_output().await.expect("it ends");
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).expect("JSON")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[tokio::test]
async fn every_event_of_a_real_run_is_as_its_schema_and_the_asyncapi_document_say() {
    let world = World::real(1, 2).await;
    let events = Events::bound(&world).await;
    let serve = world.serve().await;
    let document = data(&serve, "/asyncapi.json").await;
    let schema = schema(&serve, "vmac.event").await;
    let valid = validator(&schema);
    publish_every_kind(&world).await;
    let mut seen = BTreeSet::new();
    eventually("events of every kind have come", async || {
        for event in events.take().await {
            let problems: Vec<String> = valid.iter_errors(&event.body).map(|error| error.to_string()).collect();
            assert_eq!(problems, Vec::<String>::new(), "{event:?}");
            let fields = event.body.as_object().expect("an object").keys();
            let unknown: Vec<_> = fields.filter(|field| schema["properties"].get(field).is_none()).collect();
            assert!(unknown.is_empty(), "the schema does not name {unknown:?}");
            assert_eq!(event.routing_key, format!("vmac.{}", event.body["status"].as_str().expect("a status")));
            assert_eq!(document["channels"][&event.routing_key]["address"], event.routing_key);
            seen.insert((event.routing_key, event.body["reason"]["code"].as_str().map(str::to_owned)));
        }
        let kinds = [
            ("vmac.active", None),
            ("vmac.revoked", None),
            ("vmac.superseded", Some("superseded")),
            ("vmac.failed", Some("unknown_server")),
            ("vmac.failed", Some("refused_by_switch")),
        ];
        let missing =
            kinds.into_iter().find(|(key, code)| !seen.contains(&((*key).to_owned(), code.map(str::to_owned))));
        missing.map_or(Ok(()), Err)
    })
    .await;
}

/// Commands that are done, overtaken, refused at once, and refused by the switch.
async fn publish_every_kind(world: &World) {
    world.command("create", 0, 1, "first").await;
    world.command("create", 0, 2, "other").await;
    world.until("active", 2).await;
    world.command("create", 0, 1, "first").await;
    let late =
        json!({"server_id": world.server(0), "ip_address": world.address(0, 1), "issued_at": "2026-01-01T00:00:00Z"});
    world.publish("vmac.revoke", Some("late"), late.to_string().as_bytes()).await;
    world.command("revoke", 0, 2, "second").await;
    world.until("revoked", 1).await;
    let unknown = json!({"server_id": 999_999, "ip_address": world.address(0, 4)});
    world.publish("vmac.create", None, unknown.to_string().as_bytes()).await;
    world.switches()[0].set_fault("change_rejected").expect("a fault");
    world.command("create", 0, 3, "refused").await;
}
