//! What is not rightly signed, or cannot be understood, publishes nothing.

use serde_json::{Value, json};

use super::{HOOK, SECRET, deliver, event, post, send, serve, sign, with_file};
use crate::scenario::world::World;
use crate::support::http::{Ask, ask};
use crate::support::vmacd::{Serve, run};

#[tokio::test]
async fn what_is_not_rightly_signed_is_refused_and_publishes_nothing() {
    let world = World::real(1, 1).await;
    let serve = serve(&world).await;
    let body = event(&world, "evt-1", "address.added", 1).to_string();
    let good = sign(SECRET, &body);
    for signature in [
        None,
        Some(String::new()),
        Some(sign("another secret", &body)),
        Some(sign(SECRET, &body.replace("address.added", "address.removed"))),
        Some(good[..62].to_owned()),
        Some(format!("sha1={good}")),
    ] {
        let answer = send(&serve, "billing", &body, signature).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("bad_signature")), "{answer:?}");
        assert!(answer.header("www-authenticate").is_some(), "RFC 9110 section 15.5.2");
    }
    let nobodys = send(&serve, "panel", &body, Some(good)).await;
    assert_eq!((nobodys.status, nobodys.json()["code"].as_str()), (404, Some("not_found")));
    let read = ask(&format!("{}/hooks/billing", serve.http_url()), Ask::default()).await;
    assert_eq!((read.status, read.json()["code"].as_str()), (405, Some("method_not_allowed")));
    // What comes after is all that ever came.
    assert_eq!(deliver(&serve, &event(&world, "evt-2", "address.added", 1)).await.status, 202);
    world.until("active", 1).await;
    assert_eq!(world.database().count("SELECT count(*) FROM commands").await, 1);
    assert!(!serve.log().contains(SECRET) && world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn what_would_be_a_dead_letter_is_a_problem_that_names_the_field() {
    let world = World::embedded(1, 1).await;
    let serve = serve(&world).await;
    let with = |pointer: &str, value: Value| {
        let mut event = event(&world, "evt-1", "address.added", 1);
        event["created_at"] = "2026-11-21T10:00:00Z".into();
        *event.pointer_mut(pointer).expect("a field") = value;
        event.to_string()
    };
    let cases = [
        (with("/address/ip", json!("224.0.0.1")), 422, "invalid_address", "ip_address: "),
        (with("/address/ip", json!(null)), 422, "invalid_field", "ip_address: nothing is at /address/ip"),
        (with("/service/server_id", json!("-4")), 422, "invalid_field", "server_id: "),
        (with("/service/server_id", json!("four")), 422, "invalid_field", "server_id: `four` at /service/server_id"),
        (
            with("/created_at", json!("yesterday")),
            422,
            "invalid_field",
            "issued_at: `yesterday` at /created_at is not a time",
        ),
        (
            with("/created_at", json!("2026-11-21 10:00:00")),
            422,
            "invalid_field",
            "issued_at: `2026-11-21 10:00:00` at",
        ),
        (
            with("/address/ip", json!("192.0.2.8/29")),
            422,
            "invalid_address",
            "ip_address: `192.0.2.8/29` at /address/ip is a",
        ),
        (with("/id", json!("x".repeat(201))), 422, "invalid_field", "message_id: longer than 200"),
        (with("/id", json!("ü".repeat(190))), 422, "invalid_field", "message_id: longer than 255 bytes"),
        (with("/order", json!("a\u{0}b")), 422, "invalid_field", "reference: "),
        (with("/event", json!(null)), 422, "invalid_field", "action: nothing is at /event"),
        ("[]".to_owned(), 422, "invalid_field", "action: nothing is at /event"),
        ("{".to_owned(), 400, "not_json", "EOF"),
        ("x".repeat((64 << 10) + 1), 413, "too_large", ""),
    ];
    for (body, status, code, detail) in cases {
        let answer = send(&serve, "billing", &body, Some(sign(SECRET, &body))).await;
        let problem = answer.json();
        assert_eq!((answer.status, problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.starts_with(detail)), "{problem}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert!(world.vmacd(&["list"]).await.as_array().is_some_and(Vec::is_empty));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_compressed_body_and_one_in_parts_are_refused_by_name() {
    let world = World::embedded(1, 1).await;
    let serve = serve(&world).await;
    let body = event(&world, "evt-1", "address.added", 1).to_string();
    let signature = ("x-signature-256", sign(SECRET, &body));
    let packed = post(&serve, "billing", vec![signature, ("content-encoding", "gzip".to_owned())], &body).await;
    assert_eq!((packed.status, packed.json()["code"].as_str()), (415, Some("invalid_encoding")), "{packed:?}");
    let parts = "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nevt-1\r\n--x--\r\n";
    let signature = ("x-signature-256", sign(SECRET, parts));
    let kind = ("content-type", "multipart/form-data; boundary=x".to_owned());
    let parted = post(&serve, "billing", vec![signature, kind], parts).await;
    assert_eq!(parted.status, 400, "{parted:?}");
    assert!(parted.body.contains("sent as multipart/form-data"), "{parted:?}");
}

#[tokio::test]
async fn two_hooks_never_have_one_secret_unless_the_name_of_the_hook_is_signed() {
    let world = World::embedded(1, 1).await;
    let second = HOOK.replace("hooks.billing", "hooks.panel");
    let started = run(&["serve"], &with_file(&world.settings, &format!("{HOOK}{second}"))).await;
    assert_eq!(started.code, Some(1), "{started:?}");
    assert!(started.stderr.contains("hooks.panel.secret: is also the secret of hooks.billing"), "{started:?}");
    assert!(!started.stderr.contains(SECRET), "{started:?}");

    let named = format!("{HOOK}{second}").replace("action =", "signed = \"{hook}.{body}\"\n    action =");
    let serve = Serve::start(&with_file(&world.settings, &named)).await;
    let body = event(&world, "evt-1", "address.added", 1).to_string();
    let signature = sign(SECRET, &format!("billing.{body}"));
    let elsewhere = send(&serve, "panel", &body, Some(signature.clone())).await;
    assert_eq!((elsewhere.status, elsewhere.json()["code"].as_str()), (401, Some("bad_signature")), "{elsewhere:?}");
    assert_eq!(send(&serve, "billing", &body, Some(signature)).await.status, 202);
    world.until("active", 1).await;
}

#[tokio::test]
async fn a_mapping_that_cannot_work_is_named_at_start_and_a_secret_never_printed() {
    let world = World::embedded(1, 1).await;
    for (good, bad, expected) in [
        (
            "\"/service/server_id\"",
            "\"service.server_id\"",
            "hooks.billing.fields.server_id: `service.server_id` is not a valid JSON pointer",
        ),
        ("s3cret-of-billing", "", "hooks.billing.secret: must be set"),
        ("[\"address.removed\"]", "[\"address.added\"]", "hooks.billing.create: `address.added` is in `revoke` too"),
    ] {
        let started = run(&["serve"], &with_file(&world.settings, &HOOK.replacen(good, bad, 1))).await;
        assert_eq!(started.code, Some(1), "{started:?}");
        assert!(started.stderr.contains(expected) && !started.stderr.contains(SECRET), "{started:?}");
    }
    let printed = run(&["config"], &with_file(&world.settings, HOOK)).await.ok();
    assert!(printed.contains("[hooks.billing]") && !printed.contains(SECRET), "{printed}");
}
