//! No internal address is reached unless a setting allows it: neither when a webhook is added nor when an event is sent.

use super::receiver::Receiver;
use super::{allowed, allowing, create, delivery};
use crate::scenario::world::World;
use crate::support::http::{Ask, ask};
use crate::support::vmacd::{Serve, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_internal_address_is_refused_when_a_webhook_is_added_however_it_is_written() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    for (url, address) in [
        ("http://127.0.0.1:8080/", "127.0.0.1"),
        ("http://10.0.0.8/", "10.0.0.8"),
        ("http://0x0a000008/", "10.0.0.8"),
        ("https://[::1]/", "::1"),
        ("http://[::ffff:10.0.0.8]/", "10.0.0.8"),
        ("http://[64:ff9b::10.0.0.8]/", "10.0.0.8"),
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("http://localhost:8080/", ""),
    ] {
        let expected = format!("{address} is an internal address. Allow it with `webhooks.internal`.");
        let refused = run(&["webhooks", "add", url], &world.settings).await;
        assert!(refused.code == Some(1) && refused.stderr.contains(expected.trim_start()), "{url}: {refused:?}");
        let body = serde_json::json!({"url": url}).to_string();
        let headers = vec![("content-type", "application/json".to_owned())];
        let asking = Ask { method: "POST", headers, body: Some(body) };
        let answer = ask(&format!("{}/api/v1/webhooks", serve.http_url()), asking).await;
        assert!(answer.status == 422 && answer.body.contains(expected.trim_start()), "{url}: {answer:?}");
    }
    for url in ["ftp://example.com/", "http://user:hunter2@example.com/", "http://nothing.invalid/"] {
        let refused = run(&["webhooks", "add", url], &world.settings).await;
        assert!(refused.code == Some(1) && !refused.stderr.contains("hunter2@"), "{url}: {refused:?}");
    }
    assert_eq!(world.vmacd(&["webhooks", "list"]).await.as_array().map(Vec::len), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_inside_is_refused_when_the_event_is_sent() {
    let world = World::embedded(1, 1).await;
    let receiver = Receiver::taking().await;
    // It could be added when it led elsewhere; here the setting says so.
    let url = format!("http://localhost:{}/", receiver.port());
    run(&["webhooks", "add", &url, "--name", "one"], &allowed(&world.settings)).await.ok();
    let _serve = world.serve().await;
    create(&world, 0, 1, &[]).await;
    let waiting = delivery(&world, "waiting", |delivery| delivery["attempts"].as_i64() > Some(0)).await;
    let answer = waiting["last_answer"].as_str().expect("an answer");
    assert!(answer.ends_with("is an internal address. Allow it with `webhooks.internal`."), "{answer}");
    let tested = run(&["webhooks", "test", "one"], &world.settings).await;
    assert!(tested.code == Some(2) && tested.stderr.contains("is an internal address"), "{tested:?}");
    assert_eq!(receiver.received().len(), 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_nets_of_the_setting_are_allowed() {
    let world = allowing(World::embedded(1, 1).await).await;
    let refused = run(&["webhooks", "add", "http://10.0.0.8/"], &world.settings).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("10.0.0.8 is an internal address"), "{refused:?}");
    let wrong = world.settings.clone().set("VMACD_WEBHOOKS_INTERNAL", "10.0.0.0/8,inside");
    let refused = run(&["webhooks", "list"], &wrong).await;
    assert!(
        refused.code == Some(1) && refused.stderr.contains("webhooks.internal: `inside` is not a net"),
        "{refused:?}"
    );
    let mut serve = Serve::spawn(&wrong);
    assert_eq!(serve.wait().await.code(), Some(1));
}
