//! The newest intent wins, whatever the order of arrival.

use serde_json::json;

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_late_create_never_undoes_a_later_revoke() {
    let world = World::real(1, 1).await;
    let (server, ip) = (world.server(0), world.address(0, 1));
    let body = |at: &str| json!({"server_id": server, "ip_address": ip, "issued_at": at}).to_string();
    world.vmacd(&["list"]).await;
    let _worker = world.serve().await;
    world.publish("vmac.revoke", Some("later"), body("2026-01-21T10:00:01.000Z").as_bytes()).await;
    world.publish("vmac.create", Some("earlier"), body("2026-01-21T10:00:00.000Z").as_bytes()).await;
    // A third command is behind both in the queue: when it is active, both are settled.
    world.command("create", 0, 2, "marker").await;
    world.until("active", 1).await;
    assert_eq!(world.vmacd(&["list"]).await.as_array().map(Vec::len), Some(1), "the late create made a row");
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}
