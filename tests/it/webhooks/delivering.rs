//! Every event arrives, in the order of its address, whatever the receiver and the workers do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use chrono::DateTime;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::Row;

use super::receiver::{OK, Received, Receiver, Reply};
use super::{add, allowing, create, taken};
use crate::scenario::world::World;
use crate::support::{eventually, is_long};

/// The number of an event, from the id of its message.
fn number(received: &Received) -> i64 {
    let id = received.header("webhook-id");
    id.split('-').nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{id}"))
}

/// The numbers of the events of each address in the order in which they were first taken.
fn first_taken(taken: &[Received]) -> BTreeMap<String, Vec<i64>> {
    let (mut seen, mut orders) = (BTreeSet::new(), BTreeMap::<String, Vec<i64>>::new());
    for received in taken {
        if seen.insert(number(received)) {
            orders.entry(received.ip()).or_default().push(number(received));
        }
    }
    orders
}

/// Fails half of the time, in each way there is.
fn failing_half(seed: u64) -> impl FnMut(&Received) -> Reply + Send + 'static {
    let mut rng = StdRng::seed_from_u64(seed);
    move |_| match rng.random_range(0..16) {
        0..=7 => OK,
        8..=11 => Reply::Status(500, "", "boom"),
        12..=14 => Reply::Close,
        _ => Reply::Silence,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_half_of_the_time_gets_every_event_in_the_order_of_its_address() {
    let seed = rand::random();
    eprintln!("seed {seed}");
    let world = allowing(World::real(2, 4).await).await;
    let receiver = Receiver::start(failing_half(seed)).await;
    add(&world, &receiver, &[]).await;
    let (mut doomed, _kept) = tokio::join!(world.serve(), world.serve());
    let (addresses, rounds) = (8_u32, if is_long() { 11 } else { 3 });
    for round in 0..rounds {
        for address in 0..addresses {
            let action = if round % 2 == 0 { "create" } else { "revoke" };
            world.command(action, address as usize, 1, &format!("{action}-{round}-{address}")).await;
        }
        let status = if round % 2 == 0 { "active" } else { "revoked" };
        world.until(status, addresses as usize).await;
        if round == 0 {
            doomed.kill9();
        }
    }
    let written = eventually("every event is delivered", async || {
        let written = events(&world).await;
        let orders = first_taken(&receiver.taken());
        let arrived: usize = orders.values().map(Vec::len).sum();
        if arrived == written.len() { Ok(written) } else { Err((arrived, written.len())) }
    })
    .await;
    let mut expected = BTreeMap::<String, Vec<i64>>::new();
    for (number, ip) in written {
        expected.entry(ip).or_default().push(number);
    }
    assert_eq!(first_taken(&receiver.taken()), expected, "in their order, address by address");
    let (all, failed) = (receiver.received().len(), receiver.received().iter().filter(|r| !r.is_taken()).count());
    eprintln!("{failed} of {all} requests failed");
    assert!(failed * 4 > all, "{failed} of {all}");
}

/// The events that there are about addresses, by number.
async fn events(world: &World) -> Vec<(i64, String)> {
    let mut connection = world.database().connect().await;
    let sql = "SELECT id, body->>'ip_address' AS ip FROM events ORDER BY id";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("events");
    rows.iter().map(|row| (row.get("id"), row.get("ip"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_receiver_and_a_failing_address_hold_nobody_else_up() {
    let world = allowing(World::embedded(1, 4).await).await;
    let blocked = world.address(0, 1);
    let (silent, bad) = (Receiver::start(|_| Reply::Silence).await, blocked.clone());
    let failing_one = Receiver::start(move |received| if received.ip() == bad { Reply::Close } else { OK }).await;
    add(&world, &silent, &["--name", "silent"]).await;
    add(&world, &failing_one, &["--name", "failing"]).await;
    let _serve = world.serve().await;
    for index in 0..4 {
        create(&world, index, 1, &[]).await;
    }
    taken(&failing_one, 3).await;
    let tried = eventually("the failing address is tried again", async || {
        let tried = failing_one.received().iter().filter(|received| received.ip() == blocked).count();
        if tried >= 3 { Ok(tried) } else { Err(tried) }
    })
    .await;
    assert!(tried >= 3 && silent.received().len() <= 20, "{tried}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_delivers_within_two_seconds() {
    let world = allowing(World::real(1, 4).await).await;
    let receiver = Receiver::taking().await;
    add(&world, &receiver, &["--event", "vmac.active,vmac.revoked"]).await;
    let _serve = world.serve().await;
    let count = if is_long() { 400 } else { 60 };
    for number in 0..count {
        let index = number % 4;
        let action = if (number / 4) % 2 == 0 { "create" } else { "revoke" };
        world.command(action, index, 1, &format!("m-{number}")).await;
        taken(&receiver, number + 1).await;
    }
    let delay = |received: &Received| {
        let happened =
            DateTime::parse_from_rfc3339(received.json()["timestamp"].as_str().expect("a time")).expect("a time");
        let at = received.at.duration_since(UNIX_EPOCH).expect("a time").as_millis() as i64;
        Duration::from_millis((at - happened.timestamp_millis()).max(0) as u64)
    };
    let mut delays: Vec<Duration> = receiver.taken().iter().map(delay).collect();
    delays.sort_unstable();
    let (median, worst) = (delays[delays.len() / 2], delays[(delays.len() * 99).div_ceil(100) - 1]);
    eprintln!("from the event to the receiver: median {median:?}, p99 {worst:?} of {}", delays.len());
    assert!(worst < Duration::from_secs(2), "{delays:?}");
}
