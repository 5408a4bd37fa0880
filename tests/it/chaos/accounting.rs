//! Every message is accounted for, one by one: good and bad at once, bad ones under few ids, pairs of revoke and create,
//! copies and bodies over the limit, while the worker is killed three times and told to stop once.
//!
//! Each body holds a tag of its own. A tag is accounted for where either a command with its body has an outcome other
//! than `failed`, or one dead letter with its body waits; never both, and never twice. Only a message with neither an id nor a
//! time may be two commands: delivered again after a kill, it cannot be told from a new one.
//!
//! A long run sends 20,000.

use std::collections::HashMap;

use lapin::BasicProperties;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use vmacd::broker::{Broker, BrokerSettings, Message};
use vmacd::sim::Options;
use vmacd::store::{Store, StoreOptions};

use crate::scenario::world::World;
use crate::support::{eventually, size};

const MESSAGES_SHORT: u64 = 1_000;
const MESSAGES_LONG: u64 = 20_000;
/// How often the worker dies; each time a part of the messages was published just before.
const KILLS: usize = 3;
/// Servers, each with the addresses 1 to `PAIRED` for pairs and those after for single orders.
const SERVERS: usize = 8;
const PAIRED: u32 = 12;
/// Longer than a body may be.
const OVERSIZED_BYTES: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_accounted_for_whatever_dies() {
    let world = World::real_with(options()).await;
    account_for_all(&world, async |posts| {
        for post in posts {
            let properties = BasicProperties::default().with_delivery_mode(2);
            let properties = match &post.message_id {
                Some(id) => properties.with_message_id(id.as_str().into()),
                None => properties,
            };
            world.publish_with(&post.routing_key, properties, &post.body).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_the_embedded_queue_is_accounted_for_whatever_dies() {
    let world = World::embedded_with(options()).await;
    let broker = embedded(&world).await;
    account_for_all(&world, async |posts| {
        for some in posts.chunks(100) {
            broker.publish_commands(some).await.expect("queued");
        }
    })
    .await;
}

fn options() -> Options {
    Options { switches: 2, ports_per_switch: SERVERS / 2, ..Options::default() }
}

async fn embedded(world: &World) -> Broker {
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a database");
    let store = Store::connect(url, StoreOptions::default()).await.expect("a database");
    let second = std::time::Duration::from_secs(1);
    let settings = BrokerSettings {
        amqp: None,
        namespace: String::new(),
        rpc_timeout: second * 10,
        former_delays: (second, second),
        archive_age: std::time::Duration::ZERO,
    };
    Broker::connect(settings, &store).await.expect("the embedded queue")
}

async fn account_for_all(world: &World, publish: impl AsyncFn(&[Message])) {
    let total = size("VMACD_TEST_MESSAGES", MESSAGES_SHORT, MESSAGES_LONG);
    let posts: Vec<Message> = (0..total).map(|n| post(world, n)).collect();
    let mut serve = world.serve().await;
    for (part, some) in posts.chunks(posts.len().div_ceil(KILLS + 1)).enumerate() {
        let before = outcomes(world).await;
        publish(some).await;
        eventually("some of them are done", async || outcomes(world).await > before).await;
        if part < KILLS {
            serve.kill9();
        } else {
            serve.sigterm();
            assert!(serve.wait().await.success(), "it stops in order");
        }
        serve = world.serve().await;
    }
    let expected: Vec<String> = (0..total).filter(|n| n % 10 != 9).map(tag).collect();
    eventually("every message is accounted for", async || {
        let accounts = accounts(world).await;
        let open: Vec<_> = expected.iter().filter(|tag| !accounts.contains_key(*tag)).collect();
        if open.is_empty() { Ok(()) } else { Err(format!("{} are not, such as {:?}", open.len(), open.first())) }
    })
    .await;
    let mut twice: Vec<_> = accounts(world).await.into_iter().filter(|(_, places)| places.len() > 1).collect();
    let may_be_two: Vec<String> = (0..total).filter(|n| n % 10 < 2).map(tag).collect();
    let is_command = |place: &String| matches!(place.as_str(), "active" | "revoked" | "superseded");
    twice.retain(|(tag, places)| !may_be_two.contains(tag) || !places.iter().all(is_command));
    eprintln!("{total} messages: {} commands have an outcome", outcomes(world).await);
    assert!(twice.is_empty(), "{} are accounted for twice, such as {:?}", twice.len(), twice.first());
    every_last_create_is_bound(world, total).await;
}

fn tag(n: u64) -> String {
    format!("tag-{n:06}.")
}

/// The message number `n`. Of ten: two pairs (one without ids), two bad ones under one of few ids, an order for a server
/// that is not in the inventory and a good one under such ids, one over the limit, and a copy of an earlier one.
fn post(world: &World, n: u64) -> Message {
    let (ten, kind) = (n / 10, n % 10);
    let (server, number) = place(2 * ten + u64::from(kind > 1));
    let few = |what: &str| Some(format!("{what}-{}", ten % 5));
    let order = |number: u32| {
        let mut body = world.body(server, number);
        body["reference"] = tag(n).into();
        body.to_string()
    };
    let (routing_key, message_id, body) = match kind {
        0 => ("vmac.revoke", None, order(number)),
        1 => ("vmac.create", None, order(number)),
        2 => ("vmac.revoke", Some(format!("pair-{n}")), order(number)),
        3 => ("vmac.create", Some(format!("pair-{n}")), order(number)),
        4 | 5 => ("vmac.create", few("bad"), format!("not JSON {}", tag(n))),
        6 => {
            let body = json!({"server_id": 999_999, "ip_address": "10.99.0.1", "reference": tag(n)});
            ("vmac.create", few("lost"), body.to_string())
        }
        7 => ("vmac.create", few("bad"), order(PAIRED + 1 + u32::try_from(ten % 100).expect("small"))),
        8 => ("vmac.create", None, format!("{}{}", tag(n), "x".repeat(OVERSIZED_BYTES))),
        _ => return post(world, n - 6),
    };
    Message { routing_key: routing_key.to_owned(), message_id, body: body.into_bytes(), ..Message::default() }
}

/// The server and address of a pair.
fn place(pair: u64) -> (usize, u32) {
    let pair = usize::try_from(pair).expect("small");
    (pair % SERVERS, u32::try_from(pair / SERVERS).expect("small") % PAIRED + 1)
}

async fn every_last_create_is_bound(world: &World, total: u64) {
    let mut wanted: Vec<String> =
        (0..2 * total / 10).map(place).map(|(server, number)| world.address(server, number)).collect();
    wanted.sort();
    wanted.dedup();
    let active: Vec<String> = texts(world, "SELECT ip_address FROM virtual_macs WHERE status = 'active'").await;
    let missing: Vec<_> = wanted.iter().filter(|ip| !active.contains(ip)).collect();
    assert!(missing.is_empty(), "{} of {} are not bound: {missing:?}", missing.len(), wanted.len());
    world.assert_consistent().await;
}

/// Where each tag is accounted for.
async fn accounts(world: &World) -> HashMap<String, Vec<String>> {
    let mut accounts: HashMap<String, Vec<String>> = HashMap::new();
    let done = "SELECT outcome, SUBSTR(body, 1, 200) FROM commands WHERE outcome <> 'failed'";
    let waiting = "SELECT reason_code, SUBSTR(body, 1, 200) FROM dead_letters WHERE state = 'waiting'";
    for (place, body) in bodies(world, done).await.into_iter().chain(bodies(world, waiting).await) {
        accounts.entry(tag_of(&body)).or_default().push(place);
    }
    accounts
}

fn tag_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let at = text.find("tag-").unwrap_or_else(|| panic!("no tag in {text}"));
    text[at..].split_inclusive('.').next().unwrap_or_default().to_owned()
}

async fn outcomes(world: &World) -> usize {
    texts(world, "SELECT message_key FROM commands WHERE outcome IS NOT NULL").await.len()
}

/// The only column of a query.
async fn texts(world: &World, sql: &str) -> Vec<String> {
    query(world, sql, |row| row.get(0), |row| row.get(0)).await
}

/// The two columns of a query: a text, and a body.
async fn bodies(world: &World, sql: &str) -> Vec<(String, Vec<u8>)> {
    query(world, sql, |row| (row.get(0), row.get(1)), |row| (row.get(0), row.get(1))).await
}

async fn query<T>(
    world: &World,
    sql: &str,
    of_postgres: impl Fn(&sqlx::postgres::PgRow) -> T,
    of_sqlite: impl Fn(&sqlx::sqlite::SqliteRow) -> T,
) -> Vec<T> {
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a database");
    let sql = AssertSqlSafe(sql.to_owned());
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.expect("a database");
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("rows");
        return rows.iter().map(of_sqlite).collect();
    }
    let mut connection = world.database().connect().await;
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("rows");
    rows.iter().map(of_postgres).collect()
}
