//! The verbs, as operators type them.

use super::allowing;
use super::receiver::{Receiver, Reply};
use crate::scenario::world::World;
use crate::support::vmacd::run;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_added_tested_listed_and_removed() {
    let world = allowing(World::embedded(1, 1).await).await;
    let receiver = Receiver::taking().await;
    let url = receiver.url();
    let added = run(&["webhooks", "add", &url, "--name", "billing", "--event", "vmac.*"], &world.settings).await.ok();
    assert!(added.contains("webhook billing: added") && added.contains("  secret  whsec_"), "{added}");
    let tested = run(&["webhooks", "test", "billing"], &world.settings).await.ok();
    assert_eq!(tested.trim(), "delivered to billing: HTTP 204");
    let sent = receiver.received().remove(0);
    assert_eq!(sent.json()["type"], "vmacd.test");
    assert!(sent.header("webhook-id").starts_with("test-") && sent.header("webhook-signature").starts_with("v1,"));
    receiver.answer(|_| Reply::Status(403, "", "who are you?"));
    let refused = run(&["webhooks", "test", "billing"], &world.settings).await;
    assert!(refused.code == Some(2) && refused.stderr.contains("billing: HTTP 403: who are you?"), "{refused:?}");
    let list = run(&["webhooks", "list"], &world.settings).await.ok();
    assert!(list.contains("billing") && list.contains(&url) && list.contains("active"), "{list}");
    for (arguments, expected) in [
        (["webhooks", "add", &url, "--name", "billing"].as_slice(), "there is a webhook `billing` already"),
        (&["webhooks", "add", &url, "--event", "active"], "no event is called `active`"),
        (&["webhooks", "add", &url, "--event", "vmac.#"], "expected a routing key such as vmac.failed"),
        (&["webhooks", "add", &url, "--site", "nowhere"], "nowhere"),
        (&["webhooks", "add", "billing.example.com"], "expected a URL such as"),
        (&["webhooks", "remove", "panel"], "there is no webhook panel"),
        (&["webhooks", "replay"], "--id"),
    ] {
        let refused = run(arguments, &world.settings).await;
        assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{arguments:?}: {refused:?}");
    }
    let removed = run(&["webhooks", "remove", "billing"], &world.settings).await.ok();
    assert_eq!(removed.trim(), format!("webhook billing ({url}): removed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_slack_calls_a_secret_is_not_shown() {
    let world = allowing(World::embedded(1, 1).await).await;
    let receiver = Receiver::taking().await;
    let url = receiver.url().replace("/events", "/services/T0/B0/hunter2");
    world.vmacd(&["webhooks", "add", &url, "--form", "slack", "--name", "ops"]).await;
    let list = run(&["webhooks", "list"], &world.settings).await.ok();
    assert!(list.contains(&format!("http://127.0.0.1:{}/***", receiver.port())), "{list}");
    assert!(!list.contains("hunter2") && !world.vmacd(&["webhooks", "list"]).await.to_string().contains("hunter2"));
}
