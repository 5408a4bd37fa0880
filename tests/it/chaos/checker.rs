//! Compares what was sent with rows, events, dead letters and the switches, by its own queries.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use lapin::options::BasicGetOptions;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::arena::{Arena, EVENTS};
use super::producer::{Command, Sent};
use crate::support::eventually_within;

/// How long everything may take to come to rest once nothing breaks any more.
const REST: Duration = Duration::from_secs(180);
/// Rounds of replaying what is dead, as an operator would after an outage.
const REPLAYS: usize = 12;

pub async fn check(arena: &mut Arena, sent: &Sent, edits: &BTreeMap<usize, String>) {
    at_rest(arena, sent).await;
    each_ends_once(arena, sent).await;
    switches_hold_what_the_rows_say(arena).await;
    for _ in 0..REPLAYS {
        if dead(arena).await.is_empty() {
            break;
        }
        arena.vmacd(&["dead-letters", "replay", "--all"]).await;
        at_rest(arena, sent).await;
    }
    newest_intents_won(arena, sent).await;
    each_ends_once(arena, sent).await;
    switches_hold_what_the_rows_say(arena).await;
    every_event_was_published(arena).await;
    for (switch, edit) in edits {
        let set = arena.switches()[*switch].committed_set();
        assert!(set.contains(&format!("\"{edit}\"")), "the edit {edit} of an operator is gone from switch {switch}");
    }
}

