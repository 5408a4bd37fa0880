//! A database that comes back older than it was: what it lacks is read again from RabbitMQ's archive.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::options::QueueDeleteOptions;
use serde_json::Value;

use super::world::World;
use crate::support::http::get;
use crate::support::postgres::Database;
use crate::support::vmacd::{Serve, run};
use crate::support::{Rabbit, eventually};

/// The active addresses: server and MAC of each.
pub type Addresses = BTreeMap<String, (i64, String)>;

pub async fn active(world: &World) -> Addresses {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let rows = world.with_status("active").await;
    let of = |row: &Value| {
        (text(&row["ip_address"]), (row["server_id"].as_i64().expect("a server"), text(&row["mac_address"])))
    };
    rows.iter().map(of).collect()
}

pub async fn stop(mut serve: Serve) {
    serve.sigterm();
    serve.wait().await;
}

/// Waits until the addresses are these again.
pub async fn until_active(world: &World, expected: &Addresses) {
    eventually("the addresses are what they were", async || {
        let now = active(world).await;
        if now == *expected { Ok(()) } else { Err(difference(&now, expected)) }
    })
    .await;
}

fn difference(now: &Addresses, expected: &Addresses) -> String {
    let differs = expected.iter().filter(|(ip, row)| now.get(*ip) != Some(row));
    let differs: Vec<String> =
        differs.map(|(ip, row)| format!("{ip}: {row:?}, now {:?}", now.get(ip))).take(5).collect();
    format!("{} of {} active; {}", now.len(), expected.len(), differs.join("; "))
}

async fn ask(world: &World, arguments: &[&str]) {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--wait"]).collect();
    run(&arguments, &world.settings).await.ok();
}

