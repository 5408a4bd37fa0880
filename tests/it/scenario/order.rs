//! The newest intent wins: by its time whatever the order of arrival, and by the order of arrival where no time decides.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use vmacd::broker::{Broker, BrokerSettings, Message};
use vmacd::domain::{Code, MessageKey};
use vmacd::store::{DeadLetter, Outcome, Store, StoreOptions};

use super::world::World;
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_late_create_never_undoes_a_later_revoke() {
    let world = World::real(1, 1).await;
    let (server, ip) = (world.server(0), world.address(0, 1));
    let body = |at: &str| json!({"server_id": server, "ip_address": ip, "issued_at": at}).to_string();
    world.vmacd(&["list"]).await;
    let _worker = world.serve().await;
    world.publish("vmac.revoke", Some("later"), body("2026-01-21T10:00:01.000Z").as_bytes()).await;
    world.publish("vmac.create", Some("earlier"), body("2026-01-21T10:00:00.000Z").as_bytes()).await;
    // A third command is behind both in the queue: when it is active, both are settled.
    world.command("create", 0, 2, "marker").await;
    world.until("active", 1).await;
    assert_eq!(world.vmacd(&["list"]).await.as_array().map(Vec::len), Some(1), "the late create made a row");
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}

/// Pairs published while the worker is away, and as many while it works; few where RabbitMQ has shown it with many.
const MANY: u32 = 500;
const FEW: u32 = 100;

/// What a message says of its time.
#[derive(Debug, Clone, Copy)]
enum Time {
    Unsaid,
    /// The property `timestamp`, in whole seconds.
    Second,
    /// As a broker stamps what passes: the property, and the header `timestamp_in_ms`.
    StampedByBroker,
}

impl Time {
    fn now(self) -> (Option<i64>, Option<i64>) {
        let now_ms = chrono::Utc::now().timestamp_millis();
        match self {
            Self::Unsaid => (None, None),
            Self::Second => (Some(now_ms / 1000), None),
            // Two in a millisecond.
            Self::StampedByBroker => (Some(now_ms / 1000), Some(now_ms / 10 * 10)),
        }
    }
}

/// Where the pairs are published: one channel of RabbitMQ, or the embedded queue.
enum Producer<'a> {
    Rabbit(&'a World),
    Embedded(&'a World, Broker),
}

/// The addresses in turn of four servers.
fn body(world: &World, number: u32) -> serde_json::Value {
    world.body(number as usize % 4, number / 4 + 1)
}

impl Producer<'_> {
    async fn publish(&self, action: &str, number: u32, key: String, time: Time) {
        let (timestamp, in_ms) = time.now();
        let routing_key = format!("vmac.{action}");
        match self {
            Self::Rabbit(world) => {
                let mut headers = FieldTable::default();
                if let Some(ms) = in_ms {
                    headers.insert("timestamp_in_ms".into(), AMQPValue::LongLongInt(ms));
                }
                let mut properties = BasicProperties::default().with_message_id(key.into()).with_headers(headers);
                if let Some(timestamp) = timestamp {
                    properties = properties.with_timestamp(timestamp.cast_unsigned());
                }
                world.publish_with(&routing_key, properties, body(world, number).to_string().as_bytes()).await;
            }
            Self::Embedded(world, broker) => {
                let body = body(world, number).to_string().into_bytes();
                let headers = in_ms.map(|ms| ("timestamp_in_ms".to_owned(), ms.into())).into_iter().collect();
                let message_id = Some(key);
                let message = Message { message_id, routing_key, body, timestamp, headers, ..Message::default() };
                broker.publish_command(message).await.expect("published");
            }
        }
    }

    /// A create for each address, and when all are bound a revoke and a create for each, one after the other.
    async fn pairs(&self, world: &World, pairs: u32, time: Time) {
        let numbers = 1..=2 * pairs;
        let mut worker = world.serve().await;
        for number in numbers.clone() {
            self.publish("create", number, format!("first-{number}"), time).await;
        }
        world.until("active", numbers.clone().count()).await;
        worker.sigterm();
        worker.wait().await;
        for number in 1..=pairs {
            self.pair(number, time).await;
        }
        let _worker = world.serve().await;
        for number in pairs + 1..=2 * pairs {
            self.pair(number, time).await;
        }
        let url = world.settings.get("VMACD_DATABASE_URL").expect("a URL");
        let store = Store::connect(url, StoreOptions::default()).await.expect("the database");
        let keys =
            |kind: &str| numbers.clone().map(|number| MessageKey(format!("{kind}-{number}"))).collect::<Vec<_>>();
        for (kind, expected) in
            [("last", [Outcome::Active].as_slice()), ("revoke", &[Outcome::Superseded, Outcome::Revoked])]
        {
            let keys = keys(kind);
            let outcomes = eventually(&format!("every {kind} has its outcome"), async || {
                let outcomes = store.commands().outcomes(&keys).await.expect("outcomes");
                if outcomes.len() == keys.len() { Ok(outcomes) } else { Err(outcomes.len()) }
            })
            .await;
            let wrong: Vec<_> = outcomes.iter().filter(|(_, outcome)| !expected.contains(&outcome.status)).collect();
            assert!(wrong.is_empty(), "{time:?}: {} of {}: {:?}", wrong.len(), keys.len(), wrong.first());
        }
        world.until("active", numbers.count()).await;
        assert!(world.dead_letters().await.is_empty());
        world.assert_consistent().await;
    }

    async fn pair(&self, number: u32, time: Time) {
        self.publish("revoke", number, format!("revoke-{number}"), time).await;
        self.publish("create", number, format!("last-{number}"), time).await;
    }
}

