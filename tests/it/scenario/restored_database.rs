//! A database that was restored from before a revoke, with switches that are newer than its rows.

use serde_json::{Value, json};

use super::pages;
use super::world::World;
use crate::support::eventually;
use crate::support::http::get;
use crate::support::postgres::Database;
use crate::support::vmacd::{Output, Serve, run};

async fn ask(world: &World, verb: &str, server: usize, ip: &str) -> Output {
    run(&[verb, "--server", &world.server(server).to_string(), "--ip", ip, "--wait"], &world.settings).await
}

async fn stop(mut serve: Serve) {
    serve.sigterm();
    serve.wait().await;
}

/// What happened since the copy was made: an address was revoked and created for the second server, one was moved to it, one
/// is new there.
struct Since {
    taken: String,
    moved: String,
    new: String,
    _copy: Database,
}

/// A copy of the database is made, things happen, and the world goes on with the copy.
async fn restored(world: &mut World) -> Since {
    let (taken, moved, new) = (world.address(0, 1), world.address(0, 2), world.address(1, 3));
    let serve = world.serve().await;
    for ip in [&taken, &moved, &world.address(0, 4)] {
        ask(world, "create", 0, ip).await.ok();
    }
    stop(serve).await;
    let copy = world.database().copy().await;
    let serve = world.serve().await;
    ask(world, "revoke", 0, &taken).await.ok();
    ask(world, "create", 1, &taken).await.ok();
    ask(world, "create", 1, &new).await.ok();
    move_to_second(world, &moved, &["--wait"]).await;
    world.assert_consistent().await;
    stop(serve).await;
    // From here on everything is checked often, and brought back at once. Nothing is read again from an archive.
    world.settings = world
        .settings
        .clone()
        .set("VMACD_BROKER_ARCHIVE_AGE_MAX_MS", 0)
        .set("VMACD_DATABASE_URL", copy.url())
        .set("VMACD_DRIFT_INTERVAL_MS", 300)
        .set("VMACD_DRIFT_HISTORY_INTERVAL_MS", 0)
        .set("VMACD_DRIFT_MODE", "enforce");
    Since { taken, moved, new, _copy: copy }
}

async fn move_to_second(world: &World, ip: &str, more: &[&str]) {
    let (from, to) = (world.server(0).to_string(), world.server(1).to_string());
    let mut arguments = vec!["move", "--server", &from, "--ip", ip, "--to", &to];
    arguments.extend(more);
    run(&arguments, &world.settings).await.ok();
}

async fn audit(world: &World, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let arguments: Vec<&str> = ["audit", "--json"].into_iter().chain(more.iter().copied()).collect();
    let output = run(&arguments, &world.settings).await;
    let data: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.code, data["findings"].as_array().expect("findings").clone())
}

fn kinds(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["kind"].as_str().expect("a kind")).collect()
}

/// Waits until the switch was checked twice from now.
async fn checked_twice(world: &World) {
    let seen = async || world.vmacd(&["switches", "list"]).await[0]["drift_seen_at"].clone();
    for _ in 0..2 {
        let last = seen().await;
        eventually("the switch is checked", async || if seen().await == last { Err(()) } else { Ok(()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_gives_no_address_back_even_under_enforce() {
    let mut world = World::real(1, 2).await;
    let since = restored(&mut world).await;
    let (held, commits) = (world.held(), world.commits());
    let serve = world.serve().await;
    eventually("the difference is reported", async || {
        let text = get(&format!("{}/metrics", serve.http_url()), None).await.body;
        let sample = "vmacd_drift_total{kind=\"address_elsewhere\",done=\"reported\"} 2";
        if text.contains(sample) { Ok(()) } else { Err(text) }
    })
    .await;
    checked_twice(&world).await;
    assert_eq!((world.held(), world.commits()), (held.clone(), commits), "nothing was brought back");

    let (code, findings) = audit(&world, &["--fix", "--yes"]).await;
    // The switch learns what is bound, so that the MAC that was moved is also learned where its row does not have it.
    let elsewhere = ["address_elsewhere", "address_elsewhere", "learned_elsewhere"];
    let expected = [&elsewhere[..], &["unexplained"; 3]].concat();
    assert_eq!((code, kinds(&findings)), (Some(2), expected));
    let places = findings[0]["places"].as_array().expect("places");
    let ports: Vec<_> = places.iter().map(|place| place["interface"].clone()).collect();
    assert_eq!(ports, [json!("ge-0/0/0.0"), json!("ge-0/0/1.0")]);
    checked_twice(&world).await;

    // Asked for as an order, it is refused with the port that has the address.
    ask(&world, "revoke", 0, &since.taken).await.ok();
    let dry =
        run(&["create", "--server", &world.server(0).to_string(), "--ip", &since.taken, "--dry-run"], &world.settings)
            .await;
    assert!(dry.code == Some(1) && dry.stdout.contains("address_elsewhere"), "{dry:?}");
    let refused = ask(&world, "create", 0, &since.taken).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("address_elsewhere") && refused.stderr.contains("ge-0/0/1.0"), "{refused:?}");
    let letters = world.dead_letters().await;
    assert_eq!((letters.len(), &letters[0]["reason_code"]), (1, &json!("address_elsewhere")), "{letters:?}");
    assert_eq!((world.held(), world.commits()), (held, commits), "nor by anything else");
}

/// Every command of the chapter, in its order.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_restored_by_the_chapter_agrees_with_the_switches_again() {
    const PAGE: &str = "docs/OPERATING.md";
    let mut world = World::real(1, 2).await;
    let since = restored(&mut world).await;
    let (held, commits) = (world.held(), world.commits());
    let names = [("1042", world.server(0).to_string()), ("10.0.48.6", since.taken.clone())];
    let mut worker = None;
    for command in pages::chapter(PAGE, "The database was restored from a backup") {
        match command.split_whitespace().next() {
            Some("systemctl") if command.contains(" stop ") => assert!(worker.is_none(), "it is stopped already"),
            Some("systemctl") => worker = Some(world.serve().await),
            _ if command.starts_with("vmacd thaw") => {
                let frozen = "the revoke was accepted and waits, and the switch was checked";
                eventually(frozen, async || {
                    let rows = world.with_status("active").await;
                    let waits = rows.iter().any(|row| {
                        row["ip_address"] == since.taken.as_str()
                            && row["desired"] == "unbound"
                            && row["failure_code"] == "frozen"
                    });
                    if waits { Ok(()) } else { Err(rows) }
                })
                .await;
                checked_twice(&world).await;
                assert_eq!((world.held(), world.commits()), (held.clone(), commits), "nothing is changed while frozen");
                pages::run_command(&world, PAGE, &command, &names).await;
                world.until("revoked", 1).await;
                world.until("active", 3).await;
            }
            _ if command.starts_with("vmacd revoke") => {
                pages::run_command(&world, PAGE, &command, &names).await;
                move_to_second(&world, &since.moved, &[]).await;
            }
            _ => drop(pages::run_command(&world, PAGE, &command, &names).await),
        }
    }
    assert!(worker.is_some(), "the chapter starts the worker");
    let (code, findings) = audit(&world, &[]).await;
    assert_eq!((code, findings), (Some(0), Vec::new()));
    for ip in [&since.taken, &since.moved, &since.new] {
        let row = world.vmacd(&["show", ip]).await;
        assert_eq!((&row["server_id"], &row["status"]), (&json!(world.server(1)), &json!("active")), "{row}");
    }
    assert_eq!((world.held(), world.commits()), (held, commits), "no switch was changed at all");
    world.assert_consistent().await;
}
