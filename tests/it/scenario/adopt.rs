//! `vmacd adopt`: what was bound by hand becomes rows that live like any other, and no switch is changed by it.

use serde_json::Value;

use super::events::Events;
use super::operator::bind;
use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::{Output, run};

async fn adopt(world: &World, more: &[&str]) -> Output {
    let arguments: Vec<&str> = ["adopt", "--json"].into_iter().chain(more.iter().copied()).collect();
    run(&arguments, &world.settings).await
}

/// How many were adopted, and the reasons of what was not.
fn told(output: &Output) -> (usize, Vec<String>) {
    let data: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let refused = data["refused"].as_array().expect("a list").iter();
    let reasons = refused.map(|refused| refused["reason"].as_str().expect("a reason").to_owned()).collect();
    (data["adopted"].as_array().expect("a list").len(), reasons)
}

#[tokio::test]
async fn what_was_bound_by_hand_becomes_rows_that_can_be_revoked() {
    let world = World::real(2, 2).await;
    let events = Events::bound(&world).await;
    let _serve = world.serve().await;
    world.command("create", 0, 1, "c-1").await;
    world.until("active", 1).await;
    let (mine, other) = (world.address(0, 5), world.address(3, 6));
    bind(&world, 0, &mine, "00:50:56:00:00:01");
    bind(&world, 3, &other, "02:5e:10:00:00:07");
    bind(&world, 3, &world.address(1, 9), "00:50:56:00:00:01");
    let (before, commits) = (world.held(), world.commits());

    let unasked = adopt(&world, &[]).await;
    assert!(unasked.code == Some(1) && unasked.stderr.contains("--yes"), "nobody can be asked: {unasked:?}");
    let twice = ["mac_elsewhere", "mac_elsewhere"].map(str::to_owned).to_vec();
    assert_eq!(told(&adopt(&world, &["--dry-run"]).await), (1, twice.clone()), "one MAC stands for two addresses");
    world.until("active", 1).await;
    bind(&world, 3, &world.address(1, 9), "00:50:56:00:00:02");

    let adopted = adopt(&world, &["--yes"]).await;
    assert_eq!((adopted.code, told(&adopted)), (Some(0), (3, Vec::new())), "{adopted:?}");
    assert_eq!(told(&adopt(&world, &["--yes"]).await), (0, Vec::new()), "a second time nothing is left");
    assert_eq!(world.held().len(), before.len(), "no binding was made or removed");
    assert_eq!(world.commits(), commits + 1, "the operator's own commit is the only one");
    let row = &world.vmacd(&["show", &mine]).await;
    assert_eq!(
        (&row["status"], &row["desired"], &row["requested_by"]),
        (&"active".into(), &"bound".into(), &"adopt".into())
    );
    assert_eq!(row["switch_bindings"][0]["vlan"], "VLAN.13", "{row}");
    eventually("an event for each", async || {
        let seen = events.take().await;
        let found =
            seen.iter().any(|event| event.routing_key == "vmac.active" && event.body["ip_address"] == mine.as_str());
        if found { Ok(()) } else { Err(seen) }
    })
    .await;

    let audit = run(&["audit"], &world.settings).await;
    assert_eq!(audit.code, Some(0), "adopted rows are explained: {audit:?}");
    world.command("revoke", 0, 5, "r-1").await;
    world.until("revoked", 1).await;
    assert!(!world.held().iter().any(|(_, ip, mac)| *ip == mine && mac == "00:50:56:00:00:01"), "it is off");
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_binding_that_stood_in_the_way_is_adopted_and_its_revoke_gives_the_address_its_pxe_mac() {
    let world = World::real(1, 1).await;
    let _serve = world.serve().await;
    let ip = world.address(0, 4);
    // Without the primary's binding the PXE MAC is free to be restored.
    super::operator::unbind(&world, 0, world.inventory["servers"][0]["primary_ip"].as_str().expect("an address"));
    bind(&world, 0, &ip, "00:50:56:00:00:01");
    world.command("create", 0, 4, "c-1").await;
    let rows = world.until("failed", 1).await;
    assert_eq!(rows[0]["failure_code"], "foreign_binding", "{rows:?}");
    assert_eq!(
        told(&adopt(&world, &["--yes"]).await),
        (0, vec!["other_row".to_owned()]),
        "the failed row has the address"
    );
    world.command("revoke", 0, 4, "r-1").await;
    world.until("revoked", 1).await;
    assert_eq!(told(&adopt(&world, &["--yes"]).await), (1, Vec::new()));
    world.command("revoke", 0, 4, "r-2").await;
    world.until("revoked", 2).await;
    let pxe = world.inventory["servers"][0]["pxe_mac"].as_str().expect("a MAC");
    assert!(world.held().iter().any(|(_, held, mac)| *held == ip && mac == pxe), "{:?}", world.held());
}

#[tokio::test]
async fn a_switch_that_does_not_answer_is_named_and_the_others_are_adopted_from() {
    let mut world = World::embedded(2, 1).await;
    world.settings = world.settings.clone().set("VMACD_SSH_CONNECT_TIMEOUT_MS", 2_000);
    bind(&world, 1, &world.address(1, 5), "00:50:56:00:00:01");
    world.estate.switch(&world.switch_of(0)).expect("a switch").stop();
    let adopted = adopt(&world, &["--yes"]).await;
    assert_eq!((adopted.code, told(&adopted)), (Some(2), (1, Vec::new())), "{adopted:?}");
    assert!(adopted.stdout.contains(&world.switch_of(0)), "{adopted:?}");
}