async fn brought_back(serve: &Serve) -> u64 {
    let text = get(&format!("{}/metrics", serve.http_url()), None).await.body;
    let line = text.lines().find_map(|line| line.strip_prefix("vmacd_commands_brought_back_total "));
    line.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// The world goes on with a copy of its database from before.
fn go_back(world: &mut World, copy: &Database) {
    world.settings = world.settings.clone().set("VMACD_DATABASE_URL", copy.url());
}

/// Creates, a revoke, a move, a rotation, and an address that was revoked and created again, all after the copy was made.
#[tokio::test(flavor = "multi_thread")]
async fn orders_that_a_restored_database_lacks_come_back_with_the_macs_that_they_had() {
    let mut world = World::real(2, 2).await;
    let serve = world.serve().await;
    let servers: Vec<String> = (0..4).map(|index| world.server(index).to_string()).collect();
    let addresses: Vec<String> = (1..8).map(|number| world.address(0, number)).collect();
    for ip in &addresses[..5] {
        ask(&world, &["create", "--server", &servers[0], "--ip", ip]).await;
    }
    stop(serve).await;
    let copy = world.database().copy().await;
    let serve = world.serve().await;
    ask(&world, &["create", "--server", &servers[0], "--ip", &addresses[5]]).await;
    ask(&world, &["create", "--server", &servers[2], "--ip", &addresses[6]]).await;
    ask(&world, &["revoke", "--server", &servers[0], "--ip", &addresses[0]]).await;
    ask(&world, &["move", "--server", &servers[0], "--ip", &addresses[1], "--to", &servers[3]]).await;
    ask(&world, &["rotate", "--server", &servers[0], "--ip", &addresses[2]]).await;
    ask(&world, &["revoke", "--server", &servers[0], "--ip", &addresses[3]]).await;
    ask(&world, &["create", "--server", &servers[0], "--ip", &addresses[3]]).await;
    ask(&world, &["revoke", "--server", &servers[0], "--ip", &addresses[4]]).await;
    ask(&world, &["create", "--server", &servers[1], "--ip", &addresses[4]]).await;
    let (before, held, commits) = (active(&world).await, world.held(), world.commits());
    stop(serve).await;

    go_back(&mut world, &copy);
    assert_ne!(active(&world).await, before, "the copy is older");
    let serve = world.serve().await;
    until_active(&world, &before).await;
    eventually("all of them were counted", async || match brought_back(&serve).await {
        9 => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!((world.held(), world.commits()), (held, commits), "no switch was changed");
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
    world.assert_consistent().await;

    // Another start reads the same again, and nothing comes of it.
    stop(serve).await;
    let serve = world.serve().await;
    ask(&world, &["create", "--server", &servers[1], "--ip", &world.address(1, 9)]).await;
    assert_eq!(brought_back(&serve).await, 0);
    assert_eq!(active(&world).await.len(), before.len() + 1);
}

/// Nothing restarts: the worker meets an older database in the place of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_database_is_replaced_brings_back_what_is_missing_before_anything_new() {
    let world = World::real(1, 2).await;
    let serve = world.serve().await;
    for number in 1..=3 {
        world.command("create", 0, number, &format!("old-{number}")).await;
    }
    world.until("active", 3).await;
    stop(serve).await;
    let copy = world.database().copy().await;
    let serve = world.serve().await;
    world.command("revoke", 0, 1, "lost-1").await;
    world.until("active", 2).await;
    for number in 4..=6 {
        world.command("create", 0, number, &format!("lost-{number}")).await;
    }
    world.until("active", 5).await;
    let (before, commits) = (active(&world).await, world.commits());

    world.database().replace_by(copy).await;
    // The address is free only once the lost revoke is known again.
    let body = serde_json::json!({"server_id": world.server(1), "ip_address": world.address(0, 1)}).to_string();
    world.publish("vmac.create", Some("new-1"), body.as_bytes()).await;
    world.until("active", 6).await;
    let mut after = active(&world).await;
    let new = after.remove(&world.address(0, 1)).expect("the new one");
    assert_eq!((after, new.0), (before, world.server(1)));
    assert_eq!(world.commits(), commits + 2, "a commit and its confirmation, for the new one alone");
    assert_eq!(brought_back(&serve).await, 4);
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
}

/// A body alone says nothing of which of two equal orders it is.
#[tokio::test(flavor = "multi_thread")]
async fn of_equal_orders_without_an_id_or_a_time_those_come_back_that_were_lost() {
    let mut world = World::real(1, 2).await;
    let serve = world.serve().await;
    let publish = async |world: &World, action: &str, number: u32| {
        let body = world.body(0, number).to_string();
        world.publish_with(&format!("vmac.{action}"), BasicProperties::default(), body.as_bytes()).await;
    };
    publish(&world, "create", 1).await;
    publish(&world, "create", 2).await;
    world.until("active", 2).await;
    stop(serve).await;
    let copy = world.database().copy().await;
    let serve = world.serve().await;
    publish(&world, "revoke", 1).await;
    world.until("active", 1).await;
    publish(&world, "create", 1).await;
    world.until("active", 2).await;
    publish(&world, "create", 3).await;
    world.until("active", 3).await;
    let (before, held, commits) = (active(&world).await, world.held(), world.commits());
    stop(serve).await;

    go_back(&mut world, &copy);
    // What waits in the queue is not lost: it comes by itself, once.
    publish(&world, "create", 4).await;
    let serve = world.serve().await;
    world.until("active", 4).await;
    let mut after = active(&world).await;
    after.remove(&world.address(0, 4)).expect("the one from the queue");
    assert_eq!(after, before, "with the MACs that they had");
    assert_eq!(world.commits(), commits + 2, "a commit and its confirmation, for the new one alone");
    assert!(world.held().is_superset(&held));
    assert_eq!(brought_back(&serve).await, 3);
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
}

/// What was refused once is not refused again, and a discarded letter stays discarded.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_restored_database_knows_is_left_alone() {
    let mut world = World::real(1, 1).await;
    let serve = world.serve().await;
    world.publish("vmac.create", Some("bad-1"), b"no json").await;
    world.publish("vmac.create", None, b"no json either").await;
    world.command("create", 0, 1, "good-1").await;
    world.until("active", 1).await;
    eventually("both are dead letters", async || match world.dead_letters().await.len() {
        2 => Ok(()),
        other => Err(other),
    })
    .await;
    world.vmacd(&["dead-letters", "discard", "--all", "--yes"]).await;
    stop(serve).await;
    let copy = world.database().copy().await;
    go_back(&mut world, &copy);
    let serve = world.serve().await;
    world.command("create", 0, 2, "good-2").await;
    world.until("active", 2).await;
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
    assert_eq!(brought_back(&serve).await, 0);
}

/// Without an archive a worker works as before, and says what that means.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_archive_turned_off_nothing_is_archived_or_read() {
    let mut world = World::real(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_BROKER_ARCHIVE_AGE_MAX_MS", 0);
    let _serve = world.serve().await;
    world.command("create", 0, 1, "m-1").await;
    world.until("active", 1).await;
    let archive = format!("{}vmac.archive", world.namespace);
    let queues = crate::support::Rabbit::shared().ctl(&["list_queues", "name"]);
    assert!(!queues.contains(&archive), "{queues}");
}

#[tokio::test]
async fn orders_that_were_published_while_the_queue_was_gone_are_done() {
    let world = World::real(1, 1).await;
    let serve = world.serve().await;
    world.command("create", 0, 1, "before").await;
    world.until("active", 1).await;
    serve.signal("STOP");
    let (_connection, channel) = Rabbit::shared().channel().await;
    let queue = format!("{}vmac.commands", world.namespace);
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
    // The archive takes it, and the producer gets its confirm.
    world.command("create", 0, 2, "meanwhile").await;
    serve.signal("CONT");
    world.until("active", 2).await;
    assert_eq!(brought_back(&serve).await, 1);
    world.assert_consistent().await;
}

/// RabbitMQ keeps a stream's last segment whatever its age, and retention removes the commands of what is in it.
#[tokio::test]
async fn orders_older_than_the_archives_age_do_not_come_back_once_their_commands_were_removed() {
    let mut world = World::real(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_BROKER_ARCHIVE_AGE_MAX_MS", 1_000);
    let serve = world.serve().await;
    for (action, id) in [("create", "old-create"), ("revoke", "old-revoke")] {
        world.command(action, 0, 1, id).await;
    }
    world.until("revoked", 1).await;
    world.command("create", 0, 2, "kept").await;
    world.until("active", 1).await;
    stop(serve).await;
    world.database().execute("DELETE FROM commands WHERE message_id LIKE 'old-%'".to_owned()).await;
    let young = "SELECT count(*) FROM commands WHERE received_at > now() - interval '3 seconds'";
    let all_old = async || world.database().count(young).await == 0;
    eventually("all of it is older than the archive's age", all_old).await;
    let commits = world.commits();
    let mut serve = world.serve().await;
    serve.wait_for_line("read the archive of commands: the database has lost none").await;
    ask(&world, &["create", "--server", &world.server(0).to_string(), "--ip", &world.address(0, 3)]).await;
    assert_eq!((brought_back(&serve).await, active(&world).await.len()), (0, 2), "{}", serve.log());
    assert_eq!(world.commits() - commits, 2, "one commit confirmed and its confirmation: nothing but the new one");
}
