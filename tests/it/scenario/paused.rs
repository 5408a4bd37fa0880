//! A worker that wakes after its lease went to another: it writes nothing and commits nothing.

use std::time::Duration;

use serde_json::Value;
use sqlx::Row;

use super::world::World;
use crate::support::eventually;

/// How often the switch was asked to commit.
fn commits_asked(world: &World) -> u64 {
    world.switches()[0].rpc_counts().get("commit-configuration").copied().unwrap_or(0)
}

#[tokio::test]
async fn a_worker_that_wakes_without_its_lease_writes_and_commits_nothing() {
    let world = World::real(1, 1).await;
    let sim = &world.switches()[0];
    sim.set_commit_time(Duration::from_secs(1));
    let paused = world.serve().await;
    world.command("create", 0, 1, "m-1").await;
    eventually("the commit is under way", async || commits_asked(&world) == 1).await;
    paused.signal("STOP");
    let other = world.serve().await;
    eventually("the lease goes to the other worker", async || token(&world).await > 1).await;
    eventually("the commit is in force", async || sim.is_commit_pending()).await;
    let before = (sim.committed_text(), journal(&world).await);
    paused.signal("CONT");
    // The switch frees the lock when the woken worker, having found its lease gone, ends its session.
    let row = world.until("active", 1).await.remove(0);
    world.assert_consistent().await;
    assert_eq!(sim.committed_text(), before.0, "the same binding was confirmed, not another made");
    let ended: Vec<Value> = journal(&world).await;
    assert_eq!((ended.len(), &ended[0]["state"]), (1, &Value::from("confirmed")), "{ended:?}");
    eventually("the woken worker says why it stopped", async || paused.log().contains("lease")).await;
    drop(other);
    assert_eq!(row["attempts"], 0, "nobody failed");
}

async fn token(world: &World) -> i64 {
    let mut connection = world.database().connect().await;
    let row = sqlx::query("SELECT token FROM switch_leases").fetch_one(&mut connection).await.expect("a lease");
    row.get("token")
}

/// The pushes of the journal.
async fn journal(world: &World) -> Vec<Value> {
    let mut connection = world.database().connect().await;
    let rows = sqlx::query("SELECT id, state, worker FROM pushes ORDER BY started_at").fetch_all(&mut connection).await;
    let text = |row: &sqlx::postgres::PgRow, name: &str| row.get::<String, _>(name);
    let rows = rows.expect("pushes");
    rows.iter().map(|row| serde_json::json!({"id": text(row, "id"), "state": text(row, "state"), "worker": text(row, "worker")})).collect()
}