async fn on_rabbit(pairs: u32, time: Time) {
    let world = World::real(1, 4).await;
    world.vmacd(&["list"]).await;
    Producer::Rabbit(&world).pairs(&world, pairs, time).await;
}

async fn embedded(time: Time) {
    let world = World::embedded(1, 4).await;
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a URL");
    let store = Store::connect(url, StoreOptions::default()).await.expect("the database");
    let (delay_min, delay_max) = (Duration::from_millis(100), Duration::from_millis(400));
    let (amqp, namespace, rpc_timeout) = (None, String::new(), delay_max);
    let settings = BrokerSettings {
        amqp,
        namespace,
        rpc_timeout,
        former_delays: (delay_min, delay_max),
        archive_age: Duration::ZERO,
    };
    let broker = Broker::connect(settings, &store).await.expect("the embedded queue");
    Producer::Embedded(&world, broker).pairs(&world, FEW, time).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pairs_of_revoke_and_create_end_bound_without_a_time() {
    on_rabbit(MANY, Time::Unsaid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pairs_of_revoke_and_create_end_bound_with_a_time_in_whole_seconds() {
    on_rabbit(MANY, Time::Second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_revoke_and_create_end_bound_where_a_broker_stamps_them() {
    on_rabbit(FEW, Time::StampedByBroker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_revoke_and_create_end_bound_in_the_embedded_queue() {
    embedded(Time::Unsaid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_revoke_and_create_end_bound_in_the_embedded_queue_with_seconds() {
    embedded(Time::Second).await;
}

async fn outcome(store: &Store, key: &str) -> Outcome {
    let keys = [MessageKey(key.to_owned())];
    eventually(&format!("{key} has its outcome"), async || {
        let outcomes = store.commands().outcomes(&keys).await.expect("outcomes");
        outcomes.into_values().next().map(|outcome| outcome.status).ok_or("none yet")
    })
    .await
}

/// As a message leaves its queue that the broker gave up before a worker had read it.
fn never_read(world: &World, issued_s: i64) -> DeadLetter {
    DeadLetter {
        burial_id: "never-read".to_owned(),
        message_identity: "never-read".to_owned(),
        body_hash: "never-read".to_owned(),
        message_id: Some("never-read".to_owned()),
        message_key: None,
        correlation_id: None,
        traceparent: None,
        routing_key: "vmac.create".to_owned(),
        issued_at_ms: None,
        timestamp: Some(issued_s),
        arrival: None,
        replay_number: 0,
        body: world.body(0, 2).to_string().into_bytes(),
        long_body: None,
        headers: json!({}),
        reason_code: Code::DeliveryLimit,
        error_text: "delivered too often".to_owned(),
        attempts: 1,
        switch: None,
        server_id: None,
        ip_address: None,
        first_failed_ms: 0,
        last_failed_ms: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_replayed_is_not_newer_for_it() {
    let mut world = World::real(1, 1).await;
    let mut newcomer = world.inventory["servers"][0].clone();
    newcomer["id"] = 777_001.into();
    newcomer["pxe_mac"] = "0c:c4:7a:99:99:99".into();
    newcomer["primary_ip"] = "10.9.9.1".into();
    let unknown = json!({"server_id": 777_001, "ip_address": "10.9.9.7"}).to_string();
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a URL");
    let store = Store::connect(url, StoreOptions::default()).await.expect("the database");
    let _worker = world.serve().await;
    // The server is not known yet.
    world.publish("vmac.create", Some("unknown"), unknown.as_bytes()).await;
    assert_eq!(outcome(&store, "unknown").await, Outcome::Failed);
    store.dead_letters().keep(&[never_read(&world, chrono::Utc::now().timestamp() - 60)]).await.expect("kept");
    eventually("both letters wait", async || if world.dead_letters().await.len() == 2 { Ok(()) } else { Err("one") })
        .await;
    world.inventory["servers"].as_array_mut().expect("servers").push(newcomer);
    world.import(&world.inventory).await;
    world.publish("vmac.revoke", Some("revoke-1"), unknown.as_bytes()).await;
    world.command("revoke", 0, 2, "revoke-2").await;
    for key in ["revoke-1", "revoke-2"] {
        assert_eq!(outcome(&store, key).await, Outcome::Revoked);
    }
    world.vmacd(&["dead-letters", "replay", "--all"]).await;
    assert_eq!(outcome(&store, "never-read").await, Outcome::Superseded);
    eventually("the other is superseded too", async || match outcome(&store, "unknown").await {
        Outcome::Superseded => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(world.vmacd(&["list"]).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_for_a_subnet_keeps_its_place_before_what_was_published_after_it() {
    let world = World::real(1, 1).await;
    let about = |ip: &str| json!({"server_id": world.server(0), "ip_address": ip}).to_string();
    let all = json!({"server_id": world.server(0), "subnet": "10.0.0.8/29"}).to_string();
    let mut worker = world.serve().await;
    world.publish("vmac.create", Some("create-all"), all.as_bytes()).await;
    world.until("active", 6).await;
    worker.sigterm();
    worker.wait().await;
    // The subnet's messages, one for each address, come behind the create.
    world.publish("vmac.revoke", Some("revoke-all"), all.as_bytes()).await;
    world.publish("vmac.create", Some("create-one"), about("10.0.0.10").as_bytes()).await;
    let _worker = world.serve().await;
    world.until("revoked", 5).await;
    let active = world.until("active", 1).await;
    assert_eq!(active[0]["ip_address"], "10.0.0.10");
    world.assert_consistent().await;
}
