//! The same over the API.

use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::signing::signature;
use super::{allowing, create, taken};
use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::http::{Answer, Ask, ask};
use crate::support::vmacd::Serve;

async fn call(serve: &Serve, method: &'static str, path: &str, body: Option<Value>) -> Answer {
    let headers = vec![("content-type", "application/json".to_owned())];
    let asking = Ask { method, headers, body: body.map(|body| body.to_string()) };
    ask(&format!("{}/api/v1/{path}", serve.http_url()), asking).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_are_managed_over_the_api_and_shown_without_their_secrets() {
    let world = allowing(World::embedded(1, 1).await).await;
    let receiver = Receiver::taking().await;
    let serve = world.serve().await;
    let body = json!({"url": receiver.url(), "name": "billing", "events": ["vmac.active"]});
    let added = call(&serve, "POST", "webhooks", Some(body.clone())).await;
    assert_eq!(added.status, 201, "{added:?}");
    let secret = added.json()["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(call(&serve, "POST", "webhooks", Some(body)).await.status, 422, "the name is taken");
    create(&world, 0, 1, &["--wait"]).await;
    let event = taken(&receiver, 1).await.remove(0);
    assert_eq!(event.header("webhook-signature"), signature(&secret, &event));
    let tested = call(&serve, "POST", "webhooks/billing/test", None).await.json();
    assert_eq!((&tested["result"], &tested["status"]), (&"delivered".into(), &204.into()));
    let rotated = call(&serve, "POST", "webhooks/billing/rotate", None).await.json();
    assert!(rotated["secret"] != secret.as_str() && !rotated["previous_until"].is_null(), "{rotated}");
    assert!(!call(&serve, "POST", "webhooks/billing/pause", None).await.json()["paused_at"].is_null());
    assert!(call(&serve, "POST", "webhooks/billing/resume", None).await.json()["paused_at"].is_null());
    let (listed, shown) =
        (call(&serve, "GET", "webhooks", None).await, call(&serve, "GET", "webhooks/billing", None).await);
    assert_eq!(listed.json()[0], shown.json());
    assert!(!listed.body.contains("whsec_"), "{}", listed.body);
    assert_eq!(call(&serve, "DELETE", "webhooks/billing", None).await.status, 204);
    for (method, path) in
        [("GET", "webhooks/billing"), ("DELETE", "webhooks/billing"), ("POST", "webhooks/billing/test")]
    {
        assert_eq!(call(&serve, method, path, None).await.status, 404, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_listed_and_replayed_over_the_api() {
    let mut world = allowing(World::embedded(1, 1).await).await;
    world.settings = world.settings.set("VMACD_WEBHOOKS_AGE_MAX_MS", 100);
    let receiver = Receiver::start(|_| Reply::Status(500, "", "boom")).await;
    world.vmacd(&["webhooks", "add", &receiver.url(), "--name", "one", "--event", "vmac.active"]).await;
    let serve = world.serve().await;
    for number in 1..=3 {
        create(&world, 0, number, &["--wait"]).await;
    }
    let dead = eventually("they are dead", async || {
        let dead = call(&serve, "GET", "webhook-deliveries?webhook=one&state=dead&limit=2", None).await;
        if dead.json()["total"] == 3 { Ok(dead) } else { Err(dead) }
    })
    .await;
    assert!(dead.header("link").is_some_and(|link| link.contains("rel=\"next\"")), "{dead:?}");
    let items = dead.json()["items"].clone();
    assert_eq!((items.as_array().map(Vec::len), &items[0]["last_answer"]), (Some(2), &"HTTP 500: boom".into()));
    let path = "webhook-deliveries/replay";
    assert_eq!(call(&serve, "POST", path, Some(json!({}))).await.status, 422);
    assert_eq!(call(&serve, "POST", path, Some(json!({"ids": [99_999]}))).await.status, 404);
    assert_eq!(call(&serve, "GET", "webhook-deliveries?webhook=two", None).await.status, 404);
    receiver.answer(|_| super::receiver::OK);
    let replayed = call(&serve, "POST", path, Some(json!({"ids": [items[0]["id"]]}))).await.json();
    assert_eq!(replayed["count"], 1, "{replayed}");
    taken(&receiver, 1).await;
    assert_eq!(call(&serve, "POST", path, Some(json!({"webhook": "one"}))).await.json()["count"], 2);
    taken(&receiver, 3).await;
}
