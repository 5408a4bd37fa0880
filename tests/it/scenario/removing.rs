//! Switches and servers leave the inventory, and who had an address is told after that.

use super::advice::assert_advised;
use super::world::World;
use crate::api::{call, data};
use crate::support::eventually;
use crate::support::vmacd::run;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_switch_leave_the_inventory_once_their_addresses_are_revoked() {
    let world = World::real(1, 2).await;
    let serve = world.serve().await;
    for index in [0, 1] {
        assert_eq!(call(&serve, "POST", "/vmacs", Some(world.body(index, 1))).await.status, 202);
    }
    let rows = world.until("active", 2).await;
    let (server, switch, ip) = (world.server(0).to_string(), world.switch_of(0), world.address(0, 1));
    let refused = run(&["inventory", "remove", "server", &server], &world.settings).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_advised(&refused, &format!("1 virtual MAC: {ip} (server {server}, active)"), "--with-rows");
    let refused = call(&serve, "DELETE", &format!("/inventory/switches/{switch}"), None).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (409, Some("still_needed")), "{refused:?}");

    let removed =
        run(&["inventory", "remove", "server", &server, "--with-rows", "--requested-by", "ops"], &world.settings)
            .await
            .ok();
    assert!(removed.contains(&format!("server {server}: removed from the inventory")), "{removed}");
    let path = format!("/inventory/switches/{switch}?with_rows=true");
    let asked = call(&serve, "DELETE", &path, None).await;
    assert_eq!((asked.status, asked.json()["removed"].as_bool()), (202, Some(false)), "{asked:?}");
    assert_eq!(asked.json()["message_ids"].as_array().map(Vec::len), Some(1), "{asked:?}");
    eventually("the switch is removed", async || {
        let again = call(&serve, "DELETE", &path, None).await;
        if again.status == 200 { Ok(()) } else { Err(again) }
    })
    .await;
    assert_eq!(world.held(), world.primaries());
    assert_eq!(call(&serve, "DELETE", &path, None).await.status, 404);
    assert_eq!(world.vmacd(&["inventory", "export"]).await["switches"], serde_json::json!([]));

    let holders = world.vmacd(&["history", &ip]).await;
    let mac = rows.iter().find(|row| row["ip_address"] == ip.as_str()).expect("its row")["mac_address"].clone();
    assert_eq!((holders[0]["mac_address"].clone(), holders[0]["ended"].as_str()), (mac, Some("revoked")), "{holders}");
    assert_eq!(holders[0]["ended_by"]["requested_by"], "ops");
    assert_eq!(holders[0]["ports"][0]["switch"], switch.as_str());
    let shown = run(&["history", &ip], &world.settings).await.ok();
    assert!(shown.contains("revoked by ops") && shown.contains(&server), "{shown}");
    let at = holders[0]["from"].as_str().expect("a time");
    assert_eq!(data(&serve, &format!("/history/{ip}?at={at}")).await["holders"].as_array().map(Vec::len), Some(1));
    let before = data(&serve, &format!("/history/{ip}?at=2001-01-01T00:00:00Z")).await;
    assert_eq!(before["holders"], serde_json::json!([]));
    let never = run(&["history", "10.99.99.99"], &world.settings).await;
    assert!(never.code == Some(0) && never.stderr.contains("never had a virtual MAC"), "{never:?}");
    let (status, page) = serve.get(&format!("/history/{ip}")).await;
    assert!(status == 200 && page.contains("revoked by ops"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_removes_what_is_old_and_says_so_in_its_metrics() {
    let world = World::real(1, 1).await;
    let serve = world.serve().await;
    assert_eq!(call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
    world.until("active", 1).await;
    let old = "now() - interval '200 days'";
    world
        .database()
        .execute(format!(
            "UPDATE commands SET received_at = {old}, finished_at = {old}; UPDATE events SET created_at = {old};
        UPDATE retention SET due_at_ms = 0"
        ))
        .await;
    eventually("old rows are gone", async || {
        let text = serve.get("/metrics").await.1;
        let removed = |table: &str| text.contains(&format!("vmacd_table_rows_removed_total{{table=\"{table}\"}} 1"));
        if removed("commands") && removed("events") && text.contains("vmacd_table_bytes{table=\"intents\"}") {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
    assert_eq!(world.vmacd(&["list"]).await.as_array().map(Vec::len), Some(1));
}
