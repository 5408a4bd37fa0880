//! What is asked for over the API happens as if it had been asked for over AMQP.

use serde_json::{Value, json};

use super::{call, data};
use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::http::{Ask, ask};
use crate::support::vmacd::Serve;

/// The command under the `Location` of an accepted request, once it has ended.
async fn outcome(serve: &Serve, location: &str) -> Value {
    let path = location.strip_prefix("/api/v1").expect("an address of the API");
    eventually("the command has its outcome", async || {
        let answer = call(serve, "GET", path, None).await;
        if answer.status == 200 && answer.json()["status"] != "open" { Ok(answer.json()) } else { Err(answer) }
    })
    .await
}

#[tokio::test]
async fn an_address_is_bound_shown_and_taken_off_again() {
    let world = World::real(1, 2).await;
    let serve = world.serve().await;
    let mut body = world.body(0, 1);
    body["requested_by"] = "billing".into();
    body["reference"] = "order 7781".into();
    let asked = call(&serve, "POST", "/vmacs", Some(body)).await;
    assert_eq!((asked.status, asked.json()["status"].as_str()), (202, Some("accepted")), "{asked:?}");
    let created = outcome(&serve, asked.header("location").expect("where the outcome is")).await;
    assert_eq!((created["status"].as_str(), created["action"].as_str()), (Some("active"), Some("create")));
    world.assert_consistent().await;

    let ip = world.address(0, 1);
    let vmac = data(&serve, &format!("/vmacs/{ip}")).await;
    assert_eq!((vmac["status"].as_str(), vmac["id"].as_i64()), (Some("active"), created["vmac_id"].as_i64()));
    let mac = vmac["mac_address"].as_str().expect("a MAC");
    for name in [mac, &vmac["id"].to_string()] {
        assert_eq!(data(&serve, &format!("/vmacs/{name}")).await, vmac);
    }
    let timeline = data(&serve, &format!("/vmacs/{ip}/timeline")).await;
    assert_eq!(timeline["entries"].as_array().map(Vec::len), Some(2), "{timeline}");
    let requested = timeline["entries"][0]["text"].as_str().expect("a text");
    assert!(requested.starts_with("create requested by billing, order 7781 (message "), "{timeline}");
    let switch = data(&serve, &format!("/switches/{}", world.switch_of(0))).await;
    assert_eq!((switch["changes_waiting"].as_i64(), switch["last_push_state"].as_str()), (Some(0), Some("confirmed")));
    let push = data(&serve, &format!("/pushes/{}", switch["last_push_id"].as_str().expect("a push"))).await;
    assert_eq!((push["plan"][0]["mac"].as_str(), push["changes"].as_i64()), (Some(mac), Some(1)), "{push}");

    let asked = call(&serve, "DELETE", &format!("/vmacs/{ip}?requested_by=billing"), None).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let revoked = outcome(&serve, asked.header("location").expect("where the outcome is")).await;
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(world.held(), world.primaries());
    // The second push backed up what the first had made.
    let backups = data(&serve, &format!("/switches/{}/backups", world.switch_of(0))).await;
    let older = &backups["items"][1];
    let diff = data(&serve, &format!("/backups/{}/diff", older["id"])).await;
    assert!(diff["diff"].as_str().is_some_and(|diff| diff.contains(mac)), "{diff}");
    let shown = data(&serve, &format!("/backups/{}", older["id"])).await;
    let content = shown["content"].as_str().expect("a configuration");
    assert!(content.contains("(hidden)") && !content.contains("$6$") && !content.contains(mac), "{content}");
}

#[tokio::test]
async fn an_address_is_moved() {
    let world = World::embedded(1, 2).await;
    let serve = world.serve().await;
    let asked = call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await;
    outcome(&serve, asked.header("location").expect("where the outcome is")).await;
    let (ip, to) = (world.address(0, 1), world.server(1));
    let body = json!({"server_id": world.server(0), "ip_address": ip, "to_server_id": to});
    let asked = call(&serve, "POST", "/moves", Some(body)).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let moved = outcome(&serve, asked.header("location").expect("where the outcome is")).await;
    assert_eq!((&moved["status"], &moved["action"]), (&json!("active"), &json!("move")));
    let vmac = data(&serve, &format!("/vmacs/{ip}")).await;
    assert_eq!(vmac["server_id"], to);
    let ports: Vec<_> = vmac["switch_bindings"].as_array().expect("ports").iter().collect();
    assert_eq!((&ports[0]["leaving"], &ports[0]["server_id"]), (&json!(true), &json!(world.server(0))));
    assert_eq!((&ports[1]["leaving"], &ports[1]["state"]), (&json!(false), &json!("bound")));
    let nowhere = json!({"server_id": to, "ip_address": ip, "to_server_id": to});
    assert_eq!(call(&serve, "POST", "/moves", Some(nowhere)).await.status, 422);
    world.assert_consistent().await;
}