async fn rows(arena: &Arena, sql: &str) -> Vec<sqlx::postgres::PgRow> {
    let mut connection = PgConnection::connect(&arena.base.url()).await.expect("the database takes connections");
    sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn count(arena: &Arena, sql: &str) -> i64 {
    rows(arena, sql).await[0].get(0)
}

/// Waits until every command that was sent is known, none is open, nothing waits for a switch, no push has an unknown end
/// and nothing is queued. (RabbitMQ counts its queues only now and then, so an empty one may be none.)
async fn at_rest(arena: &mut Arena, sent: &Sent) {
    // While there is less and less, it is on its way: a machine that others use may take longer than one patience.
    let mut least = i64::MAX;
    while least > 0 {
        least = eventually_within(REST, "less is left to do", async || {
            arena.supervise();
            let left = unrest(arena, sent).await;
            let sum = left.iter().map(|(_, count)| count).sum();
            if sum < least { Ok(sum) } else { Err(left) }
        })
        .await;
    }
}

/// What keeps everything from being at rest, and how much of it there is.
async fn unrest(arena: &Arena, sent: &Sent) -> Vec<(&'static str, i64)> {
    // On a starved machine the broker may give a message up before a worker lives long enough to admit it: then it is a dead
    // letter without a command.
    let known =
        "SELECT count(*) FROM (SELECT message_id FROM commands UNION SELECT message_id FROM dead_letters) AS known";
    let known = count(arena, known).await;
    let mut left = vec![("commands that nobody knows", sent.commands.len() as i64 - known)];
    for (what, sql) in [
        ("open commands", "SELECT count(*) FROM commands WHERE outcome IS NULL"),
        ("rows that wait", "SELECT count(*) FROM switch_work"),
        ("pushes without an end", "SELECT count(*) FROM pushes WHERE finished_at IS NULL"),
        ("unpublished events", "SELECT count(*) FROM unpublished_events"),
    ] {
        left.push((what, count(arena, sql).await));
    }
    left.push(("messages", queued(arena).await));
    left.retain(|(_, count)| *count > 0);
    left
}

/// Messages in the queues, those in consumers' hands included.
async fn queued(arena: &Arena) -> i64 {
    let listed = arena.brokers.ctl(&["list_queues", "name", "messages", "--no-table-headers"]);
    // The archive keeps what was consumed.
    let is_ours = |line: &&str| line.starts_with("vmac.") && !line.starts_with("vmac.archive");
    let ours = listed.lines().filter(is_ours);
    ours.filter_map(|line| line.split_whitespace().nth(1)?.parse::<i64>().ok()).sum()
}

async fn outcomes(arena: &Arena) -> HashMap<String, String> {
    let rows = rows(arena, "SELECT message_id, outcome FROM commands").await;
    rows.iter().map(|row| (row.get("message_id"), row.get("outcome"))).collect()
}

async fn dead(arena: &Arena) -> HashSet<String> {
    let rows = rows(arena, "SELECT message_id FROM dead_letters WHERE state = 'waiting'").await;
    rows.iter().map(|row| row.get("message_id")).collect()
}

/// Each message is done, or failed and among the dead letters with a reason; never both, never neither.
async fn each_ends_once(arena: &Arena, sent: &Sent) {
    let (outcomes, dead) = (outcomes(arena).await, dead(arena).await);
    let ended = |id: &String| outcomes.contains_key(id) || dead.contains(id);
    let neither: Vec<_> = sent.commands.keys().filter(|id| !ended(id)).collect();
    assert!(neither.is_empty(), "{} of {} are lost: {neither:?}", neither.len(), sent.commands.len());
    let strays: Vec<_> = outcomes.keys().filter(|id| !sent.commands.contains_key(*id)).collect();
    assert!(strays.is_empty(), "nobody sent {strays:?}");
    for (id, outcome) in &outcomes {
        assert_eq!(
            dead.contains(id),
            outcome == "failed",
            "{id} ended as {outcome}; a dead letter: {}",
            dead.contains(id)
        );
    }
    let nameless = count(arena, "SELECT count(*) FROM dead_letters WHERE reason_code = '' OR error_text = ''").await;
    assert_eq!(nameless, 0, "dead letters without a reason");
}

/// Address and MAC of every binding that must stand, and the addresses about which the rows are not sure.
async fn wanted(arena: &Arena) -> (BTreeSet<(String, String)>, BTreeSet<String>) {
    let listed =
        rows(arena, "SELECT ip_address, mac_address, status FROM virtual_macs WHERE status <> 'revoked'").await;
    let mut wanted: BTreeSet<_> =
        arena.estate.servers().iter().map(|server| (server.primary_ip.clone(), server.pxe_mac.clone())).collect();
    let mut unsure = BTreeSet::new();
    for row in &listed {
        let (ip, mac): (String, String) = (row.get("ip_address"), row.get("mac_address"));
        match row.get::<String, _>("status").as_str() {
            "active" => drop(wanted.insert((ip, mac))),
            "failed" => drop(unsure.insert(ip)),
            other => panic!("{ip} is {other} at rest"),
        }
    }
    (wanted, unsure)
}

async fn switches_hold_what_the_rows_say(arena: &Arena) {
    let (wanted, unsure) = wanted(arena).await;
    let held: Vec<_> = arena.switches().iter().flat_map(vmacd::sim::SimHandle::bindings).collect();
    let macs: HashSet<_> = held.iter().map(|binding| &binding.mac).collect();
    assert_eq!(macs.len(), held.len(), "a MAC stands twice: {held:?}");
    let sure = held.iter().filter(|binding| !unsure.contains(&binding.ip));
    let held: BTreeSet<_> = sure.map(|binding| (binding.ip.clone(), binding.mac.clone())).collect();
    let (missing, stray) = (wanted.difference(&held).collect::<Vec<_>>(), held.difference(&wanted).collect::<Vec<_>>());
    assert!(missing.is_empty() && stray.is_empty(), "missing: {missing:?}, stray: {stray:?}");
    for switch in arena.switches() {
        assert!(!switch.is_commit_pending() && !switch.is_dirty(), "{} was left in the middle", switch.name());
    }
}

/// Once all that was dead was replayed, each address is as its newest command asked for.
async fn newest_intents_won(arena: &Arena, sent: &Sent) {
    let mut newest: BTreeMap<&str, &Command> = BTreeMap::new();
    for command in sent.commands.values() {
        let of_address = newest.entry(&command.ip).or_insert(command);
        if command.issued_at_ms > of_address.issued_at_ms {
            *of_address = command;
        }
    }
    let live = rows(arena, "SELECT ip_address FROM virtual_macs WHERE status = 'active'").await;
    let live: BTreeSet<String> = live.iter().map(|row| row.get(0)).collect();
    let wanted = newest.values().filter(|command| command.action == "create").map(|command| command.ip.clone());
    assert_eq!(live, wanted.collect(), "an older command won");
    assert!(dead(arena).await.is_empty(), "dead letters that no replay brings to life");
}

async fn every_event_was_published(arena: &Arena) {
    let known = rows(arena, "SELECT id, routing_key, CAST(created_at AS TEXT) AS created_at FROM events").await;
    let (_connection, channel) = arena.brokers.channel().await;
    let mut seen = HashSet::new();
    while let Some(message) = channel.basic_get(EVENTS.into(), BasicGetOptions { no_ack: true }).await.expect("a queue")
    {
        let body: Value = serde_json::from_slice(&message.delivery.data).expect("JSON");
        assert!(body["status"].is_string(), "{body}");
        let id = message.delivery.properties.message_id().as_ref().expect("an id").to_string();
        seen.insert(id.split('-').nth(1).and_then(|id| id.parse::<i64>().ok()).expect("its number"));
    }
    let missing: Vec<(i64, String, String)> = known
        .iter()
        .filter(|row| !seen.contains(&row.get::<i64, _>("id")))
        .map(|row| (row.get("id"), row.get("routing_key"), row.get("created_at")))
        .collect();
    assert!(missing.is_empty(), "of {} events these were never seen: {missing:?}", known.len());
}
