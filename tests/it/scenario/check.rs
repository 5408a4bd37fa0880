//! `vmacd switches check` tells in plain words what a push would meet, and changes nothing.

use serde_json::Value;
use vmacd::sim::{Dialect, Options};

use super::world::World;
use crate::support::vmacd::{Output, Settings, run};

async fn check(settings: &Settings) -> Output {
    run(&["switches", "check", "sw-001", "--json"], settings).await
}

/// The states by what was checked.
async fn states(settings: &Settings) -> Vec<(String, String, String)> {
    let found: Value = serde_json::from_str(&check(settings).await.stdout).expect("JSON");
    let text = |finding: &Value, name: &str| finding[name].as_str().expect("text").to_owned();
    let findings = found.as_array().expect("a list").iter();
    findings.map(|finding| (text(finding, "what"), text(finding, "state"), text(finding, "detail"))).collect()
}

/// Asserts that this is the first thing that is not as it should be, and that its detail says these words.
async fn assert_first_no(settings: &Settings, what: &str, words: &str) {
    let states = states(settings).await;
    let first = states.iter().find(|(_, state, _)| state == "no");
    assert!(first.is_some_and(|(no, _, detail)| no == what && detail.contains(words)), "{what}: {states:?}");
    assert_ne!(check(settings).await.code, Some(0), "{what}");
}

#[tokio::test]
async fn a_switch_in_good_order_is_told_so_step_by_step() {
    let world = World::embedded(1, 2).await;
    let commits = world.commits();
    let states = states(&world.settings).await;
    let told: Vec<_> = states.iter().map(|(what, state, _)| format!("{what}: {state}")).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    reachable: ok
    host key: ok
    login: ok
    netconf: ok
    dialect: ok
    model: ok
    bindings: ok
    duplicates: ok
    pending commit: ok
    candidate: ok
    commit: ok
    vlan VLAN.13: ok
    in force: ok
    ");
    assert_eq!((check(&world.settings).await.code, world.commits()), (Some(0), commits));
    assert_eq!(world.vmacd(&["switches", "list"]).await[0]["dialect_found"], "non-els");
}

#[tokio::test]
async fn what_would_keep_a_push_from_working_is_named() {
    let world = World::embedded(1, 2).await;
    let sim = &world.switches()[0];
    sim.operator_lock().expect("locked");
    assert_first_no(&world.settings, "candidate", "admin").await;
    sim.operator_unlock();
    sim.operator_edit("set system host-name edited").expect("edited");
    assert_first_no(&world.settings, "candidate", "uncommitted edits").await;
    assert!(sim.is_dirty(), "the edits are kept");
    sim.operator_discard().expect("discarded");
    sim.operator_unlock();
    for (fault, what, words) in [
        ("auth_rejected", "login", "refused the login of vmacd"),
        ("session_dropped_at_hello", "netconf", "does not speak NETCONF"),
        ("permission_denied", "commit", "permission denied"),
        ("commit_rejected", "commit", "check-out failed"),
    ] {
        sim.set_fault(fault).expect("a fault");
        assert_first_no(&world.settings, what, words).await;
        sim.clear_faults();
    }
    let none = world.settings.clone().set("VMACD_SSH_PASSWORD", "");
    assert_first_no(&none, "login", "neither password, key file nor agent").await;
    sim.stop();
    assert_first_no(&world.settings, "reachable", "cannot be reached").await;
}

#[tokio::test]
async fn a_commit_that_waits_is_told_and_not_confirmed_by_the_check() {
    let world = World::embedded(1, 2).await;
    let bench = &world.switches()[0];
    bench.operator_commit_confirmed("set system host-name trial", 10).expect("committed");
    assert_first_no(&world.settings, "pending commit", "admin").await;
    assert!(bench.is_commit_pending());
}

#[tokio::test]
async fn vlans_whose_guards_are_off_are_noted() {
    for (dialect, off) in [
        (Dialect::NonEls, "delete ethernet-switching-options secure-access-port vlan VLAN.13 ip-source-guard"),
        (Dialect::Els, "delete vlans VLAN.13 forwarding-options dhcp-security ip-source-guard"),
    ] {
        let world =
            World::embedded_with(Options { switches: 1, ports_per_switch: 2, dialect, ..Options::default() }).await;
        let sim = &world.switches()[0];
        let of_vlan = async || {
            let states = states(&world.settings).await.into_iter();
            states.into_iter().find(|(what, ..)| what == "vlan VLAN.13").expect("the VLAN is told")
        };
        assert_eq!(of_vlan().await.1, "ok", "{:?}", of_vlan().await);
        sim.operator_edit(off).expect("edited");
        sim.operator_commit().expect("committed");
        let (_, state, detail) = of_vlan().await;
        assert_eq!(state, "note");
        assert!(detail.contains("off: ip-source-guard"), "{detail}");
        assert_eq!(check(&world.settings).await.code, Some(0), "a note is no reason to fail");
    }
}
