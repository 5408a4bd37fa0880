//! How far what goes wrong may reach: a site that stops by itself, and bounds on what is done there at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use sqlx::Executor;

use super::freeze::metric;
use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::run;

#[tokio::test(flavor = "multi_thread")]
async fn a_site_on_whose_switches_commits_are_lost_is_stopped_and_the_others_go_on() {
    let mut world = World::real(4, 1).await;
    world.place(&["ams1", "ams1", "ams1", "fra1"]).await;
    world.settings = world.settings.clone().set("VMACD_LIMITS_STOP_FAILURES_MAX", 2);
    let serve = world.serve().await;
    for index in [0, 1] {
        world.switches()[index].set_fault("reply_lost_after_commit@1").expect("a fault");
    }
    for index in [0, 1] {
        world.command("create", index, 1, &format!("lost-{index}")).await;
    }
    let freeze = eventually("the site is stopped", async || {
        let freezes = world.vmacd(&["freezes"]).await;
        freezes.get(0).cloned()
    })
    .await;
    assert_eq!((&freeze["site"], &freeze["kind"]), (&json!("ams1"), &json!("automatic")), "{freeze}");
    let reason = freeze["reason"].as_str().expect("a reason");
    assert!(reason.contains("sw-001 (push ") && reason.contains("sw-002 (push "), "{reason}");
    assert_eq!(metric(&serve, "vmacd_site_frozen{site=\"ams1\",kind=\"automatic\"}").await, 1.0);
    assert!(serve.log().contains("site frozen automatically"), "{}", serve.log());
    world.command("create", 2, 1, "held back").await;
    world.command("create", 3, 1, "elsewhere").await;
    eventually("the other site goes on", async || !world.switches()[3].bindings().is_empty()).await;
    eventually("the site's third switch is left alone", async || {
        world
            .with_status("pending")
            .await
            .iter()
            .any(|row| row["failure_code"] == "frozen" && row["server_id"] == world.server(2))
    })
    .await;
    assert_eq!(world.switches()[2].commits(), 0);
    world.vmacd(&["thaw", "ams1"]).await;
    world.until("active", 4).await;
    world.assert_consistent().await;
    assert!(world.vmacd(&["freezes"]).await.as_array().is_some_and(Vec::is_empty), "it is not stopped again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_freeze_of_a_site_that_was_stopped_ends_and_the_site_stays_stopped() {
    let mut world = World::real(2, 1).await;
    world.place(&["ams1"; 2]).await;
    world.settings = world.settings.clone().set("VMACD_LIMITS_STOP_FAILURES_MAX", 1).set("USER", "alice");
    let serve = world.serve().await;
    world.switches()[0].set_fault("reply_lost_after_commit@1").expect("a fault");
    world.command("create", 0, 1, "lost").await;
    eventually("the site is stopped", async || world.vmacd(&["freezes"]).await.get(0).cloned()).await;
    let made = world.vmacd(&["freeze", "ams1", "--until", "1s"]).await;
    assert_eq!((&made["made_by"], &made["also_frozen"][0]["kind"]), (&json!("alice"), &json!("automatic")), "{made}");
    world.command("create", 1, 1, "held back").await;
    eventually("the short freeze has ended, and the other has not", async || {
        let freezes = world.vmacd(&["freezes"]).await;
        let kinds: Vec<_> = freezes.as_array().expect("a list").iter().map(|freeze| freeze["kind"].clone()).collect();
        if kinds == [json!("automatic")] { Ok(()) } else { Err(freezes) }
    })
    .await;
    eventually("the worker came by after that", async || {
        let times = metric(&serve, "vmacd_retries_total{code=\"frozen\"}").await;
        if times >= 6.0 { Ok(()) } else { Err(times) }
    })
    .await;
    assert_eq!(world.switches()[1].commits(), 0);
    assert!(!serve.log().contains("no longer frozen"), "{}", serve.log());
    let later = world.vmacd(&["freeze", "ams1", "--until", "2h", "--reason", "core upgrade"]).await;
    let switch = world.vmacd(&["switches", "list"]).await;
    assert_eq!(switch[1]["freeze"]["kind"], "automatic", "{later} {switch}");
    let thawed = run(&["thaw", "ams1"], &world.settings).await.ok();
    assert!(thawed.contains("by alice: core upgrade") && thawed.contains("until somebody thaws it by"), "{thawed}");
    world.until("active", 2).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_change_that_a_switch_refuses_and_one_bad_switch_stop_no_site() {
    let mut world = World::real(2, 1).await;
    world.settings = world.settings.clone().set("VMACD_LIMITS_STOP_FAILURES_MAX", 2);
    let _worker = world.serve().await;
    world.switches()[0].set_fault("change_rejected").expect("a fault");
    world.switches()[1].set_fault("reply_lost_after_commit@1").expect("a fault");
    for index in [0, 1] {
        world.command("create", index, 1, &format!("m-{index}")).await;
    }
    world.until("failed", 1).await;
    world.until("active", 1).await;
    assert_eq!(world.vmacd(&["freezes"]).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_switches_of_a_site_are_pushed_to_at_once_than_it_may_have() {
    let mut world = World::real(6, 1).await;
    world.place(&["ams1"; 6]).await;
    world.settings = world.settings.clone().set("VMACD_LIMITS_SITE_PUSHES_MAX", 2);
    for switch in world.switches() {
        switch.set_commit_time(std::time::Duration::from_millis(300));
    }
    let _worker = world.serve().await;
    let (done, switches) = (Arc::new(AtomicBool::new(false)), world.switches().to_vec());
    let watch = tokio::spawn({
        let done = done.clone();
        async move {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(switches.iter().filter(|switch| switch.locked_by().is_some()).count());
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            most
        }
    });
    for index in 0..6 {
        world.command("create", index, 1, &format!("m-{index}")).await;
    }
    world.until("active", 6).await;
    done.store(true, Ordering::Relaxed);
    assert_eq!(watch.await.expect("watched"), 2);
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_has_no_more_commits_in_a_minute_than_it_may_have() {
    let mut world = World::real(6, 1).await;
    world.place(&["ams1"; 6]).await;
    world.settings = world.settings.clone().set("VMACD_LIMITS_SITE_COMMITS_PER_MINUTE_MAX", 4);
    let (one, two) = (world.serve().await, world.serve().await);
    for index in 0..6 {
        world.command("create", index, 1, &format!("m-{index}")).await;
    }
    world.until("active", 4).await;
    eventually("the others were held back", async || {
        let code = "vmacd_retries_total{code=\"site_limit\"}";
        metric(&one, code).await + metric(&two, code).await >= 4.0
    })
    .await;
    assert_eq!(world.commits(), 8, "four pushes: a commit and its confirmation each");
    // A minute passes.
    let mut connection = world.database().connect().await;
    connection.execute("UPDATE pushes SET sent_at = sent_at - INTERVAL '1 minute'").await.expect("changed");
    world.until("active", 6).await;
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}
