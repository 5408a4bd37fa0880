//! Whatever cannot be done is said as a problem with a stable code, and nothing is queued.

use serde_json::json;
use vmacd::sim::Options;

use super::{call, data};
use crate::scenario::world::World;
use crate::support::Rabbit;
use crate::support::http::{Ask, ask};

#[tokio::test]
async fn every_refusal_is_a_problem_with_its_code() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let create = |body: &str| ("POST", "/vmacs", Some(body.to_owned()));
    let selection = |body: &str| ("POST", "/dead-letters/replay", Some(body.to_owned()));
    let get = |path: &'static str| ("GET", path, None);
    let large = format!("{{\"reference\": \"{}\"}}", "x".repeat(70_000));
    let cases = [
        (create("{"), 400, "not_json"),
        (create(""), 400, "not_json"),
        (create("{\"server_id\": 1}"), 422, "invalid_field"),
        (create("{\"server_id\": 1, \"ip_address\": \"10.0.0.6\", \"colour\": 1}"), 422, "invalid_field"),
        (create("{\"server_id\": 1, \"ip_address\": \"224.0.0.1\"}"), 422, "invalid_address"),
        (
            create("{\"server_id\": 1, \"ip_address\": \"10.0.0.6\", \"mac_address\": \"01:00:00:00:00:00\"}"),
            422,
            "invalid_mac",
        ),
        (create("{\"server_id\": 1, \"ip_address\": \"10.0.0.6\", \"vlan_name\": \"-v\"}"), 422, "invalid_vlan"),
        (create(&large), 413, "too_large"),
        (create(&"x".repeat(3_000_000)), 413, "too_large"),
        (selection("{}"), 422, "invalid_body"),
        (selection("{\"all\": 1}"), 422, "invalid_body"),
        (selection("{\"everything\": true}"), 422, "invalid_body"),
        (selection("{\"switch\": \"a b\"}"), 422, "invalid_body"),
        (selection("{"), 422, "invalid_body"),
        (get("/vmacs?stauts=failed"), 400, "invalid_parameter"),
        (get("/vmacs?status=broken"), 400, "invalid_parameter"),
        (get("/vmacs?limit=0"), 400, "invalid_parameter"),
        (get("/vmacs?limit=1001"), 400, "invalid_parameter"),
        (get("/vmacs?after=x"), 400, "invalid_parameter"),
        (get("/vmacs/sw-1"), 400, "invalid_parameter"),
        (get("/vmacs/10.9.9.9"), 404, "not_found"),
        (get("/vmacs/99/timeline"), 404, "not_found"),
        (get("/commands/never%20sent"), 404, "not_found"),
        (get("/dead-letters/1"), 404, "not_found"),
        (get("/dead-letters/one"), 400, "invalid_parameter"),
        (get("/dead-letters?since=yesterday"), 400, "invalid_parameter"),
        (get("/replays/none"), 404, "not_found"),
        (get("/switches/sw-none"), 404, "not_found"),
        (get("/switches/sw-none/pushes"), 404, "not_found"),
        (get("/switches/sw-none/backups"), 404, "not_found"),
        (get("/pushes/none"), 404, "not_found"),
        (get("/backups/1"), 404, "not_found"),
        (get("/backups/1/diff"), 404, "not_found"),
        (get("/nothing"), 404, "not_found"),
        (("DELETE", "/vmacs/10.9.9.9", None), 404, "not_found"),
        (("DELETE", "/vmacs/nine", None), 400, "invalid_parameter"),
        (("DELETE", "/vmacs/10.9.9.9?server_id=0", None), 422, "invalid_field"),
        (("PUT", "/vmacs", None), 405, "method_not_allowed"),
    ];
    for ((method, path, body), status, code) in cases {
        let headers = vec![("content-type", "application/json".to_owned())];
        let answer = ask(&format!("{}/api/v1{path}", serve.http_url()), Ask { method, headers, body }).await;
        let problem = answer.json();
        assert_eq!((answer.status, problem["code"].as_str()), (status, Some(code)), "{method} {path}: {problem}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}");
        assert_eq!(problem["type"], format!("urn:vmacd:problem:{code}"));
        assert_eq!(problem["status"], status);
        for field in ["title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {problem}");
        }
    }
    assert_eq!(data(&serve, "/vmacs").await["items"], json!([]));
    assert_eq!(data(&serve, "/dead-letters").await["items"], json!([]));
}

#[tokio::test]
async fn pages_of_other_sites_may_not_use_an_address_that_asks_for_no_token() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let url = format!("{}/api/v1/vmacs", serve.http_url());
    let own = serve.http_url();
    let post = async |headers: Vec<(&'static str, String)>| {
        ask(&url, Ask { method: "POST", headers, body: Some(world.body(0, 1).to_string()) }).await
    };
    for origin in ["https://example.com", "null", "http://localhost:1"] {
        let answer = post(vec![("origin", origin.to_owned())]).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("cross_site")), "{origin}");
    }
    let rebound = ask(&url, Ask { headers: vec![("host", "example.com".to_owned())], ..Ask::default() }).await;
    assert_eq!((rebound.status, rebound.json()["code"].as_str()), (403, Some("cross_site")));
    assert_eq!(call(&serve, "GET", "/vmacs", None).await.json()["items"], json!([]));
    assert_eq!(post(vec![("origin", own)]).await.status, 202, "its own pages may");
}

#[tokio::test]
async fn a_broker_that_is_away_is_said_and_nothing_is_queued() {
    let mut rabbit = Rabbit::private();
    let world = World::real_on(&rabbit, Options { switches: 1, ports_per_switch: 1, ..Options::default() }).await;
    let serve = world.serve().await;
    rabbit.kill9();
    let answer = call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("broker_trouble")), "{answer:?}");
    assert_eq!(data(&serve, "/vmacs").await["items"], json!([]), "what is in the database is still shown");
}
