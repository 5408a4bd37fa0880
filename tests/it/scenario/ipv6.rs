//! IPv6 from the message to the switch and back.

use serde_json::{Value, json};
use vmacd::sim::{Dialect, Options};

use super::world::World;
use crate::api::call;
use crate::support::vmacd::run;

fn body(world: &World, index: usize, ip: &str) -> Value {
    json!({"server_id": world.server(index), "ip_address": ip})
}

async fn publish(world: &World, action: &str, index: usize, ip: &str) {
    let (key, id) = (format!("vmac.{action}"), format!("{action}-{ip}"));
    world.publish(&key, Some(&id), body(world, index, ip).to_string().as_bytes()).await;
}

/// Asks for an address of the first server by the command line, which makes the queues where there are none yet.
async fn order(world: &World, ip: &str) {
    world.vmacd(&["create", "--server", &world.server(0).to_string(), "--ip", ip]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_families_of_a_server_are_bound_in_one_commit_found_everywhere_and_taken_off_again() {
    let world =
        World::real_with(Options { switches: 1, ports_per_switch: 2, dialect: Dialect::Els, ..Options::default() })
            .await;
    let old = world.address(0, 1);
    order(&world, &old).await;
    publish(&world, "create", 0, "2001:DB8:48::6").await;
    let before = world.commits();
    let serve = world.serve().await;
    let rows = world.until("active", 2).await;
    assert_eq!(world.commits() - before, 2, "commit confirmed, and its confirmation: both stood in the queue");
    world.assert_consistent().await;
    let row = rows.iter().find(|row| row["ip_address"] == "2001:db8:48::6").expect("its one text");
    assert_eq!(row["switch_bindings"][0]["vlan"], "VLAN.13");

    for path in ["/vmacs/2001:db8:48::6", "/vmacs/2001%3Adb8%3A48%3A%3A6", "/vmacs/2001:DB8:48:0::6"] {
        let found = call(&serve, "GET", path, None).await;
        assert_eq!((found.status, &found.json()["mac_address"]), (200, &row["mac_address"]), "{path}");
    }
    let listed = call(&serve, "GET", "/vmacs?ip=2001:db8:48::6", None).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let shown = run(&["show", "2001:DB8:48::6"], &world.settings).await.ok();
    assert!(shown.contains("2001:db8:48::6"), "{shown}");

    publish(&world, "create", 1, "2001:db8:48::6").await;
    let taken = crate::support::eventually("a dead letter", async || world.dead_letters().await.pop()).await;
    assert_eq!((&taken["reason_code"], &taken["ip_address"]), (&json!("address_taken"), &json!("2001:db8:48::6")));

    let gone = call(&serve, "DELETE", "/vmacs/2001:db8:48::6", None).await;
    assert_eq!(gone.status, 202, "{gone:?}");
    world.until("revoked", 1).await;
    world.assert_consistent().await;
    assert!(world.held().iter().any(|(_, ip, _)| *ip == old), "the other family stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_of_the_older_dialect_makes_a_dead_letter_that_says_what_to_do() {
    let world = World::real(1, 1).await;
    let old = world.address(0, 1);
    order(&world, &old).await;
    publish(&world, "create", 0, "2001:db8:48::6").await;
    let _serve = world.serve().await;
    let rows = world.until("active", 1).await;
    assert_eq!(rows[0]["ip_address"], old.as_str(), "the others of its group go on");
    let failed = world.until("failed", 1).await;
    assert_eq!(failed[0]["failure_code"], "ipv6_unsupported");
    let letter = crate::support::eventually("a dead letter", async || world.dead_letters().await.pop()).await;
    assert_eq!((&letter["reason_code"], &letter["switch"]), (&json!("ipv6_unsupported"), &json!("sw-001")));
    let text = letter["error_text"].as_str().expect("a text");
    assert!(text.contains("sw-001 uses the dialect non-els") && text.contains("use an ELS switch"), "{text}");
    publish(&world, "revoke", 0, "2001:db8:48::6").await;
    world.until("revoked", 1).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_prefix_is_asked_for_as_a_whole_and_one_too_large_is_refused() {
    let world =
        World::embedded_with(Options { switches: 1, ports_per_switch: 1, dialect: Dialect::Els, ..Options::default() })
            .await;
    let _serve = world.serve().await;
    let server = world.server(0).to_string();
    let created = world.vmacd(&["create", "--server", &server, "--subnet", "2001:db8:48::10/125", "--wait"]).await;
    assert_eq!(created.as_array().map(Vec::len), Some(7), "all but the routers' anycast address: {created}");
    world.assert_consistent().await;
    for (which, ip, expected) in [
        ("--subnet", "2001:db8::/64", "more than 1024"),
        ("--ip", "2001:db8::6/64", "write 2001:db8::6 for this address alone"),
        ("--ip", "fe80::6", "link-local"),
        ("--ip", "::ffff:10.0.0.6", "write 10.0.0.6"),
    ] {
        let refused = run(&["create", "--server", &server, which, ip], &world.settings).await;
        assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{ip}: {refused:?}");
    }
}
