//! Frozen sites: what is asked for waits, nothing is lost, and it goes on at once when they are thawed.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;
use crate::api::call;
use crate::support::eventually;
use crate::support::http::{Ask, ask, get};
use crate::support::vmacd::{Serve, run};

/// The first switch at ams1, the second at fra1.
async fn two_sites() -> World {
    let mut world = World::real(2, 1).await;
    world.place(&["ams1", "fra1"]).await;
    world
}

async fn freeze(world: &World, site: &str) -> Value {
    world.vmacd(&["freeze", site, "--until", "2h", "--reason", "core upgrade"]).await
}

/// The row of the first server's first extra address, once it says that it is frozen.
async fn frozen_row(world: &World) -> Value {
    eventually("the row says that it is frozen", async || {
        let rows = world.with_status("pending").await;
        rows.iter().find(|row| row["failure_code"] == "frozen").cloned().ok_or(rows)
    })
    .await
}

pub async fn metric(serve: &Serve, name: &str) -> f64 {
    let text = get(&format!("{}/metrics", serve.http_url()), None).await.body;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_while_a_site_is_frozen_waits_however_long_and_is_not_lost() {
    let mut world = two_sites().await;
    // Older than this, what is merely deferred is given up.
    world.settings = world.settings.clone().set("VMACD_RETRY_AGE_MAX_MS", 1_000);
    let serve = world.serve().await;
    freeze(&world, "ams1").await;
    world.command("create", 0, 1, "frozen").await;
    world.command("create", 1, 1, "elsewhere").await;
    let active = world.until("active", 1).await;
    assert_eq!(active[0]["server_id"], world.server(1), "the other site is not touched");
    let row = frozen_row(&world).await;
    let text = row["failure_text"].as_str().expect("a text");
    assert!(text.contains("ams1") && text.contains("core upgrade"), "{text}");
    eventually("its message has come again for longer than its age allows", async || {
        let times = metric(&serve, "vmacd_retries_total{code=\"frozen\"}").await;
        if times >= 8.0 { Ok(()) } else { Err(times) }
    })
    .await;
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
    assert_eq!((frozen_row(&world).await["attempts"].as_i64(), world.switches()[0].commits()), (Some(0), 0));
    world.vmacd(&["thaw", "ams1"]).await;
    let active = world.until("active", 2).await;
    assert!(active.iter().all(|row| row["failure_code"].is_null()), "{active:?}");
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thawed_site_goes_on_within_seconds_whichever_worker_has_the_message_and_over_a_restart() {
    let mut world = two_sites().await;
    // The delay before another attempt would not be over in time.
    world.settings = world.settings.clone().set("VMACD_RETRY_DELAY_MAX_MS", 600_000);
    let mut first = world.serve().await;
    freeze(&world, "ams1").await;
    world.command("create", 0, 1, "m-1").await;
    frozen_row(&world).await;
    first.kill9();
    let _second = world.serve().await;
    world.command("create", 0, 2, "m-2").await;
    let pending = world.until("pending", 2).await;
    assert!(pending.iter().all(|row| row["failure_code"] == "frozen"), "{pending:?}");
    assert_eq!(world.commits(), 0);
    let told = world.vmacd(&["freezes"]).await;
    assert_eq!((&told[0]["site"], &told[0]["kind"]), (&json!("ams1"), &json!("manual")), "{told}");
    world.vmacd(&["thaw", "ams1"]).await;
    world.until("active", 2).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_lets_a_commit_in_flight_end_and_none_begin() {
    let world = two_sites().await;
    let sim = &world.switches()[0];
    sim.set_commit_time(Duration::from_secs(1));
    let _worker = world.serve().await;
    world.command("create", 0, 1, "in flight").await;
    eventually("a confirmed commit waits for its confirmation", async || sim.is_commit_pending()).await;
    freeze(&world, "ams1").await;
    world.until("active", 1).await;
    assert!(!sim.is_commit_pending(), "it was confirmed");
    world.vmacd(&["thaw", "ams1"]).await;

    let commits = sim.commits();
    sim.set_fault("slow_reply:700").expect("a fault");
    world.command("create", 0, 2, "begun").await;
    eventually("a push is under way", async || sim.locked_by().is_some()).await;
    freeze(&world, "ams1").await;
    frozen_row(&world).await;
    sim.clear_faults();
    eventually("the push is over", async || sim.locked_by().is_none()).await;
    assert_eq!((sim.commits(), sim.is_dirty()), (commits, false), "it was called off before its commit");
    world.vmacd(&["thaw", "ams1"]).await;
    world.until("active", 2).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_on_a_frozen_site_must_be_meant() {
    let mut world = World::embedded(1, 1).await;
    world.place(&["ams1"]).await;
    let _worker = world.serve().await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
    world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
    let backup = world.vmacd(&["backups", "list", "sw-001"]).await[0]["id"].to_string();
    world.vmacd(&["freeze", "--all", "--until", "1h"]).await;
    let restore = ["backups", "restore", "sw-001", &backup, "--yes", "--json"];
    let refused = run(&restore, &world.settings).await;
    assert!(refused.stderr.contains("\"frozen\"") && refused.stderr.contains("--despite-freeze"), "{refused:?}");
    let dry = run(&["backups", "restore", "sw-001", &backup, "--dry-run", "--json"], &world.settings).await;
    assert_eq!(dry.json()["outcome"], "would_change");
    let meant = run(&[&restore[..], &["--despite-freeze"]].concat(), &world.settings).await;
    assert_eq!(meant.json()["outcome"], "restored");
    assert_eq!(world.held(), world.primaries(), "the binding is off until the freeze is over");
    world.vmacd(&["thaw", "--all"]).await;
    eventually("the binding is back", async || world.held() == world.wanted().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_are_frozen_by_the_api_and_seen_and_thawed_on_the_pages() {
    let mut world = World::embedded(2, 1).await;
    world.place(&["ams1", "fra1"]).await;
    let serve = world.serve().await;
    let until = (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339();
    let body = json!({"until": until, "reason": "<b>move</b>", "made_by": "noc"});
    assert_eq!(call(&serve, "PUT", "/freezes/ams2", Some(body.clone())).await.status, 404, "no such site");
    let over = json!({"until": "2020-01-01T00:00:00Z"});
    assert_eq!(call(&serve, "PUT", "/freezes/ams1", Some(over)).await.status, 422);
    let made = call(&serve, "PUT", "/freezes/ams1", Some(body)).await;
    assert_eq!((made.status, &made.json()["made_by"]), (200, &json!("noc")), "{made:?}");
    assert_eq!(call(&serve, "GET", "/freezes", None).await.json()[0]["site"], "ams1");
    assert_eq!(call(&serve, "GET", "/freezes/fra1", None).await.status, 404, "not frozen");
    let switch = call(&serve, "GET", "/switches/sw-001", None).await.json();
    assert_eq!((&switch["site"], &switch["freeze"]["kind"]), (&json!("ams1"), &json!("manual")), "{switch}");
    for path in ["/", "/switches", "/switches/sw-001"] {
        let page = get(&format!("{}{path}", serve.http_url()), None).await.body;
        assert!(page.contains("Site ams1 is frozen") && page.contains("&lt;b&gt;move"), "{path}: {page}");
    }
    let other = get(&format!("{}/switches/sw-002", serve.http_url()), None).await.body;
    assert!(!other.contains("is frozen"), "{other}");
    let other = json!({"until": until, "reason": "power", "made_by": "dc"});
    assert_eq!(call(&serve, "PUT", "/freezes/ams1", Some(other)).await.status, 200);
    assert_eq!(call(&serve, "GET", "/freezes", None).await.json().as_array().map(Vec::len), Some(2), "side by side");
    let page = get(&format!("{}/switches/sw-001", serve.http_url()), None).await.body;
    assert!(page.contains("&lt;b&gt;move") && page.contains("power"), "both are told: {page}");
    assert_eq!(page.matches("action=\"/freezes/thaw\"").count(), 1, "one button ends both: {page}");
    let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    let thaw = Ask { method: "POST", headers, body: Some("site=ams1&back=/switches".to_owned()) };
    let after = ask(&format!("{}/freezes/thaw", serve.http_url()), thaw).await;
    assert!(after.status == 200 && !after.body.contains("is frozen"), "{after:?}");
    assert_eq!(call(&serve, "DELETE", "/freezes/ams1", None).await.status, 404);
    for (site, reason) in [("ams1", "again"), ("ams1", "and again"), ("*", "all")] {
        let body = json!({"until": until, "reason": reason});
        assert_eq!(call(&serve, "PUT", &format!("/freezes/{site}"), Some(body)).await.status, 200);
    }
    let thawed = call(&serve, "DELETE", "/freezes/ams1", None).await;
    assert_eq!((thawed.status, thawed.json()["thawed"].as_array().map(Vec::len)), (200, Some(2)), "{thawed:?}");
    assert_eq!(thawed.json()["still_frozen"][0]["reason"], "all", "{thawed:?}");
    assert_eq!(call(&serve, "DELETE", "/freezes/*", None).await.status, 200);
    let listed = world.vmacd(&["switches", "list", "--site", "ams1"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let idle = run(&["thaw", "ams1"], &world.settings).await;
    assert!(idle.code == Some(1) && idle.stderr.contains("site ams1 is not frozen"), "{idle:?}");
    let unknown = run(&["freeze", "ams", "--until", "1h"], &world.settings).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("did you mean `ams1`?"), "{unknown:?}");
}
