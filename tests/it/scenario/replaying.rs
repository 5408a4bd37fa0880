//! Many dead letters at once: page by page, and some are gone when their turn comes.

use std::time::Duration;

use vmacd::broker::{Broker, BrokerSettings, replay};
use vmacd::domain::Code;
use vmacd::store::{DeadLetter, DeadLetterFilter, Store, StoreOptions};

use super::world::World;
use crate::support::vmacd::{run, run_on_terminal};

const LETTERS: usize = 1_200;

fn letter(number: usize) -> DeadLetter {
    DeadLetter {
        burial_id: format!("burial-{number}"),
        message_identity: format!("letter-{number}"),
        body_hash: format!("hash-{number}"),
        message_id: Some(format!("m-{number}")),
        message_key: None,
        correlation_id: None,
        traceparent: None,
        routing_key: "vmac.create".to_owned(),
        issued_at_ms: None,
        timestamp: None,
        arrival: None,
        replay_number: 0,
        body: b"{}".to_vec(),
        long_body: None,
        headers: serde_json::json!({}),
        reason_code: Code::UnknownServer,
        error_text: "the inventory has no such server".to_owned(),
        attempts: 1,
        switch: None,
        server_id: None,
        ip_address: None,
        first_failed_ms: 0,
        last_failed_ms: 0,
    }
}

async fn store(world: &World) -> Store {
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a URL");
    let store = Store::connect(url, StoreOptions::default()).await.expect("the database");
    let letters: Vec<_> = (0..LETTERS).map(letter).collect();
    store.dead_letters().keep(&letters).await.expect("kept");
    store
}

#[tokio::test]
async fn many_are_replayed_page_by_page_and_those_gone_meanwhile_are_left_out() {
    let world = World::embedded(1, 1).await;
    let store = store(&world).await;
    let (delay_min, delay_max) = (Duration::from_secs(1), Duration::from_secs(60));
    let settings = BrokerSettings {
        amqp: None,
        namespace: String::new(),
        rpc_timeout: delay_max,
        former_delays: (delay_min, delay_max),
        archive_age: Duration::ZERO,
    };
    let broker = Broker::connect(settings, &store).await.expect("the embedded queue");
    let ids = store.dead_letters().ids(&DeadLetterFilter::default()).await.expect("their numbers");
    // Somebody else is quicker with one of the second page.
    store.dead_letters().discard(&ids[700..701]).await.expect("discarded");
    let mut told = Vec::new();
    let replayed = replay(&broker, &store, &ids, |done| told.push(done)).await.expect("replayed");
    assert_eq!((replayed.len(), told.as_slice()), (LETTERS - 1, [500, 1_000, LETTERS].as_slice()));
    assert!(!replayed.contains(&ids[700]));
    assert_eq!(store.dead_letters().get(ids[700]).await.expect("kept").row.state, "discarded");
}

#[tokio::test]
async fn all_are_listed_newest_first_and_discarded_with_one_command_that_asks() {
    let world = World::embedded(1, 1).await;
    let _store = store(&world).await;
    let listed = world.dead_letters().await;
    let ids: Vec<i64> = listed.iter().map(|letter| letter["id"].as_i64().expect("an id")).collect();
    assert!(ids.len() == LETTERS && ids.windows(2).all(|pair| pair[0] > pair[1]), "newest first, each once");
    let dry = world.vmacd(&["dead-letters", "discard", "--all", "--dry-run"]).await;
    assert_eq!((dry["count"].as_u64(), world.dead_letters().await.len()), (Some(LETTERS as u64), LETTERS));
    let all = ["dead-letters", "discard", "--all"];
    let unasked = run(&all, &world.settings).await;
    assert!(unasked.code == Some(1) && unasked.stderr.contains("--yes"), "nobody can be asked: {unasked:?}");
    let refused = run_on_terminal(&all, &world.settings, 100, "n\n").await;
    assert!(refused.code == Some(1) && refused.stdout.contains("Discard 1200 dead letters"), "{refused:?}");
    assert_eq!(world.dead_letters().await.len(), LETTERS);
    for named in [ids[0].to_string(), format!("{},{}", ids[1], ids[2])] {
        run(&["dead-letters", "discard", "--id", &named], &world.settings).await.ok();
    }
    let told = run(&["dead-letters", "discard", "--all", "--yes"], &world.settings).await;
    assert_eq!((told.stdout.as_str(), told.stderr.as_str(), told.code), ("1197 discarded\n", "", Some(0)));
    assert!(world.dead_letters().await.is_empty());
}
