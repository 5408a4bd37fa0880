//! From a message to a binding and back.

use serde_json::json;

use super::world::World;
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn creates_become_active_in_few_commits_and_revokes_leave_the_pxe_bindings() {
    let world = World::real(2, 5).await;
    let _worker = world.serve().await;
    for index in 0..10 {
        for number in 1..=10 {
            world.command("create", index, number, &format!("c-{index}-{number}")).await;
        }
    }
    let active = world.until("active", 100).await;
    world.assert_consistent().await;
    assert!(world.commits() < 40, "{} commits for 100 creates", world.commits());
    let row = &active[0];
    assert_eq!(row["desired"], "bound");
    assert_eq!(row["switch_bindings"][0]["state"], "bound");
    for index in 0..10 {
        for number in 1..=10 {
            world.command("revoke", index, number, &format!("r-{index}-{number}")).await;
        }
    }
    world.until("revoked", 100).await;
    assert_eq!(world.held(), world.primaries());
    for switch in world.switches() {
        let backups = world.vmacd(&["backups", "list", switch.name()]).await;
        let count = backups.as_array().expect("a list").len() as u64;
        assert_eq!(count * 2, switch.commits(), "one backup for each pair of commits");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_copies_on_two_workers_make_one_binding_and_one_answer() {
    let world = World::real(1, 1).await;
    let (_one, _two) = (world.serve().await, world.serve().await);
    for _ in 0..1000 {
        world.command("create", 0, 1, "same").await;
    }
    let active = world.until("active", 1).await;
    eventually("every copy is settled", async || {
        let list = world.vmacd(&["list"]).await;
        let mine = list.as_array().map(Vec::len);
        (mine == Some(1)).then_some(())
    })
    .await;
    world.assert_consistent().await;
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(active.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_queue_does_the_same_from_the_command_line() {
    let world = World::embedded(1, 2).await;
    let _worker = world.serve().await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
    let created = world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
    assert_eq!(created["status"], "active");
    let shown = world.vmacd(&["show", &ip]).await;
    assert_eq!(shown["mac_address"], created["vmac"]["mac_address"]);
    world.assert_consistent().await;
    let revoked = world.vmacd(&["revoke", "--server", &server, "--ip", &ip, "--wait"]).await;
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(revoked["vmac"]["switch_bindings"][0]["state"], "removed");
    assert_eq!(world.held(), world.primaries());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_cannot_have_one_address() {
    let world = World::real(1, 2).await;
    let _worker = world.serve().await;
    world.command("create", 0, 1, "first").await;
    world.until("active", 1).await;
    let body = json!({"server_id": world.server(1), "ip_address": world.address(0, 1)});
    world.publish("vmac.create", Some("second"), body.to_string().as_bytes()).await;
    let letters = eventually("the second is dead-lettered", async || {
        let letters = world.dead_letters().await;
        (letters.len() == 1).then_some(letters)
    })
    .await;
    assert_eq!(letters[0]["reason_code"], "address_taken");
    world.assert_consistent().await;
}
