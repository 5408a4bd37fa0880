//! The slow look at the switches: what somebody changed there is told, and mended only where that is asked for.

use serde_json::{Value, json};

use super::events::{Event, Events};
use super::operator::{bind, operator, operator_after_the_worker, statement, unbind};
use super::world::World;
use crate::support::eventually;
use crate::support::http::get;
use crate::support::vmacd::Serve;

/// A world whose workers look that often, in milliseconds.
async fn world(switches: usize, interval_ms: u64, history_interval_ms: u64) -> World {
    let mut world = World::real(switches, 2).await;
    world.settings = world
        .settings
        .clone()
        .set("VMACD_DRIFT_INTERVAL_MS", interval_ms)
        .set("VMACD_DRIFT_HISTORY_INTERVAL_MS", history_interval_ms);
    world
}

/// What a switch is like, as `vmacd switches list` tells.
async fn switch(world: &World, index: usize) -> Value {
    let name = world.switch_of(index);
    let list = world.vmacd(&["switches", "list"]).await;
    list.as_array().expect("a list").iter().find(|switch| switch["name"] == name.as_str()).expect("the switch").clone()
}

/// Waits until the switch was looked at from end to end after now.
async fn looked_at_again(world: &World, index: usize) {
    let (mut looks, mut last) = (0, switch(world, index).await["drift_seen_at"].clone());
    eventually("two more looks", async || {
        let seen = switch(world, index).await["drift_seen_at"].clone();
        if seen != last {
            (looks, last) = (looks + 1, seen);
        }
        if looks >= 2 { Ok(()) } else { Err(looks) }
    })
    .await;
}

/// The events of drift that came, added to those before.
async fn drifted(events: &Events, found: &mut Vec<Event>) -> usize {
    found.extend(events.take().await.into_iter().filter(|event| event.routing_key == "vmac.drift"));
    found.len()
}

async fn until_drifted(events: &Events, found: &mut Vec<Event>, count: usize) {
    eventually("events of drift", async || match drifted(events, found).await {
        enough if enough >= count => Ok(()),
        few => Err(few),
    })
    .await;
}

async fn metric(serve: &Serve, sample: &str) -> Option<f64> {
    let text = get(&format!("{}/metrics", serve.http_url()), None).await.body;
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ').map(str::to_owned));
    line.map(|value| value.parse().expect("a number"))
}