#[tokio::test]
async fn the_same_idempotency_key_is_one_request() {
    let world = World::embedded(1, 2).await;
    let serve = world.serve().await;
    let key = async |key: &str, body: Value| {
        let headers = vec![("idempotency-key", key.to_owned()), ("x-correlation-id", "order 7".to_owned())];
        let asking = Ask { method: "POST", headers, body: Some(body.to_string()) };
        ask(&format!("{}/api/v1/vmacs", serve.http_url()), asking).await
    };
    // With and without the quotes of the header's draft.
    let first = key("\"order 7\"", world.body(0, 1)).await;
    assert_eq!(first.header("location"), Some("/api/v1/commands/order%207"));
    let active = outcome(&serve, "/api/v1/commands/order%207").await;
    assert_eq!((active["status"].as_str(), active["correlation_id"].as_str()), (Some("active"), Some("order 7")));
    let again = key("order 7", world.body(0, 1)).await;
    assert_eq!((again.status, again.json()), (202, first.json()));
    key("order 7", world.body(0, 2)).await;
    let letters = eventually("the other body is dead-lettered", async || {
        let letters = data(&serve, "/dead-letters?reason=message_id_reused").await["items"].clone();
        if letters.as_array().is_some_and(|letters| letters.len() == 1) { Ok(letters) } else { Err(letters) }
    })
    .await;
    assert_eq!(letters[0]["ip_address"], world.address(0, 2));
    assert_eq!(data(&serve, "/vmacs").await["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn of_two_requests_within_a_second_the_later_one_counts() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let ip = world.address(0, 1);
    for _ in 0..3 {
        assert_eq!(call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
        let path = format!("/vmacs/{ip}?server_id={}", world.server(0));
        assert_eq!(call(&serve, "DELETE", &path, None).await.status, 202);
    }
    let last = call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await;
    let ended = outcome(&serve, last.header("location").expect("where the outcome is")).await;
    assert_eq!(ended["status"], "active", "{ended}");
    world.assert_consistent().await;
}

#[tokio::test]
async fn lists_are_led_through_by_their_links() {
    let world = World::embedded(3, 2).await;
    let serve = world.serve().await;
    for number in 1..=5 {
        assert_eq!(call(&serve, "POST", "/vmacs", Some(world.body(0, number))).await.status, 202);
    }
    world.until("active", 5).await;
    let (mut ids, mut path) = (Vec::new(), "/vmacs?status=active&limit=2".to_owned());
    loop {
        let page = call(&serve, "GET", &path, None).await;
        ids.extend(page.json()["items"].as_array().expect("items").iter().filter_map(|item| item["id"].as_i64()));
        let Some(link) = page.header("link") else { break };
        let next = link.strip_prefix("</api/v1").and_then(|link| link.strip_suffix(">; rel=\"next\""));
        path = next.expect("a link to the next page").to_owned();
    }
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().rev().is_sorted(), "newest first: {ids:?}");
    for (filter, count) in [
        (format!("server_id={}", world.server(0)), 5),
        (format!("server_id={}", world.server(1)), 0),
        (format!("switch={}", world.switch_of(0)), 5),
        (format!("ip={}", world.address(0, 3)), 1),
        ("status=failed".to_owned(), 0),
    ] {
        let page = data(&serve, &format!("/vmacs?{filter}")).await;
        assert_eq!(page["items"].as_array().map(Vec::len), Some(count), "{filter}");
        assert_eq!(page["total"].as_u64(), u64::try_from(count).ok(), "{filter}");
    }
    let switches = data(&serve, "/switches?limit=2").await;
    let rest = data(&serve, &format!("/switches?after={}", switches["next"].as_str().expect("more"))).await;
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1), "{rest}");
    let pushes = data(&serve, &format!("/switches/{}/pushes?limit=1", world.switch_of(0))).await;
    assert_eq!(pushes["items"].as_array().map(Vec::len), Some(1), "{pushes}");
    assert_eq!(json!(null), rest["next"]);
}
