//! Deliveries as known senders write and sign them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{HOOK, SECRET, event, post, send, serve, sign, sign_with, with_file};
use crate::scenario::world::World;
use crate::support::vmacd::Serve;

/// NetBox: SHA-512 of the body in hexadecimal digits, its own form of times, addresses with the prefix of the interface.
const NETBOX: &str = r#"
    [hooks.netbox]
    secret = "s3cret-of-netbox"
    signature_header = "X-Hook-Signature"
    action = "/event"
    create = ["created"]
    revoke = ["deleted"]
    [hooks.netbox.fields]
    server_id = "/data/custom_fields/server_id"
    ip_address = "/data/address"
    issued_at = "/timestamp"
"#;

/// Standard Webhooks: base64 over id, time and body, each in a header, under a key in base64.
const STANDARD_WEBHOOKS: &str = r#"
    [hooks.panel]
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    secret_encoding = "base64"
    signature_header = "webhook-signature"
    signed = "{id}.{timestamp}.{body}"
    id_header = "webhook-id"
    timestamp_header = "webhook-timestamp"
    action = "/type"
    create = ["address.added"]
    move = ["address.moved"]
    [hooks.panel.fields]
    server_id = "/data/server"
    to_server_id = "/data/new_server"
    ip_address = "/data/ip"
"#;
const PANEL_KEY: &str = "hexkey:31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0";

/// A digest that is given in hexadecimal digits, in base64.
fn base64(digits: &str) -> String {
    STANDARD.encode(hex::decode(digits).expect("digits"))
}

async fn active(world: &World, count: usize) -> Vec<Value> {
    world.until("active", count).await
}

#[tokio::test]
async fn a_signature_is_taken_in_each_form_in_which_it_is_written() {
    let world = World::embedded(1, 1).await;
    let serve = serve(&world).await;
    for form in ["hex", "prefixed", "blank", "capitals", "base64", "sha512", "timed"] {
        let body = event(&world, form, "address.added", 1).to_string();
        let digits = sign(SECRET, &body);
        let signature = match form {
            "hex" => digits,
            "prefixed" => format!("sha256={digits}"),
            "blank" => format!("sha256= {digits}"),
            "capitals" => format!("SHA256={}", digits.to_uppercase()),
            "base64" => base64(&digits),
            "sha512" => sign_with("-sha512", &format!("key:{SECRET}"), &body),
            _ => {
                let now = chrono::Utc::now().timestamp();
                format!("t={now},v1={}", sign(SECRET, &format!("{now}.{body}")))
            }
        };
        let answer = send(&serve, "billing", &body, Some(signature)).await;
        assert_eq!(answer.status, 202, "{form}: {answer:?}");
    }
    active(&world, 1).await;
}

