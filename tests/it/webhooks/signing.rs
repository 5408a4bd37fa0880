//! What is sent, and how it is signed.

use std::process::Command;

use serde_json::Value;

use super::receiver::{Received, Receiver};
use super::{add, allowing, create, taken};
use crate::scenario::world::World;
use crate::support::{run_dir, unique};

/// The signature of Standard Webhooks, by OpenSSL and `base64`: not by the code under test.
pub fn signature(secret: &str, received: &Received) -> String {
    let file = run_dir().join(unique("signed"));
    let (id, time) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    std::fs::write(&file, format!("{id}.{time}.{}", received.body)).expect("a file");
    let script = "key=$(printf %s \"$1\" | base64 -d | od -An -v -tx1 | tr -d ' \\n')
        openssl dgst -sha256 -mac HMAC -macopt \"hexkey:$key\" -binary \"$2\" | base64 -w0";
    let secret = secret.strip_prefix("whsec_").expect("a secret");
    let made = Command::new("sh").args(["-euc", script, "sh", secret]).arg(&file).output().expect("sh runs");
    format!("v1,{}", String::from_utf8(made.stdout).expect("base64"))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_sent_as_rabbitmq_has_it_and_signed_with_both_secrets_while_they_change() {
    let world = allowing(World::embedded(1, 1).await).await;
    let receiver = Receiver::taking().await;
    let added = add(&world, &receiver, &["--name", "one", "--event", "vmac.active"]).await;
    let serve = world.serve().await;
    create(&world, 0, 1, &["--reference", "order 7781", "--wait"]).await;
    let first = taken(&receiver, 1).await.remove(0);
    assert_eq!(first.header("webhook-signature"), signature(text(&added, "secret"), &first));
    assert_eq!(first.header("content-type"), "application/json");
    let body = first.json();
    assert_eq!((text(&body, "type"), text(&body, "timestamp")), ("vmac.active", text(&body["data"], "occurred_at")));
    let data = &body["data"];
    assert_eq!((text(data, "ip_address"), text(data, "reference")), (world.address(0, 1).as_str(), "order 7781"));
    assert_eq!((text(data, "status"), &data["server_id"]), ("active", &world.server(0).into()));
    let rotated = world.vmacd(&["webhooks", "rotate", "one"]).await;
    assert!(text(&rotated, "previous_until") > text(&rotated, "created_at"), "{rotated}");
    create(&world, 0, 2, &["--wait"]).await;
    let second = taken(&receiver, 2).await.remove(1);
    let secrets = [&rotated, &added].map(|answer| signature(text(answer, "secret"), &second));
    assert_eq!(second.header("webhook-signature"), secrets.join(" "), "the newest first");
    let listed = world.vmacd(&["webhooks", "list"]).await.to_string();
    for secret in [text(&added, "secret"), text(&rotated, "secret")] {
        assert!(!listed.contains(secret) && !serve.log().contains(secret), "secrets are shown once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_gets_a_sentence_that_mentions_nobody() {
    let world = allowing(World::embedded(1, 1).await).await;
    let receiver = Receiver::taking().await;
    let added = add(&world, &receiver, &["--form", "slack", "--event", "vmac.active"]).await;
    assert!(added.get("secret").is_none(), "{added}");
    let _serve = world.serve().await;
    create(&world, 0, 1, &["--reference", "<!channel> & co", "--wait"]).await;
    let sentence = taken(&receiver, 1).await[0].json();
    let (ip, server) = (world.address(0, 1), world.server(0));
    let beginning = format!("{ip} of server {server} is active with 02:");
    let text = sentence["text"].as_str().expect("text");
    assert!(text.starts_with(&beginning) && text.ends_with(", reference &lt;!channel&gt; &amp; co."), "{sentence}");
    assert_eq!(sentence.as_object().map(|fields| fields.len()), Some(1));
}
