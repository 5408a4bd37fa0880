//! Many dead letters at once: page by page, and some are gone when their turn comes.

use std::time::Duration;

use vmacd::broker::{Broker, BrokerSettings, replay};
use vmacd::domain::Code;
use vmacd::store::{DeadLetter, DeadLetterFilter, Store, StoreOptions};

use super::world::World;
use crate::support::vmacd::run;

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
    store.collect(&letters).await.expect("kept");
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
    };
    let broker = Broker::connect(settings, &store).await.expect("the embedded queue");
    let ids = store.dead_letter_ids(&DeadLetterFilter::default()).await.expect("their numbers");
    // Somebody else is quicker with one of the second page.
    store.discard(&ids[700..701]).await.expect("discarded");
    let mut told = Vec::new();
    let replayed = replay(&broker, &store, &ids, |done| told.push(done)).await.expect("replayed");
    assert_eq!((replayed.len(), told.as_slice()), (LETTERS - 1, [500, 1_000, LETTERS].as_slice()));
    assert!(!replayed.contains(&ids[700]));
    assert_eq!(store.dead_letter(ids[700]).await.expect("kept").row.state, "discarded");
}

#[tokio::test]
async fn all_are_discarded_with_one_command() {
    let world = World::embedded(1, 1).await;
    let _store = store(&world).await;
    let dry = world.vmacd(&["dead-letters", "discard", "--all", "--dry-run"]).await;
    assert_eq!((dry["count"].as_u64(), world.dead_letters().await.len()), (Some(LETTERS as u64), LETTERS));
    let told = run(&["dead-letters", "discard", "--all"], &world.settings).await;
    assert_eq!((told.stdout.as_str(), told.stderr.as_str(), told.code), ("1200 discarded\n", "", Some(0)));
    assert!(world.dead_letters().await.is_empty());
}
