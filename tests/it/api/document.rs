//! The OpenAPI document: the same as in `docs/`, and what schemathesis finds the API to be.

use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::data;
use crate::scenario::world::World;
use crate::support::http::get;
use crate::support::size;

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Asserts that the file holds this document; with `VMACD_TEST_UPDATE_DOCS` it is written.
pub(super) fn assert_kept(file: &str, document: &Value) {
    let (path, text) = (root().join(file), format!("{document:#}\n"));
    if std::env::var_os("VMACD_TEST_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{file}: run this test with VMACD_TEST_UPDATE_DOCS=1");
}

#[tokio::test]
async fn the_document_is_served_shown_and_kept_in_docs() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let served = data(&serve, "/openapi.json").await;
    assert_kept("docs/openapi.json", &served);
    let page = get(&format!("{}/api/v1/docs", serve.http_url()), None).await;
    assert_eq!(page.status, 200);
    let ids: Vec<_> =
        served["paths"].as_object().expect("paths").values().filter_map(Value::as_object).flatten().collect();
    let distinct: HashSet<_> = ids.iter().map(|(_, operation)| operation["operationId"].as_str()).collect();
    assert_eq!(distinct.len(), ids.len(), "generated clients name their functions by it");
    for (path, methods) in served["paths"].as_object().expect("paths") {
        let count = methods.as_object().map_or(0, serde_json::Map::len);
        assert!(page.body.matches(&format!("<code>{path}</code>")).count() >= count, "{path} is not on the page");
    }
}

#[tokio::test]
async fn the_document_says_how_to_log_in_and_has_an_example_for_each_request() {
    let world = World::embedded(1, 1).await;
    let document = data(&world.serve().await, "/openapi.json").await;
    let scheme = &document["components"]["securitySchemes"]["token"];
    assert_eq!((scheme["type"].as_str(), scheme["scheme"].as_str()), (Some("http"), Some("bearer")));
    assert_eq!(document["security"][0]["token"], serde_json::json!([]));
    for path in ["vmacs", "moves", "rotations"] {
        let operation = &document["paths"][format!("/api/v1/{path}")]["post"];
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        assert!(example["ip_address"].is_string(), "{path}: {example}");
        assert!(operation["responses"]["401"].is_object(), "{path}");
    }
}

const TOKEN: &str = "t0ken-for-schemathesis";

#[tokio::test]
async fn schemathesis_finds_nothing_that_the_document_does_not_say() {
    let mut world = World::embedded(2, 2).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", TOKEN);
    let serve = world.serve().await;
    let venv = root().join("tests/clients/venv");
    let made = Command::new(venv).arg(root().join("tests/api/requirements.txt")).stderr(Stdio::inherit()).output();
    let made = made.await.expect("tests/clients/venv");
    assert!(made.status.success(), "schemathesis is not installed");
    let python = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let examples = size("VMACD_TEST_EXAMPLES", 8, 20).to_string();
    let output = Command::new(Path::new(&python).with_file_name("schemathesis"))
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", serve.http_url()))
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", &examples, "--seed", "1", "--no-color"])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        // What a schema cannot say (an address that is multicast, a selection of nothing) is refused too; wrong tokens are
        // answered slowly.
        .args(["--exclude-checks", "positive_data_acceptance,ignored_auth"])
        .current_dir(crate::support::run_dir())
        .kill_on_drop(true)
        .output()
        .await
        .expect("schemathesis");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
