//! Addresses that go to another server with their MAC, and addresses that servers share.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::{Output, run};

async fn ask(world: &World, verb: &str, index: usize, number: u32, more: &[&str]) -> Output {
    let (server, ip) = (world.server(index).to_string(), world.address(0, number));
    let arguments: Vec<&str> =
        [verb, "--server", &server, "--ip", &ip, "--wait"].into_iter().chain(more.iter().copied()).collect();
    run(&arguments, &world.settings).await
}

async fn row(world: &World, number: u32) -> Value {
    world.vmacd(&["show", &world.address(0, number)]).await
}

/// The ports, over all switches, that hold an extra address of the first server, with their MACs.
fn holders(world: &World, number: u32) -> BTreeSet<(String, String)> {
    let ip = world.address(0, number);
    world.held().into_iter().filter(|(_, held, _)| *held == ip).map(|(port, _, mac)| (port, mac)).collect()
}

fn done(output: &Output) {
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[tokio::test]
async fn on_one_switch_one_commit_takes_an_address_to_another_port() {
    let world = World::real(1, 2).await;
    let _serve = world.serve().await;
    done(&ask(&world, "create", 0, 1, &[]).await);
    let (created, commits) = (row(&world, 1).await, world.commits());
    done(&ask(&world, "move", 0, 1, &["--to", &world.server(1).to_string()]).await);
    assert_eq!(world.commits() - commits, 2, "one commit confirmed and its confirmation");
    let moved = row(&world, 1).await;
    for same in ["id", "mac_address", "ip_address"] {
        assert_eq!(created[same], moved[same]);
    }
    assert_eq!((&moved["server_id"], &moved["status"]), (&json!(world.server(1)), &json!("active")));
    let port = world.inventory["servers"][1]["ports"][0]["interface"].as_str().expect("a port").to_owned();
    let mac = moved["mac_address"].as_str().expect("a MAC").to_owned();
    assert_eq!(holders(&world, 1), BTreeSet::from([(port, mac)]));
    world.assert_consistent().await;
}

/// The old switch is locked while the new one is bound, the worker dies meanwhile, and another one finishes.
#[tokio::test]
async fn on_two_switches_the_address_is_never_on_neither_whoever_dies() {
    let world = World::real(2, 1).await;
    let mut first = world.serve().await;
    done(&ask(&world, "create", 0, 1, &[]).await);
    let [old, new] = world.switches() else { panic!("two switches") };
    let count = |switch: &vmacd::sim::SimHandle| {
        let ip = world.address(0, 1);
        switch.bindings().iter().filter(|binding| binding.ip == ip && binding.mac.starts_with("02")).count()
    };
    assert_eq!((count(old), count(new)), (1, 0));
    new.operator_lock().expect("locked");
    let to = world.server(1);
    let body = json!({"server_id": world.server(0), "ip_address": world.address(0, 1), "to_server_id": to});
    world.publish("vmac.move", Some("m-2"), body.to_string().as_bytes()).await;
    eventually("the worker is refused the lock", async || row(&world, 1).await["failure_code"] == "locked_by_other")
        .await;
    assert_eq!((count(old), count(new)), (1, 0), "not left before it is bound elsewhere");
    old.operator_lock().expect("locked");
    new.operator_unlock();
    eventually("it is bound at the new switch", async || count(new) == 1).await;
    assert_eq!((count(old), count(new)), (1, 1));
    assert_eq!(row(&world, 1).await["status"], "pending", "it is not done before it is off the old one");
    first.kill9();
    let _second = world.serve().await;
    old.operator_unlock();
    world.until("active", 1).await;
    assert_eq!((count(old), count(new)), (0, 1));
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_refused_move_leaves_the_address_where_it_was_and_says_so() {
    let world = World::real(1, 2).await;
    let _serve = world.serve().await;
    done(&ask(&world, "create", 0, 1, &[]).await);
    let before = holders(&world, 1);
    // A binding of somebody else stands where the address is to go.
    let port = world.inventory["servers"][1]["ports"][0]["interface"].as_str().expect("a port");
    let vlan = world.switches()[0].bindings()[0].vlan.clone();
    let statement = format!(
        "set ethernet-switching-options secure-access-port interface {port} static-ip {} vlan {vlan} mac 00:11:22:33:44:55",
        world.address(0, 1)
    );
    world.switches()[0].operator_edit(&statement).expect("edited");
    world.switches()[0].operator_commit().expect("committed");
    let refused = ask(&world, "move", 0, 1, &["--to", &world.server(1).to_string()]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("foreign_binding"), "{refused:?}");
    let stays: BTreeSet<_> = holders(&world, 1).into_iter().filter(|(_, mac)| mac.starts_with("02")).collect();
    assert_eq!(stays, before, "off the old port only together with on the new one");
    let letters = world.dead_letters().await;
    assert_eq!((letters.len(), &letters[0]["reason_code"]), (1, &json!("foreign_binding")), "{letters:?}");
}

#[tokio::test]
async fn servers_of_a_group_share_an_address_and_a_mac_of_vrrp() {
    let world = World::real(2, 2).await;
    let _serve = world.serve().await;
    let shared = ["--group", "lb-7", "--mac", "00:00:5e:00:01:33"];
    done(&ask(&world, "create", 0, 1, &shared).await);
    done(&ask(&world, "create", 2, 1, &["--group", "lb-7"]).await);
    let macs: Vec<_> = holders(&world, 1).into_iter().map(|(_, mac)| mac).collect();
    assert_eq!(macs, ["00:00:5e:00:01:33"], "the same interface's name on two switches, and one MAC");
    assert!(world.switches().iter().all(|switch| switch.bindings().iter().any(|b| b.mac == macs[0])));
    let undeclared = ask(&world, "create", 1, 1, &[]).await;
    assert!(undeclared.code == Some(1) && undeclared.stderr.contains("address_taken"), "{undeclared:?}");
    let ungrouped = ask(&world, "create", 1, 2, &["--mac", "00:00:5e:00:01:34"]).await;
    assert!(ungrouped.code == Some(1) && ungrouped.stderr.contains("invalid_mac"), "{ungrouped:?}");
    world.assert_consistent().await;
    done(&ask(&world, "revoke", 0, 1, &[]).await);
    let left = row(&world, 1).await;
    assert_eq!((&left["status"], &left["server_id"]), (&json!("active"), &json!(world.server(2))));
    world.assert_consistent().await;
    let of_member = world.vmacd(&["list", "--server", &world.server(2).to_string()]).await;
    assert_eq!(of_member.as_array().map(Vec::len), Some(1));
    done(&ask(&world, "revoke", 2, 1, &[]).await);
    assert_eq!(world.with_status("revoked").await.len(), 1);
    assert_eq!(world.held(), world.primaries());
}

#[tokio::test]
async fn a_rotation_replaces_the_mac_in_one_commit_and_a_revoke_takes_off_what_stands() {
    let world = World::real(1, 1).await;
    let serve = world.serve().await;
    done(&ask(&world, "create", 0, 1, &[]).await);
    let (before, commits) = (holders(&world, 1), world.commits());
    done(&ask(&world, "rotate", 0, 1, &[]).await);
    assert_eq!(world.commits() - commits, 2, "one commit confirmed and its confirmation");
    let after = holders(&world, 1);
    assert!(after.len() == 1 && after.is_disjoint(&before), "{before:?} {after:?}");
    world.assert_consistent().await;
    // Rotated while the switch is locked, and revoked before anything was pushed: what stands is the MAC before.
    world.switches()[0].operator_lock().expect("locked");
    let (body, mac) = (world.body(0, 1).to_string(), row(&world, 1).await["mac_address"].clone());
    world.publish("vmac.rotate", Some("m-3"), body.as_bytes()).await;
    eventually("it has another MAC", async || row(&world, 1).await["mac_address"] != mac).await;
    world.publish("vmac.revoke", Some("m-4"), body.as_bytes()).await;
    eventually("it is being revoked", async || row(&world, 1).await["desired"] == "unbound").await;
    world.switches()[0].operator_unlock();
    world.until("revoked", 1).await;
    assert_eq!(world.held(), world.primaries());
    drop(serve);
}