#[tokio::test]
async fn an_event_of_netbox_binds_the_one_address_that_it_names() {
    let world = World::embedded(1, 1).await;
    let serve = Serve::start(&with_file(&world.settings, NETBOX)).await;
    let deliver = async |what: &str, number: u32, time: &str| {
        let body = json!({
            "event": what, "timestamp": time, "model": "ipaddress", "username": "admin",
            "data": {"address": format!("{}/24", world.address(0, number)), "custom_fields": {"server_id": world.server(0)}},
        })
        .to_string();
        let signature = sign_with("-sha512", "key:s3cret-of-netbox", &body);
        post(
            &serve,
            "netbox",
            vec![("x-hook-signature", signature), ("content-type", "application/json".to_owned())],
            &body,
        )
        .await
    };
    let created = deliver("created", 1, "2025-11-28 10:00:00.864187+00:00").await;
    assert_eq!(created.status, 202, "{created:?}");
    assert_eq!(active(&world, 1).await[0]["ip_address"], world.address(0, 1).as_str());
    assert_eq!(deliver("deleted", 1, "2025-11-28 10:00:01.000001+00:00").await.status, 202);
    world.until("revoked", 1).await;
    // Somebody sends what was recorded once more; what comes after it shows that it did nothing.
    assert_eq!(deliver("created", 1, "2025-11-28 10:00:00.864187+00:00").await.status, 202);
    assert_eq!(deliver("updated", 1, "2025-11-28 10:00:02.000001+00:00").await.status, 204);
    assert_eq!(deliver("created", 2, "2025-11-28 10:00:03.000001+00:00").await.status, 202);
    assert_eq!(active(&world, 1).await[0]["ip_address"], world.address(0, 2).as_str());
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_delivery_of_standard_webhooks_is_known_by_its_id_and_refused_when_it_is_old() {
    let world = World::embedded(1, 2).await;
    let serve = Serve::start(&with_file(&world.settings, STANDARD_WEBHOOKS)).await;
    let deliver = async |id: &str, ago_s: i64, body: &Value| {
        let (time, body) = ((chrono::Utc::now().timestamp() - ago_s).to_string(), body.to_string());
        let digits = sign_with("-sha256", PANEL_KEY, &format!("{id}.{time}.{body}"));
        let signature = format!("v1,{}", base64(&digits));
        let headers =
            vec![("webhook-id", id.to_owned()), ("webhook-timestamp", time), ("webhook-signature", signature)];
        post(&serve, "panel", headers, &body).await
    };
    let data = json!({"server": world.server(0), "new_server": world.server(1), "ip": world.address(0, 1)});
    let added = json!({"type": "address.added", "data": data});
    let old = deliver("msg_1", 301, &added).await;
    assert_eq!((old.status, old.json()["code"].as_str()), (401, Some("bad_signature")), "{old:?}");
    assert!(old.json()["detail"].as_str().is_some_and(|text| text.contains("recorded and sent again")), "{old:?}");
    for ago_s in [60, 0] {
        let answer = deliver("msg_1", ago_s, &added).await;
        assert_eq!((answer.status, answer.json()["message_id"].as_str()), (202, Some("panel:msg_1")), "{answer:?}");
    }
    active(&world, 1).await;
    let moved = deliver("msg_2", 0, &json!({"type": "address.moved", "data": data})).await;
    assert_eq!(moved.status, 202, "{moved:?}");
    crate::support::eventually("the address is at the other server", async || {
        let row = world.vmacd(&["show", &world.address(0, 1)]).await;
        if row["server_id"] == world.server(1) && row["status"] == "active" { Ok(()) } else { Err(row) }
    })
    .await;
    let shown = serve.log().contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert!(!shown && world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_form_is_read_as_php_writes_it() {
    let world = World::embedded(1, 1).await;
    let serve = serve(&world).await;
    let body = format!(
        "id=evt-1&event=address.added&created_at=2025-11-28+11%3A00%3A00%2B0100&service%5Bserver_id%5D={}&address%5Bip%5D={}",
        world.server(0),
        world.address(0, 1),
    );
    let kind = ("content-type", "application/x-www-form-urlencoded".to_owned());
    let answer = post(&serve, "billing", vec![kind, ("x-signature-256", sign(SECRET, &body))], &body).await;
    assert_eq!((answer.status, answer.json()["message_id"].as_str()), (202, Some("billing:evt-1")), "{answer:?}");
    active(&world, 1).await;
}

#[tokio::test]
async fn times_are_taken_as_panels_write_them_and_without_a_zone_by_the_setting_alone() {
    let world = World::embedded(1, 1).await;
    let settings = with_file(&world.settings, &HOOK.replace("action =", "time_zone = \"+01:00\"\n    action ="));
    let (plain, zoned) = (serve(&world).await, Serve::start(&settings).await);
    let at = async |serve: &Serve, time: Value| {
        let mut event = event(&world, &format!("evt {time}"), "address.added", 1);
        event["created_at"] = time;
        let body = event.to_string();
        send(serve, "billing", &body, Some(sign(SECRET, &body))).await.status
    };
    for time in [
        json!("2025-11-28T10:00:00+0100"),
        json!("2025-11-28 10:00:00.864187+00:00"),
        json!("1764324000"),
        json!(1_764_324_000.25),
        json!(1_764_324_000_000_i64),
        json!("Fri, 28 Nov 2025 10:00:00 GMT"),
    ] {
        assert_eq!(at(&plain, time.clone()).await, 202, "{time}");
    }
    for time in [json!("2025-11-28 10:00:00"), json!("2025-11-28T10:00:00.123456")] {
        assert_eq!((at(&plain, time.clone()).await, at(&zoned, time.clone()).await), (422, 202), "{time}");
    }
}
