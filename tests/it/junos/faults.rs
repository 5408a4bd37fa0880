//! Every fault of the simulated switch, once, against the real worker: what it did, and that all is well in the end.

use vmacd::sim::SimHandle;

use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::table::{assert_documented, markdown};
use crate::support::vmacd::Serve;

/// Faults whose parameter keeps the test short, in milliseconds.
const SHORTENED: [(&str, &str); 2] = [("reboot", ":300"), ("slow_reply", ":200")];

#[tokio::test]
async fn the_worker_comes_through_every_fault() {
    let mut world = World::embedded(1, 2).await;
    // A session for each push, so that faults of its opening strike as well.
    world.settings = world.settings.clone().set("VMACD_SSH_SESSION_IDLE_MS", 1);
    let serve = world.serve().await;
    let mut rows = Vec::new();
    for (number, fault) in SimHandle::fault_names().into_iter().enumerate() {
        let number = u32::try_from(number).expect("few faults") + 1;
        rows.push(vec![fault.to_owned(), strike(&world, &serve, fault, number).await, end_state(&world).await]);
    }
    assert_documented(
        "docs/JUNOS.md",
        "faults",
        &markdown(&["fault, once", "what the worker did", "end state"], &rows),
    );
}

/// Creates an address while the switch has the fault, and tells what it took until it was active.
async fn strike(world: &World, serve: &Serve, fault: &str, number: u32) -> String {
    let sim = &world.switches()[0];
    let parameter = SHORTENED.iter().find(|(name, _)| *name == fault).map_or("", |(_, parameter)| parameter);
    sim.set_fault(&format!("{fault}{parameter}@1")).expect("a fault");
    let logged = serve.log().len();
    let (server, ip) = (world.server(0).to_string(), world.address(0, number));
    world.vmacd(&["create", "--server", &server, "--ip", &ip]).await;
    let mut told = Vec::new();
    if settled(world, &ip).await == "failed" {
        let reason = world.dead_letters().await[0]["reason_code"].as_str().expect("a reason").to_owned();
        told.push(format!("dead letter {reason}, replayed"));
        world.vmacd(&["dead-letters", "replay", "--all"]).await;
        assert_eq!(settled(world, &ip).await, "active", "{fault}");
    }
    sim.clear_faults();
    let codes = codes(&serve.log()[logged..]);
    if !codes.is_empty() {
        told.insert(0, codes.join(", "));
    }
    if told.is_empty() { "pushed as if nothing had happened".to_owned() } else { told.join("; ") }
}

/// The status of the address once nothing is under way any more.
async fn settled(world: &World, ip: &str) -> &'static str {
    let has = async |status| world.with_status(status).await.iter().any(|row| row["ip_address"] == ip);
    eventually(&format!("{ip} is settled"), async || {
        // A row that fails shows it before its message is among the dead letters.
        let is_dead = has("failed").await && !world.dead_letters().await.is_empty();
        let is_active = has("active").await;
        is_active.then_some("active").or(is_dead.then_some("failed"))
    })
    .await
}

/// The reason codes in the log, in their order, each once in a row.
fn codes(log: &str) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for found in log.split("code=").skip(1) {
        let end = found.find(|symbol: char| !(symbol.is_ascii_lowercase() || symbol == '_')).unwrap_or(found.len());
        if codes.last().map(String::as_str) != Some(&found[..end]) {
            codes.push(found[..end].to_owned());
        }
    }
    codes
}

/// What is left behind, which must be nothing.
async fn end_state(world: &World) -> String {
    let sim = &world.switches()[0];
    eventually("the switch is left alone", async || !sim.is_commit_pending() && sim.locked_by().is_none()).await;
    world.assert_consistent().await;
    assert!(!sim.is_dirty(), "edits were left");
    "bound once; no lock, edit or pending commit left".to_owned()
}
