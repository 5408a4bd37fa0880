//! More messages than one would hold in memory: work starts at once, and memory does not grow with the queue.
//!
//! A long run waits for the outcome of each. By hand, deeper (`VMACD_TEST_DEPTH_EMBEDDED` for the embedded queue):
//! `VMACD_TEST_LONG=1 VMACD_TEST_DEPTH=1000000 VMACD_TEST_PATIENCE_S=300 tests/run --no-capture deep_queue`

use std::time::Duration;

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use sqlx::{Connection, Row, SqliteConnection};
use vmacd::broker::{Broker, BrokerSettings, Message};
use vmacd::sim::Options;
use vmacd::store::{Store, StoreOptions};

use crate::scenario::world::World;
use crate::support::vmacd::Serve;
use crate::support::{Rabbit, eventually, is_long, size};

const SWITCHES: usize = 20;
const PORTS: usize = 10;
const SERVERS: usize = SWITCHES * PORTS;
/// Extra addresses of a server.
const ADDRESSES: usize = 250;
/// Of more messages than there are addresses only the first so many outcomes are waited for.
const OUTCOMES_OF_MANY: usize = 20_000;
/// The same in a run that is not long.
const OUTCOMES_OF_SHORT: usize = 500;
const MEMORY_MAX_MB: u64 = 200;

const ACTIVE: &str = "SELECT count(*) FROM virtual_macs WHERE status = 'active'";
const OUTCOMES: &str = "SELECT count(*) FROM commands WHERE outcome = 'active'";

fn options() -> Options {
    Options { switches: SWITCHES, ports_per_switch: PORTS, ..Options::default() }
}

/// The server and address of each message: every address of every server, then the same again.
fn creates(depth: usize) -> impl Iterator<Item = (usize, u32)> {
    (0..depth).map(|n| (n % SERVERS, u32::try_from(n / SERVERS % ADDRESSES).expect("small") + 1))
}

/// How many outcomes are waited for.
fn wanted(depth: usize) -> usize {
    match (is_long(), depth > SERVERS * ADDRESSES) {
        (false, _) => depth.min(OUTCOMES_OF_SHORT),
        (true, true) => OUTCOMES_OF_MANY,
        (true, false) => depth,
    }
}

fn assert_memory_is_bounded(serve: &Serve, depth: usize) {
    let peak_mb = serve.peak_memory_mb();
    eprintln!("{depth} messages: at most {peak_mb} MB");
    assert!(peak_mb < MEMORY_MAX_MB, "{peak_mb} MB with {depth} messages");
}

/// Messages that wait, without those in a worker's hands.
async fn waiting(channel: &Channel, queue: &str) -> usize {
    let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(queue.into(), passive, FieldTable::default()).await.expect("the queue");
    queue.message_count() as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_queue_of_a_private_broker_is_worked_through_from_the_start_in_bounded_memory() {
    let depth = size("VMACD_TEST_DEPTH", 10_000, 30_000);
    let rabbit = Rabbit::private();
    let world = World::real_on(&rabbit, options()).await;
    drop(world.serve().await);
    world.publish_creates(creates(depth)).await;
    let (_connection, channel) = rabbit.channel().await;
    let queue = format!("{}vmac.commands", world.namespace);
    assert_eq!(waiting(&channel, &queue).await, depth);
    let serve = world.serve().await;
    eventually("the first rows are active", async || world.database().count(ACTIVE).await > 0).await;
    let left = waiting(&channel, &queue).await;
    assert!(left > 0, "the first rows were active when nothing was left");
    let wanted = wanted(depth);
    eventually(&format!("{wanted} commands are done"), async || {
        let done = world.database().count(OUTCOMES).await;
        if done >= wanted as i64 { Ok(()) } else { Err(done) }
    })
    .await;
    assert_memory_is_bounded(&serve, depth);
    if wanted == depth {
        assert_eq!(world.database().count(ACTIVE).await, depth as i64);
        world.assert_consistent().await;
    }
}

/// Puts creates into the embedded queue, as many at a time as a producer might.
async fn queue_creates(world: &World, depth: usize) -> Store {
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a database");
    let store = Store::connect(url, StoreOptions::default()).await.expect("a database");
    let delay = Duration::from_millis(100);
    let settings = BrokerSettings {
        amqp: None,
        namespace: String::new(),
        rpc_timeout: Duration::from_secs(10),
        former_delays: (delay, delay),
        archive_age: Duration::ZERO,
    };
    let broker = Broker::connect(settings, &store).await.expect("the embedded queue");
    let messages: Vec<Message> = creates(depth)
        .enumerate()
        .map(|(count, (index, number))| Message {
            message_id: Some(format!("n-{count}")),
            routing_key: "vmac.create".to_owned(),
            body: world.body(index, number).to_string().into_bytes(),
            ..Message::default()
        })
        .collect();
    for some in messages.chunks(1_000) {
        broker.publish_commands(some).await.expect("queued");
    }
    store
}

async fn count(connection: &mut SqliteConnection, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(connection).await.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_embedded_queue_is_worked_through_from_the_start_in_bounded_memory() {
    let depth = size("VMACD_TEST_DEPTH_EMBEDDED", 3_000, 5_000);
    let world = World::embedded_with(options()).await;
    let store = queue_creates(&world, depth).await;
    let queued = async || store.queue().depth("vmac.commands").await.expect("a count");
    assert_eq!(queued().await, depth as i64);
    let serve = world.serve().await;
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a database");
    let mut rows = SqliteConnection::connect(url).await.expect("the database");
    eventually("the first rows are active", async || count(&mut rows, ACTIVE).await > 0).await;
    let left = queued().await;
    assert!(left > 0, "the first rows were active when nothing was left");
    let wanted = wanted(depth);
    eventually(&format!("{wanted} commands are done"), async || match count(&mut rows, OUTCOMES).await {
        done if done >= wanted as i64 => Ok(()),
        done => Err(done),
    })
    .await;
    assert_memory_is_bounded(&serve, depth);
    if wanted == depth {
        assert_eq!(count(&mut rows, ACTIVE).await, depth as i64);
        world.assert_consistent().await;
    }
}
