//! What a request would come to, and parameters that nothing reads: neither changes anything.

use serde_json::{Value, json};

use super::{call, data};
use crate::scenario::world::World;
use crate::support::http::{Ask, ask};
use crate::support::vmacd::Serve;

async fn rows(serve: &Serve) -> usize {
    data(serve, "/vmacs").await["items"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_dry_run_shows_what_each_switch_would_change_and_changes_nothing() {
    let world = World::embedded(1, 2).await;
    let serve = world.serve().await;
    let (ip, switch) = (world.address(0, 1), world.switch_of(0));
    let tried = call(&serve, "POST", "/vmacs?dry_run=true", Some(world.body(0, 1))).await;
    assert_eq!(tried.status, 200, "{tried:?}");
    let report = tried.json();
    assert_eq!(
        (&report["dry_run"], &report["changes"][0]["outcome"]),
        (&json!(true), &json!("would_bind")),
        "{report}"
    );
    let seen = &report["switches"][0];
    assert_eq!(seen["switch"], json!(switch));
    assert!(seen["diff"].as_str().is_some_and(|diff| diff.contains(&ip)), "{report}");
    assert_eq!((rows(&serve).await, world.held()), (0, world.primaries()));
    // The command line says the same.
    let server = world.server(0).to_string();
    let line = world.vmacd(&["create", "--server", &server, "--ip", &ip, "--dry-run"]).await;
    let shape =
        |report: &Value| report["changes"][0].as_object().map(|change| change.keys().cloned().collect::<Vec<_>>());
    assert_eq!(shape(&line), shape(&report));
    // Done, and then every other request is tried out.
    assert_eq!(call(&serve, "POST", "/vmacs?dry_run=false", Some(world.body(0, 1))).await.status, 202);
    let before = world.until("active", 1).await.remove(0);
    let of = json!({"server_id": world.server(0), "ip_address": ip});
    let mut to = of.clone();
    to["to_server_id"] = world.server(1).into();
    for (method, path, body) in [
        ("POST", "/moves?dry_run=true".to_owned(), Some(to)),
        ("POST", "/rotations?dry_run=true".to_owned(), Some(of)),
        ("DELETE", format!("/vmacs/{ip}?dry_run=true"), None),
    ] {
        let tried = call(&serve, method, &path, body).await;
        assert_eq!((tried.status, &tried.json()["dry_run"]), (200, &json!(true)), "{path}: {tried:?}");
        assert_ne!(tried.json()["changes"], json!([]), "{path}");
    }
    let after = world.vmacd(&["show", &ip]).await;
    assert_eq!(after["generation"], before["generation"], "{after}");
    let unknown =
        call(&serve, "POST", "/vmacs?dry_run=true", Some(json!({"server_id": 999_999, "ip_address": ip}))).await;
    let refused = &unknown.json()["changes"][0];
    assert_eq!((&refused["outcome"], &refused["code"]), (&json!("refused"), &json!("unknown_server")), "{unknown:?}");
}

#[tokio::test]
async fn a_parameter_that_nothing_reads_is_refused_by_every_request_that_changes_something() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let document = data(&serve, "/openapi.json").await;
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in ["POST", "PUT", "DELETE"] {
            if methods.get(method.to_lowercase()).is_none() {
                continue;
            }
            let path = path.replace("{what}", "10.0.0.1").replace("{id}", "1").replace("{site}", "ams1");
            let url = format!("{}{path}?dry-run=true", serve.http_url());
            let headers = vec![("content-type", "application/json".to_owned())];
            let body = (method != "DELETE").then(|| world.body(0, 1).to_string());
            let answer = ask(&url, Ask { method, headers, body }).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &json!("invalid_parameter")),
                "{method} {path}: {answer:?}"
            );
            assert!(answer.json()["detail"].as_str().is_some_and(|text| text.contains("`dry-run`")), "{answer:?}");
            asked += 1;
        }
    }
    assert!(asked >= 10, "{asked} requests that change something");
    for path in ["/hooks/billing?dry_run=true", "/dead-letters/discard?dry_run=true", "/freezes/thaw?dry_run=true"] {
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        let body = Some("reason=unreachable&site=*".to_owned());
        let answer = ask(&format!("{}{path}", serve.http_url()), Ask { method: "POST", headers, body }).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
    }
    let wrong = call(&serve, "POST", "/vmacs?dry_run=perhaps", Some(world.body(0, 1))).await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (400, &json!("invalid_parameter")), "{wrong:?}");
    assert_eq!(rows(&serve).await, 0);
}
