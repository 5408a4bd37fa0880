//! Receivers that do not want events, or not now: dead deliveries, replays, pauses.

use super::receiver::{OK, Receiver, Reply};
use super::{add, allowing, create, delivery, taken};
use crate::scenario::world::World;
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_delivered_for_a_day_is_dead_and_can_be_replayed() {
    let mut world = allowing(World::embedded(1, 1).await).await;
    // A day is short here.
    world.settings = world.settings.set("VMACD_WEBHOOKS_AGE_MAX_MS", 800);
    let receiver = Receiver::start(|_| Reply::Status(503, "", "<b>not\u{7} now</b>")).await;
    add(&world, &receiver, &["--name", "one", "--event", "vmac.active"]).await;
    let serve = world.serve().await;
    create(&world, 0, 1, &[]).await;
    let dead = delivery(&world, "dead", |delivery| delivery["ip_address"] == world.address(0, 1)).await;
    assert_eq!(dead["first_answer"], "HTTP 503: <b>not\\u0007 now</b>");
    assert!(dead["attempts"].as_i64() >= Some(2) && !dead["ended_at"].is_null(), "{dead}");
    eventually("it is counted", async || {
        let (_, metrics) = serve.get("/metrics").await;
        metrics.contains("vmacd_webhook_deliveries_dead 1")
            && metrics.contains("vmacd_webhook_attempts_total{result=\"refused\"}")
    })
    .await;
    receiver.answer(|_| OK);
    // The next of the address is not held up by what is dead.
    world.vmacd(&["rotate", "--server", &world.server(0).to_string(), "--ip", &world.address(0, 1)]).await;
    taken(&receiver, 1).await;
    let refused = crate::support::vmacd::run(&["webhooks", "replay", "--id", "999"], &world.settings).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("delivery 999 is not dead"), "{refused:?}");
    let replayed = world.vmacd(&["webhooks", "replay", "--webhook", "one"]).await;
    assert_eq!((&replayed["count"], &replayed["ids"][0]), (&1.into(), &dead["id"]));
    let taken = taken(&receiver, 2).await;
    assert_eq!(taken[1].json()["data"]["ip_address"], dead["ip_address"]);
    let last = delivery(&world, "delivered", |delivery| delivery["id"] == dead["id"]).await;
    assert_eq!(last["last_answer"], "HTTP 204");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_webhook_gets_its_events_once_it_is_resumed() {
    let world = allowing(World::embedded(1, 1).await).await;
    let receiver = Receiver::taking().await;
    add(&world, &receiver, &["--name", "one"]).await;
    world.vmacd(&["webhooks", "pause", "one"]).await;
    let _serve = world.serve().await;
    create(&world, 0, 1, &["--wait"]).await;
    create(&world, 0, 2, &["--wait"]).await;
    delivery(&world, "waiting", |delivery| delivery["attempts"] == 0).await;
    assert_eq!(receiver.received().len(), 0);
    world.vmacd(&["webhooks", "resume", "one"]).await;
    taken(&receiver, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_answers_gone_is_left_alone() {
    let world = allowing(World::embedded(1, 1).await).await;
    let receiver = Receiver::start(|_| Reply::Status(410, "", "")).await;
    add(&world, &receiver, &["--name", "one"]).await;
    let mut serve = world.serve().await;
    create(&world, 0, 1, &["--wait"]).await;
    serve.wait_for_line("410 Gone").await;
    create(&world, 0, 2, &["--wait"]).await;
    let listed = world.vmacd(&["webhooks", "list"]).await;
    assert_eq!(
        (&listed[0]["disabled_reason"], &listed[0]["dead"]),
        (&"the receiver answered 410 Gone".into(), &1.into())
    );
    assert_eq!(receiver.received().len(), 1, "nothing more was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed() {
    let world = allowing(World::embedded(1, 1).await).await;
    let elsewhere = Receiver::taking().await;
    let location: &'static str = format!("location: {}\r\n", elsewhere.url()).leak();
    let receiver = Receiver::start(move |_| Reply::Status(307, location, "")).await;
    add(&world, &receiver, &["--name", "one"]).await;
    let _serve = world.serve().await;
    create(&world, 0, 1, &[]).await;
    let waiting = delivery(&world, "waiting", |delivery| delivery["attempts"].as_i64() > Some(0)).await;
    assert_eq!(waiting["last_answer"], "HTTP 307: redirects are not followed");
    assert_eq!(elsewhere.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_finishes_what_it_sends_and_loses_nothing() {
    let world = allowing(World::embedded(1, 4).await).await;
    let receiver = Receiver::start(|_| Reply::Silence).await;
    add(&world, &receiver, &["--name", "one"]).await;
    let mut serve = world.serve().await;
    for index in 0..4 {
        create(&world, index, 1, &["--wait"]).await;
    }
    eventually("some are being sent", async || receiver.received().len() >= 2).await;
    serve.sigterm();
    assert!(serve.wait().await.success());
    receiver.answer(|_| OK);
    let _serve = world.serve().await;
    let taken = taken(&receiver, 4).await;
    let addresses: std::collections::BTreeSet<String> = taken.iter().map(|received| received.ip()).collect();
    assert_eq!(addresses.len(), 4);
}
