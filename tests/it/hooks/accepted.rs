//! What is rightly signed is done as if it had been published.

use serde_json::Value;

use super::{HOOK, SECRET, deliver, event, serve, sign, with_file};
use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::http::{Ask, ask, get};
use crate::support::vmacd::Serve;

/// What the API tells of a command, once it has ended.
async fn outcome(serve: &Serve, location: &str) -> Value {
    let url = format!("{}{location}", serve.http_url());
    eventually("the command has its outcome", async || {
        let answer = get(&url, None).await;
        if answer.status == 200 && answer.json()["status"] != "open" { Ok(answer.json()) } else { Err(answer) }
    })
    .await
}

#[tokio::test]
async fn a_signed_event_binds_an_address_and_another_takes_it_off() {
    let world = World::real(1, 2).await;
    let serve = serve(&world).await;
    let added = deliver(&serve, &event(&world, "evt 1", "address.added", 1)).await;
    assert_eq!((added.status, added.json()["message_id"].as_str()), (202, Some("billing:evt 1")), "{added:?}");
    let created = outcome(&serve, added.header("location").expect("where the outcome is")).await;
    assert_eq!((created["status"].as_str(), created["correlation_id"].as_str()), (Some("active"), Some("evt 1")));
    let row = &world.until("active", 1).await[0];
    assert_eq!((row["requested_by"].as_str(), row["reference"].as_str()), (Some("billing"), Some("7781")), "{row}");
    world.assert_consistent().await;

    let ignored = deliver(&serve, &event(&world, "evt 2", "address.renamed", 1)).await;
    assert_eq!((ignored.status, ignored.body.as_str()), (204, ""));
    let removed = deliver(&serve, &event(&world, "evt 3", "address.removed", 1)).await;
    assert_eq!(outcome(&serve, removed.header("location").expect("a place")).await["status"], "revoked");
    assert_eq!(world.held(), world.primaries());
    let commands = world.database().count("SELECT count(*) FROM commands").await;
    assert_eq!(commands, 2, "what is ignored is not published");
}

#[tokio::test]
async fn a_repeated_delivery_is_answered_by_the_same_command() {
    let world = World::real(1, 2).await;
    let serve = serve(&world).await;
    let added = event(&world, "evt-1", "address.added", 1);
    let first = deliver(&serve, &added).await;
    outcome(&serve, first.header("location").expect("a place")).await;
    let removed = deliver(&serve, &event(&world, "evt-2", "address.removed", 1)).await;
    outcome(&serve, removed.header("location").expect("a place")).await;
    // Somebody who has seen the first delivery sends it once more: it must not bring the address back.
    let again = deliver(&serve, &added).await;
    assert_eq!((again.status, again.json()), (202, first.json()));
    let marker = deliver(&serve, &event(&world, "evt-3", "address.added", 2)).await;
    outcome(&serve, marker.header("location").expect("a place")).await;
    assert_eq!(world.with_status("active").await.len(), 1, "only the marker's");
    assert_eq!(world.database().count("SELECT count(*) FROM commands").await, 3);
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_hook_asks_for_no_token_and_takes_any_host_and_its_own_header() {
    let world = World::embedded(1, 1).await;
    let text = HOOK.replace("action =", "signature_header = \"X-Hub-Signature-256\"\n    action =");
    let settings = with_file(&world.settings, &text).set("VMACD_API_TOKEN", "the token of the API");
    let serve = Serve::start(&settings).await;
    let body = event(&world, "evt-1", "address.added", 1).to_string();
    let signed = |host: &str| {
        let signature = ("x-hub-signature-256", sign(SECRET, &body));
        vec![signature, ("host", host.to_owned()), ("origin", "https://billing.example.com".to_owned())]
    };
    let url = format!("{}/hooks/billing", serve.http_url());
    let asking = Ask { method: "POST", headers: signed("vmacd.example.com"), body: Some(body.clone()) };
    assert_eq!(ask(&url, asking).await.status, 202);
    assert_eq!(get(&format!("{}/api/v1/vmacs", serve.http_url()), None).await.status, 401, "the API still does");
    world.until("active", 1).await;
}
