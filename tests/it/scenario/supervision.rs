//! Tasks that panic: each is started again, and the process says so meanwhile.

use serde_json::Value;

use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::Serve;

/// How a task that waits to be started again is told.
const PANICKED: &str = "restarting: it panicked at src/";

/// A world whose switches are checked for drift, so that every task has something to do.
async fn world() -> World {
    let mut world = World::real(1, 2).await;
    world.settings = world.settings.set("VMACD_DRIFT_INTERVAL_MS", 1_000);
    world
}

/// A worker that panics at this place; long enough for it to be seen.
async fn panicking(world: &World, place: &str) -> Serve {
    Serve::start(&world.settings.clone().set("FAILPOINTS", format!("{place}=4*panic"))).await
}

/// Waits until `/readyz` says no because of this task, with an error that begins so.
async fn is_told(serve: &Serve, task: &str, trouble: &str) {
    eventually("it is not ready", async || {
        let (status, body) = serve.get("/readyz").await;
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let parts = answer["parts"].as_array().expect("parts");
        let part = parts.iter().find(|part| part["part"] == task).expect("the task is listed");
        let told = part["error"].as_str().is_some_and(|error| error.starts_with(trouble));
        if status == 503 && told { Ok(()) } else { Err(format!("{status} {part}")) }
    })
    .await;
    assert_eq!(serve.get("/healthz").await.0, 200, "it lives");
}

/// Each panic is counted by task and logged with its place; then `/readyz` says yes again, and another order is done.
async fn is_counted_and_goes_on(world: &World, serve: &Serve, task: &str, file: &str, active: usize) {
    let counted = format!("vmacd_tasks_restarted_total{{task=\"{task}\"}} 4");
    eventually(&counted, async || serve.get("/metrics").await.1.contains(&counted)).await;
    eventually("it is ready again", async || serve.get("/readyz").await.0 == 200).await;
    assert!(serve.log().contains(&format!("place=\"{file}:")), "the log has no place in {file}");
    world.command("create", 0, 9, "afterwards").await;
    world.until("active", active).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn intake_that_panics_over_a_batch_is_started_again_and_admits_it() {
    let world = world().await;
    let serve = panicking(&world, "intake::batch").await;
    world.command("create", 0, 1, "in-hand").await;
    is_told(&serve, "intake", PANICKED).await;
    is_counted_and_goes_on(&world, &serve, "intake", "src/worker/intake/mod.rs", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_that_panics_is_started_again_and_publishes() {
    let world = world().await;
    let serve = panicking(&world, "outbox::publish").await;
    world.command("create", 0, 1, "told-of").await;
    is_told(&serve, "outbox", PANICKED).await;
    is_counted_and_goes_on(&world, &serve, "outbox", "src/worker/outbox.rs", 2).await;
    let unpublished = "SELECT count(*) FROM unpublished_events";
    eventually("the event is published", async || world.database().count(unpublished).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_panics_over_a_batch_is_started_again_and_keeps_it() {
    let world = world().await;
    let serve = panicking(&world, "dead_queue::batch").await;
    world.publish_dead("poison", b"given up by the broker").await;
    is_told(&serve, "collector", PANICKED).await;
    is_counted_and_goes_on(&world, &serve, "collector", "src/worker/intake/dead_queue.rs", 1).await;
    eventually("the dead letter is kept", async || world.dead_letters().await.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_for_drift_that_panic_are_started_again() {
    let world = world().await;
    let serve = panicking(&world, "drift::check").await;
    is_told(&serve, "drift", PANICKED).await;
    is_counted_and_goes_on(&world, &serve, "drift", "src/worker/checks/drift.rs", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_server_that_panics_is_started_again_and_takes_the_connections_that_wait() {
    let world = world().await;
    let serve = panicking(&world, "http::accept").await;
    // Nothing answers before it runs again, so nobody can be told meanwhile.
    assert_eq!(serve.get("/readyz").await.0, 200);
    is_counted_and_goes_on(&world, &serve, "http", "src/web/server/mod.rs", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_panics_each_time_ends_the_process_with_its_name() {
    let world = world().await;
    let mut serve = Serve::start(&world.settings.clone().set("FAILPOINTS", "outbox::publish=panic")).await;
    world.command("create", 0, 1, "meanwhile").await;
    world.until("active", 1).await;
    assert_eq!(serve.wait().await.code(), Some(2));
    let log = serve.log();
    let named = "error: the task `outbox` failed 10 times in a row, most recently: panicked at src/worker/outbox.rs:";
    assert!(log.lines().any(|line| line.starts_with(named)), "{log}");
    assert!(log.contains("stopping: finishing the commits in flight"), "it stops in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_hangs_is_named_while_the_others_go_on() {
    let world = world().await;
    let settings = world.settings.clone().set("FAILPOINTS", "drift::check=hang");
    let serve = Serve::start(&settings.set("VMACD_DATABASE_STATEMENT_TIMEOUT_MS", 1_000)).await;
    is_told(&serve, "drift", "no heartbeat for ").await;
    world.command("create", 0, 1, "meanwhile").await;
    world.until("active", 1).await;
}