#[tokio::test]
async fn what_an_operator_removed_is_told_once_and_left_as_it_is() {
    let world = world(1, 300, 0).await;
    let events = Events::bound(&world).await;
    let serve = world.serve().await;
    world.command("create", 0, 1, "c-1").await;
    world.command("create", 1, 1, "c-2").await;
    world.until("active", 2).await;
    let gone = world.address(0, 1);
    unbind(&world, 0, &gone);
    let (held, commits) = (world.held(), world.commits());

    let mut found = Vec::new();
    until_drifted(&events, &mut found, 1).await;
    looked_at_again(&world, 0).await;
    assert_eq!(drifted(&events, &mut found).await, 1, "it is told once: {found:?}");
    let body = &found[0].body;
    assert_eq!((&body["status"], &body["ip_address"]), (&json!("drift"), &json!(gone)));
    assert_eq!(body["reason"]["code"], "binding_missing");
    let text = body["reason"]["text"].as_str().expect("a text");
    assert!(text.contains("has no binding on") && text.contains("left as it is"), "{text}");
    assert_eq!((world.held(), world.commits()), (held, commits), "nothing was changed");
    world.until("active", 2).await;
    let shown = world.vmacd(&["show", &gone]).await;
    assert!(shown["timeline"].to_string().contains("vmac.drift"), "{shown}");
    assert_eq!(metric(&serve, "vmacd_drift_total{kind=\"binding_missing\",done=\"reported\"}").await, Some(1.0));
    assert_eq!(metric(&serve, "vmacd_drift_standing").await, Some(1.0));

    let mac = shown["mac_address"].as_str().expect("a MAC").to_owned();
    bind(&world, 0, &gone, "00:11:22:33:44:55");
    until_drifted(&events, &mut found, 2).await;
    assert_eq!(found[1].body["reason"]["code"], "foreign_binding", "it changed, and is told again");
    unbind(&world, 0, &gone);
    bind(&world, 0, &gone, &mac);
    eventually("nothing stands any more", async || match metric(&serve, "vmacd_drift_standing").await {
        Some(0.0) => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test]
async fn what_is_vmacds_is_brought_back_where_the_inventory_says_enforce_and_nothing_else_is_touched() {
    let world = world(3, 300, 0).await;
    let mut inventory = world.inventory.clone();
    inventory["switches"][0]["drift"] = "enforce".into();
    inventory["switches"][2]["drift"] = "off".into();
    world.import(&inventory).await;
    let events = Events::bound(&world).await;
    let serve = world.serve().await;
    for (index, number) in [(0, 1), (0, 2), (1, 1), (2, 1), (4, 1)] {
        world.command("create", index, number, &format!("c-{index}-{number}")).await;
    }
    world.until("active", 5).await;
    let (gone, taken, observed) = (world.address(0, 1), world.address(1, 1), world.address(2, 1));
    let by_hand = "set interfaces ge-0/0/9 description by-hand";
    let foreign = format!("set {} vlan VLAN.13 mac 00:11:22:33:44:66", statement(&world, 0, &world.address(0, 9)));
    let stolen = statement(&world, 1, &taken);
    let stolen = format!("delete {stolen}\nset {stolen} vlan VLAN.13 mac 00:11:22:33:44:55");
    operator(&world, 0, &format!("{by_hand}\n{foreign}\ndelete {}\n{stolen}", statement(&world, 0, &gone)));
    unbind(&world, 2, &observed);
    unbind(&world, 4, &world.address(4, 1));

    eventually("the binding is back", async || {
        let held = world.held();
        if held.iter().any(|(_, ip, _)| *ip == gone) { Ok(()) } else { Err(held) }
    })
    .await;
    let mut found = Vec::new();
    until_drifted(&events, &mut found, 3).await;
    looked_at_again(&world, 0).await;
    assert_eq!(drifted(&events, &mut found).await, 3, "each is told once: {found:?}");
    let held = world.held();
    assert!(held.iter().any(|(_, ip, mac)| *ip == taken && mac == "00:11:22:33:44:55"), "it is somebody's: {held:?}");
    assert!(held.iter().any(|(_, _, mac)| mac == "00:11:22:33:44:66"), "so is that: {held:?}");
    assert!(!held.iter().any(|(_, ip, _)| *ip == observed), "that switch is only observed: {held:?}");
    let switches = world.switches();
    assert!(switches[0].committed_set().contains("by-hand"), "an operator's other edits stay");
    let told = switch(&world, 4).await;
    assert_eq!((&told["drift"], &told["drift_seen_at"]), (&json!("off"), &Value::Null), "nobody looks there");
    assert_eq!(metric(&serve, "vmacd_drift_total{kind=\"binding_missing\",done=\"queued\"}").await, Some(1.0));
    assert_eq!(metric(&serve, "vmacd_drift_standing").await, Some(2.0), "the stolen one and the observed one");
    world.until("active", 5).await;
}

#[tokio::test]
async fn enforce_does_not_bind_what_another_port_holds() {
    let mut world = world(1, 300, 0).await;
    world.settings = world.settings.clone().set("VMACD_DRIFT_MODE", "enforce");
    let events = Events::bound(&world).await;
    let serve = world.serve().await;
    world.command("create", 0, 1, "c-1").await;
    world.until("active", 1).await;
    let ip = world.address(0, 1);
    let there = format!("{} vlan VLAN.13 mac 00:11:22:33:44:55", statement(&world, 1, &ip));
    operator(&world, 0, &format!("delete {}\nset {there}", statement(&world, 0, &ip)));
    let (held, commits) = (world.held(), world.commits());

    let mut found = Vec::new();
    until_drifted(&events, &mut found, 1).await;
    looked_at_again(&world, 0).await;
    assert_eq!(drifted(&events, &mut found).await, 1, "it is told once: {found:?}");
    assert_eq!(found[0].body["reason"]["code"], "address_elsewhere");
    let text = found[0].body["reason"]["text"].as_str().expect("a text");
    assert!(text.contains("00:11:22:33:44:55 on ge-0/0/1.0") && text.contains("left as it is"), "{text}");
    assert_eq!((world.held(), world.commits()), (held, commits), "nothing was changed");
    assert_eq!(metric(&serve, "vmacd_drift_total{kind=\"address_elsewhere\",done=\"reported\"}").await, Some(1.0));
    assert_eq!(metric(&serve, "vmacd_drift_standing").await, Some(1.0));

    unbind(&world, 1, &ip);
    let back = world.wanted().await;
    eventually("it is back where it belongs", async || if world.held() == back { Ok(()) } else { Err(world.held()) })
        .await;
    // Bound by hand on another port as well: it works, and is said.
    let double = format!("set {} vlan VLAN.13 mac 00:11:22:33:44:66", statement(&world, 1, &ip));
    operator_after_the_worker(&world, 1, &double).await;
    let both = world.held();
    eventually("the double is told", async || {
        drifted(&events, &mut found).await;
        let last = found.last().map(|event| event.body["reason"].to_string()).unwrap_or_default();
        if last.contains("00:11:22:33:44:66") { Ok(()) } else { Err(last) }
    })
    .await;
    looked_at_again(&world, 0).await;
    assert_eq!(world.held(), both);
    world.until("active", 1).await;
}

#[tokio::test]
async fn a_commit_that_is_not_vmacds_brings_the_look_forward() {
    let world = world(1, 3_600_000, 200).await;
    let events = Events::bound(&world).await;
    let _serve = world.serve().await;
    let asked = || world.switches()[0].rpc_counts().get("get-commit-information").copied().unwrap_or(0);
    let polled = async |more: u64| {
        let before = asked();
        eventually("the history is asked for", async || if asked() >= before + more { Ok(()) } else { Err(asked()) })
            .await;
    };
    polled(2).await;
    world.command("create", 0, 1, "c-1").await;
    world.until("active", 1).await;
    polled(4).await;
    assert_eq!(switch(&world, 0).await["drift_seen_at"], Value::Null, "vmacd's own commits need no look");
    unbind(&world, 0, &world.address(0, 1));
    until_drifted(&events, &mut Vec::new(), 1).await;
    assert_ne!(switch(&world, 0).await["drift_seen_at"], Value::Null);
}
