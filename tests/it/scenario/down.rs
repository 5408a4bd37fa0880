//! A switch that is down costs no order: what waits for it waits, says why, and goes on when the switch is back. What has
//! waited for too long is a dead letter, and replay brings it back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::events::Events;
use super::world::World;
use crate::support::{eventually, size};

const ORDERS: u32 = 5;

/// Orders for all servers, with the switch of the first one down; how many are for that switch.
async fn with_a_dead_switch(world: &World) -> (String, usize) {
    let dead = world.switch_of(0);
    let of_dead = (0..4).filter(|index| world.switch_of(*index) == dead).count();
    world.estate.switch(&dead).expect("a switch").stop();
    for index in 0..4 {
        for number in 1..=ORDERS {
            world.command("create", index, number, &format!("m-{index}-{number}")).await;
        }
    }
    (dead, of_dead * ORDERS as usize)
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_for_a_switch_that_is_away_wait_and_become_active_when_it_is_back() {
    let mut world = World::real(2, 2).await;
    world.settings = world.settings.clone().set("VMACD_RETRY_ATTEMPTS_MAX", 2).set("VMACD_RETRY_TELL_AFTER_MS", 500);
    let events = Events::bound(&world).await;
    let _worker = world.serve().await;
    let (dead, waiting) = with_a_dead_switch(&world).await;
    world.until("active", 20 - waiting).await;
    let mut told = Vec::new();
    eventually("each producer is told once that its order waits", async || {
        told.extend(events.take().await.into_iter().filter(|event| event.routing_key == "vmac.waiting"));
        if told.len() == waiting { Ok(()) } else { Err(told.len()) }
    })
    .await;
    assert!(told.iter().all(|event| event.body["reason"]["code"] == "unreachable"), "{told:?}");
    assert!(told.iter().all(|event| event.body["waiting_since"].is_string()), "{told:?}");
    let rows = world.with_status("pending").await;
    let says_why = |row: &serde_json::Value| {
        row["failure_code"] == "unreachable" && row["failure_text"].as_str().is_some_and(|text| text.contains(&dead))
    };
    assert!(rows.len() == waiting && rows.iter().all(says_why), "{rows:?}");
    assert!(rows.iter().all(|row| row["attempts"] == 0), "it costs no attempt: {rows:?}");
    let trouble = trouble(&world, &dead).await;
    assert!(trouble["failures"].as_i64() >= Some(2) && trouble["since"].is_string(), "{trouble}");
    world.estate.switch(&dead).expect("a switch").start().await.expect("the switch is back");
    let active = world.until("active", 20).await;
    assert!(active.iter().all(|row| row["failure_code"].is_null()), "{active:?}");
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}

/// Why the switch is left alone, as its row says.
async fn trouble(world: &World, switch: &str) -> Value {
    let switches = world.vmacd(&["switches", "list"]).await;
    let known = switches.as_array().expect("a list").iter().find(|known| known["name"] == json!(switch));
    known.expect("the switch")["trouble"].clone()
}

/// Tries of a switch that is away for an hour: by default the last of them are 20 s apart.
const TRIES_OF_AN_HOUR: i64 = 185;
const BACK_MAX: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_is_away_for_as_many_tries_as_an_hour_has_costs_no_order() {
    let mut world = World::real(1, 4).await;
    world.settings = world.settings.clone().set("VMACD_RETRY_SWITCH_DELAY_MAX_MS", 50);
    let (orders, tries) = (size("VMACD_TEST_ORDERS", 40, 1_000), size("VMACD_TEST_TRIES", 5, TRIES_OF_AN_HOUR));
    let worker = world.serve().await;
    let dead = world.switch_of(0);
    world.estate.switch(&dead).expect("a switch").stop();
    world.publish_creates((0..orders).map(|count| (count % 4, u32::try_from(count / 4).expect("few") + 1))).await;
    eventually("it was tried often", async || match trouble(&world, &dead).await["failures"].as_i64() {
        Some(failures) if failures >= tries => Ok(()),
        failures => Err(failures),
    })
    .await;
    world.until("pending", orders).await;
    world.estate.switch(&dead).expect("a switch").start().await.expect("the switch is back");
    let back = Instant::now();
    world.until("active", orders).await;
    let took = back.elapsed();
    assert!(took < BACK_MAX, "{orders} orders took {took:?} after {tries} tries: {}", worker.log());
    eprintln!("{orders} orders were active {took:?} after the switch's return, which {tries} tries came before");
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_waited_too_long_are_dead_letters_and_replay_makes_them_active() {
    let mut world = World::real(2, 2).await;
    world.settings = world.settings.clone().set("VMACD_RETRY_AGE_MAX_MS", 1_000);
    let _worker = world.serve().await;
    let (dead, waiting) = with_a_dead_switch(&world).await;
    world.until("active", 20 - waiting).await;
    let failed = world.until("failed", waiting).await;
    let says_why = |text: &str| text.contains(&dead) && text.contains("gave up after waiting for 1 s");
    assert!(failed.iter().all(|row| row["failure_text"].as_str().is_some_and(says_why)), "{failed:?}");
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), waiting, "the rows and their letters are written together");
    assert!(letters.iter().all(|letter| letter["switch"] == dead.as_str()), "{letters:?}");
    world.estate.switch(&dead).expect("a switch").start().await.expect("the switch is back");
    let replayed = world.vmacd(&["dead-letters", "replay", "--all"]).await;
    assert_eq!(replayed["count"], waiting);
    world.until("active", 20).await;
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}
