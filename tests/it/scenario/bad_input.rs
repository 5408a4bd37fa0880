//! Bad input ends in the dead letters with its reason and its original bytes; the worker goes on.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use lapin::BasicProperties;
use serde_json::json;

use super::world::World;
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_bad_input_is_dead_lettered_with_its_reason_and_bytes() {
    let world = World::real(1, 2).await;
    let _worker = world.serve().await;
    let (server, ip, primary) = (world.server(0), world.address(0, 1), world.address(1, 0));
    let text = |value: serde_json::Value| value.to_string().into_bytes();
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("not_json", "vmac.create", b"{server_id: 1".to_vec()),
        ("not_utf8", "vmac.create", vec![b'{', 0xff, 0xfe, b'}']),
        ("too_large", "vmac.create", vec![b'x'; 1 << 20]),
        ("invalid_field", "vmac.create", text(json!({"server_id": server, "ip_address": ip, "colour": "red"}))),
        ("invalid_field", "vmac.create", text(json!({"server_id": "one", "ip_address": ip}))),
        ("unknown_server", "vmac.create", text(json!({"server_id": 999_999, "ip_address": ip}))),
        ("primary_address", "vmac.create", text(json!({"server_id": server, "ip_address": primary}))),
        ("invalid_address", "vmac.create", text(json!({"server_id": server, "ip_address": "ge-0/0/1; delete"}))),
        ("invalid_vlan", "vmac.create", text(json!({"server_id": server, "ip_address": ip, "vlan_name": "V\n13"}))),
        (
            "invalid_mac",
            "vmac.create",
            text(json!({"server_id": server, "ip_address": ip, "mac_address": "03:00:00:00:00:01"})),
        ),
        ("unknown_command", "vmac.dance", text(json!({"server_id": server, "ip_address": ip}))),
    ];
    for (index, (_, routing_key, body)) in cases.iter().enumerate() {
        world.publish(routing_key, Some(&format!("bad-{index}")), body).await;
    }
    world.command("create", 0, 2, "good").await;
    world.until("active", 1).await;
    let letters = eventually("all are dead-lettered", async || {
        let letters = world.dead_letters().await;
        if letters.len() == cases.len() { Ok(letters) } else { Err(letters) }
    })
    .await;
    for (index, (reason, _, body)) in cases.iter().enumerate() {
        let id = format!("bad-{index}");
        let letter = letters.iter().find(|letter| letter["message_id"] == id.as_str()).expect("its dead letter");
        assert_eq!(letter["reason_code"], *reason, "{letter}");
        let shown = world.vmacd(&["dead-letters", "show", &letter["id"].to_string()]).await;
        let bytes: Vec<u8> = hex(shown["body_hex"].as_str().expect("the bytes"));
        assert_eq!(shown["body_bytes"].as_u64(), Some(body.len() as u64));
        let kept = &body[..body.len().min(64 << 10)];
        assert!(bytes == kept, "{id}: {} bytes of {}", bytes.len(), body.len());
    }
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zipped_message_is_read_and_one_in_another_encoding_is_refused_by_name() {
    let world = World::real(1, 1).await;
    let _worker = world.serve().await;
    let encoded = async |id: &str, encoding: &str, body: &[u8]| {
        let properties = BasicProperties::default().with_message_id(id.into()).with_content_encoding(encoding.into());
        world.publish_with("vmac.create", properties, body).await;
    };
    let zipped = |body: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).expect("in memory");
        encoder.finish().expect("in memory")
    };
    encoded("zipped", "gzip", &zipped(world.body(0, 1).to_string().as_bytes())).await;
    encoded("plain", "utf-8", world.body(0, 2).to_string().as_bytes()).await;
    world.until("active", 2).await;
    let (bomb, deflated) = (zipped(&vec![b' '; 32 << 20]), b"\x78\x9c\xab\xae\x05".to_vec());
    let refused = [
        ("bomb", "gzip", bomb, "too_large", "65536 bytes once it is unzipped"),
        ("not-zipped", "gzip", b"{}".to_vec(), "invalid_encoding", "but the body is not"),
        ("deflated", "deflate", deflated, "invalid_encoding", "content_encoding `deflate` is not read"),
    ];
    for (id, encoding, body, _, _) in &refused {
        encoded(id, encoding, body).await;
    }
    let letters = eventually("all are dead-lettered", async || {
        let letters = world.dead_letters().await;
        if letters.len() == refused.len() { Ok(letters) } else { Err(letters) }
    })
    .await;
    let letter_of = |letters: &[serde_json::Value], id: &str| {
        letters.iter().find(|letter| letter["message_id"] == id).cloned().unwrap_or_default()
    };
    for (id, _, body, code, text) in &refused {
        let letter = letter_of(&letters, id);
        assert_eq!(letter["reason_code"], *code, "{letter}");
        assert!(letter["error_text"].as_str().is_some_and(|error| error.contains(text)), "{letter}");
        let shown = world.vmacd(&["dead-letters", "show", &letter["id"].to_string()]).await;
        assert_eq!(hex(shown["body_hex"].as_str().expect("the bytes")), *body, "{id}");
    }
    // Replayed, it is refused for the same reason.
    let first = letter_of(&letters, "deflated")["id"].clone();
    world.vmacd(&["dead-letters", "replay", "--id", &first.to_string()]).await;
    eventually("it is refused again", async || {
        let again = letter_of(&world.dead_letters().await, "deflated");
        let is_another = again["id"].is_i64() && again["id"] != first;
        if is_another && again["reason_code"] == "invalid_encoding" { Ok(()) } else { Err(again) }
    })
    .await;
    world.assert_consistent().await;
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}
