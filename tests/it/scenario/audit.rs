//! `vmacd audit`: what somebody did to the switches is found, what is vmacd's is mended, and nothing else is touched.

use std::collections::BTreeMap;

use serde_json::Value;

use super::operator::{operator, statement};
use super::world::World;
use crate::support::vmacd::{Output, run};

async fn audit(world: &World, more: &[&str]) -> Output {
    let arguments: Vec<&str> = ["audit", "--json"].into_iter().chain(more.iter().copied()).collect();
    run(&arguments, &world.settings).await
}

/// How many findings there are of each kind.
fn kinds(output: &Output) -> BTreeMap<String, usize> {
    let data: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let mut kinds = BTreeMap::new();
    for finding in data["findings"].as_array().expect("findings") {
        *kinds.entry(finding["kind"].as_str().expect("a kind").to_owned()).or_default() += 1;
    }
    kinds
}

fn counted(kinds: &[(&str, usize)]) -> BTreeMap<String, usize> {
    kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[tokio::test]
async fn what_was_taken_off_or_put_back_by_hand_is_found_and_mended() {
    let world = World::real(2, 2).await;
    let _serve = world.serve().await;
    for (index, number) in [(0, 1), (0, 2), (3, 1)] {
        world.command("create", index, number, &format!("c-{index}-{number}")).await;
    }
    let rows = world.until("active", 3).await;
    world.command("revoke", 0, 2, "r-0-2").await;
    world.until("revoked", 1).await;
    let clean = audit(&world, &[]).await;
    assert_eq!((clean.code, kinds(&clean)), (Some(0), BTreeMap::new()), "{clean:?}");

    let (gone, back) = (world.address(0, 1), world.address(0, 2));
    let old_mac = rows.iter().find(|row| row["ip_address"] == back.as_str()).expect("a row")["mac_address"].clone();
    let old_mac = old_mac.as_str().expect("a MAC");
    operator(&world, 0, &format!("delete {}", statement(&world, 0, &gone)));
    operator(&world, 0, &format!("set {} vlan VLAN.13 mac {old_mac}", statement(&world, 0, &back)));
    let foreign = world.address(1, 9);
    operator(&world, 1, &format!("set {} vlan VLAN.13 mac 00:11:22:33:44:55", statement(&world, 1, &foreign)));

    let found = audit(&world, &[]).await;
    assert_eq!(found.code, Some(2), "{found:?}");
    assert_eq!(kinds(&found), counted(&[("left_over", 1), ("not_backed", 1), ("unexplained", 1)]), "{found:?}");
    let unasked = audit(&world, &["--fix"]).await;
    assert!(unasked.code == Some(1) && unasked.stderr.contains("--yes"), "nobody can be asked: {unasked:?}");

    let mended = audit(&world, &["--fix", "--yes"]).await;
    assert_eq!(mended.code, Some(2), "the foreign binding stands: {mended:?}");
    crate::support::eventually("only what is somebody else's stands", async || {
        let again = audit(&world, &[]).await;
        if kinds(&again) == counted(&[("unexplained", 1)]) { Ok(()) } else { Err(again) }
    })
    .await;
    let held = world.held();
    assert!(
        held.iter().any(|(_, ip, mac)| *ip == foreign && mac == "00:11:22:33:44:55"),
        "it was not touched: {held:?}"
    );
    assert!(!held.iter().any(|(_, ip, _)| *ip == back), "the revoked one is off again: {held:?}");
    world.until("active", 2).await;
    world.until("revoked", 1).await;
}

#[tokio::test]
async fn one_mac_on_two_switches_is_found_whoever_put_it_there() {
    let world = World::embedded(2, 1).await;
    let _serve = world.serve().await;
    assert_eq!(
        run(&["create", "--server", &world.server(0).to_string(), "--ip", &world.address(0, 1)], &world.settings)
            .await
            .code,
        Some(0)
    );
    let row = world.until("active", 1).await.remove(0);
    let mac = row["mac_address"].as_str().expect("a MAC");
    operator(&world, 1, &format!("set {} vlan VLAN.13 mac {mac}", statement(&world, 1, &world.address(1, 5))));
    let found = audit(&world, &[]).await;
    // The simulated switch learns what is bound, so that the MAC is also learned where it does not belong.
    let expected = counted(&[("mac_twice", 1), ("learned_elsewhere", 1), ("unexplained", 1)]);
    assert_eq!((found.code, kinds(&found)), (Some(2), expected), "{found:?}");
    let one = audit(&world, &["--switch", &world.switch_of(0)]).await;
    assert_eq!(one.code, Some(0), "the other switch was not asked for: {one:?}");
}

#[tokio::test]
async fn a_switch_that_does_not_answer_is_named_and_the_others_are_looked_at() {
    let mut world = World::embedded(2, 1).await;
    world.settings = world.settings.clone().set("VMACD_SSH_CONNECT_TIMEOUT_MS", 2_000);
    world.estate.switch(&world.switch_of(0)).expect("a switch").stop();
    let found = audit(&world, &[]).await;
    let data: Value = serde_json::from_str(&found.stdout).expect("JSON");
    assert_eq!((found.code, data["switches"].as_i64()), (Some(2), Some(2)));
    let unseen = data["not_looked_at"].as_array().expect("a list");
    assert!(unseen.len() == 1 && unseen[0]["switch"] == world.switch_of(0).as_str(), "{unseen:?}");
    assert!(found.stderr.contains("1 switch could not be checked"), "{found:?}");
    let unknown = audit(&world, &["--switch", "sw-01"]).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("sw-001"), "{unknown:?}");
}

#[tokio::test]
async fn a_rotation_that_the_switch_refuses_leaves_the_bound_mac_what_it_is() {
    let world = World::embedded(1, 1).await;
    let _serve = world.serve().await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
    let asked = ["--server", &server, "--ip", &ip, "--wait"];
    let bound = world.vmacd(&[["create"].as_slice(), &asked].concat()).await;
    let old = bound["vmac"]["mac_address"].as_str().expect("a MAC").to_owned();
    world.switches()[0].set_fault("load_rejected").expect("a fault");
    let refused = run(&[["rotate"].as_slice(), &asked].concat(), &world.settings).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    world.switches()[0].clear_faults();
    assert!(world.held().iter().any(|held| held.2 == old), "the switch holds it still");
    let told = run(&["audit"], &world.settings).await;
    assert_eq!((told.code, told.stdout.as_str()), (Some(0), "1 switch checked, no differences\n"), "{told:?}");
    let shown = run(&["show", &ip], &world.settings).await.ok();
    let port = shown.lines().find(|line| line.contains("ge-0/0/")).expect("its port");
    assert!(port.contains(&old), "what was seen there is said of the MAC that was: {shown}");
    world.vmacd(&[["rotate"].as_slice(), &asked].concat()).await;
    assert!(!world.held().iter().any(|held| held.2 == old), "the next one takes its place");
}
