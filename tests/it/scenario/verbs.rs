//! What each verb says: what was asked, what happened, and what to do next.

use super::advice::assert_advised;
use super::world::World;
use crate::support::vmacd::{Output, Serve, Settings, run, run_on_terminal};
use crate::support::{eventually, run_dir, unique};

/// Asks for an address, or for each address of a subnet.
async fn ask(world: &World, verb: &str, which: &str, more: &[&str]) -> Output {
    let server = world.server(0).to_string();
    let flag = if which.contains('/') { "--subnet" } else { "--ip" };
    let arguments = [verb, "--server", &server, flag, which];
    run(&[arguments.as_slice(), more].concat(), &world.settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_of_what_was_never_bound_is_no_success_and_a_second_one_of_what_was_is() {
    let world = World::embedded(1, 1).await;
    let _worker = world.serve().await;
    let (ip, subnet) = (world.address(0, 1), format!("{}/30", world.address(0, 7)));
    let never = ask(&world, "revoke", &ip, &["--wait"]).await;
    assert_eq!((never.code, never.stdout.as_str()), (Some(1), ""), "{never:?}");
    assert_advised(&never, "never had a virtual MAC", "vmacd list --server");
    let never = ask(&world, "revoke", &subnet, &["--wait"]).await;
    assert!(never.code == Some(1) && never.stderr.contains("nothing was revoked"), "{never:?}");
    assert!(never.stdout.contains("never_bound"), "{never:?}");
    let unwaited = ask(&world, "revoke", &ip, &[]).await;
    assert!(unwaited.code == Some(0) && unwaited.stderr.contains("has no virtual MAC"), "{unwaited:?}");
    ask(&world, "create", &ip, &["--wait"]).await.ok();
    assert!(ask(&world, "revoke", &ip, &["--wait"]).await.ok().starts_with("revoked "));
    let again = ask(&world, "revoke", &ip, &["--wait"]).await.ok();
    assert!(again.contains("was already revoked at"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_an_address_without_a_virtual_mac_is_told_what_became_of_the_request() {
    let world = World::embedded(1, 1).await;
    let primary = world.address(0, 0);
    ask(&world, "create", &primary, &[]).await.ok();
    let unserved = run(&["show", &primary], &world.settings).await;
    assert_advised(&unserved, "no virtual MAC", "no worker is running");
    let _worker = world.serve().await;
    eventually("the request is refused", async || world.dead_letters().await.len() == 1).await;
    let refused = run(&["show", &primary], &world.settings).await;
    assert_advised(&refused, "no virtual MAC", "which keeps its PXE MAC");
    assert_advised(&refused, "no virtual MAC", "`vmacd dead-letters show 1`");
    let never = run(&["show", &world.address(0, 9)], &world.settings).await;
    assert_advised(&never, "no virtual MAC", "`vmacd list`");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_what_for_and_hinted_at_what_keeps_it() {
    let mut world = World::embedded(1, 2).await;
    world.place(&["ams1"]).await;
    let (first, second) = (world.address(0, 1), world.address(0, 2));
    let unserved = ask(&world, "create", &first, &["--wait", "--timeout", "2s"]).await;
    assert_eq!(unserved.code, Some(2), "{unserved:?}");
    assert!(unserved.stderr.contains("waiting: no worker has accepted the request yet"), "{unserved:?}");
    assert_advised(&unserved, "no worker has accepted the request yet", "`vmacd serve`");
    run(&["freeze", "ams1", "--until", "1h"], &world.settings).await.ok();
    let _worker = world.serve().await;
    let frozen = ask(&world, "create", &second, &["--wait", "--timeout", "2s"]).await;
    assert_advised(&frozen, "its site is frozen until", "vmacd thaw ams1");
    run(&["thaw", "ams1"], &world.settings).await.ok();
    world.until("active", 2).await;
    world.switches()[0].operator_lock().expect("locked");
    let locked = ask(&world, "create", &world.address(0, 3), &["--wait", "--timeout", "4s"]).await;
    assert!(locked.stderr.contains("waiting: pending: "), "{locked:?}");
    assert_advised(&locked, "admin", "wait until they have finished");
    assert!(!locked.stderr.contains("vmacd serve"), "a worker runs: {locked:?}");
    let subnet = format!("{}/30", world.address(0, 7));
    let many = ask(&world, "create", &subnet, &["--wait", "--timeout", "3s"]).await;
    assert!(many.stderr.contains("waiting: 0 of "), "{many:?}");
    assert_advised(&many, "are still running", "wait until they have finished");
    let quiet = ask(&world, "create", &world.address(0, 4), &["--wait", "--timeout", "2s", "--json"]).await;
    assert!(serde_json::from_str::<serde_json::Value>(quiet.stderr.trim()).is_ok(), "one object alone: {quiet:?}");
    world.switches()[0].operator_unlock();
}

/// The host key that the inventory pins now.
async fn pinned(world: &World) -> String {
    world.vmacd(&["switches", "list"]).await[0]["host_key"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_pinned_host_key_is_replaced_by_nobody_who_was_not_asked() {
    let world = World::embedded(1, 1).await;
    let own = pinned(&world).await;
    let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut inventory = world.inventory.clone();
    inventory["switches"][0]["host_key"] = other.into();
    let trust = ["switches", "trust", "sw-001"];
    world.import(&inventory).await;
    let unasked = run(&trust, &world.settings).await;
    assert_advised(&unasked, "no terminal to ask on", &format!("--fingerprint {own}"));
    assert!(unasked.stderr.contains(other), "both are shown: {unasked:?}");
    let refused = run_on_terminal(&trust, &world.settings, 200, "n\n").await;
    assert!(refused.code == Some(1) && refused.stdout.contains("another host key"), "{refused:?}");
    assert_eq!(pinned(&world).await, other);
    run_on_terminal(&trust, &world.settings, 200, "y\n").await.ok();
    assert_eq!(pinned(&world).await, own);
    for sure in [["--yes", "--yes"].as_slice(), &["--fingerprint", own.as_str()]] {
        world.import(&inventory).await;
        let sure = if sure[0] == "--yes" { &sure[..1] } else { sure };
        run(&[trust.as_slice(), sure].concat(), &world.settings).await.ok();
        assert_eq!(pinned(&world).await, own);
    }
    run(&trust, &world.settings).await.ok();
}

#[tokio::test]
async fn a_failed_check_says_what_to_do_about_this_switch_and_not_to_check_it() {
    let world = World::embedded(1, 1).await;
    let check = ["switches", "check", "sw-001"];
    let no_login = world.settings.clone().set("VMACD_SSH_PASSWORD", "");
    let missing = run(&check, &no_login).await;
    assert_advised(&missing, "the default login has neither password", "VMACD_SSH_PASSWORD");
    assert!(!missing.stderr.contains("credentials"), "{missing:?}");
    let mut inventory = world.inventory.clone();
    inventory["switches"][0]["credential"] = "core".into();
    world.import(&inventory).await;
    assert_advised(&run(&check, &world.settings).await, "`core`", "[credentials.core]");
    world.import(&world.inventory).await;
    world.switches()[0].set_fault("auth_rejected").expect("a fault");
    let refused = run(&check, &world.settings).await;
    assert_advised(&refused, "refused the login", "uses the default login");
    world.switches()[0].stop();
    let away = run(&check, &world.settings).await;
    assert_advised(&away, "cannot be reached", "set system services netconf ssh");
    for output in [missing, refused, away] {
        assert!(!output.stderr.contains("switches check"), "{output:?}");
    }
}

#[tokio::test]
async fn a_demo_whose_reader_goes_away_ends_and_leaves_nothing_behind() {
    let folder = run_dir().join(unique("demo"));
    std::fs::create_dir(&folder).expect("a folder");
    let settings = Settings::new().set("TMPDIR", folder.display());
    for arguments in ["demo --exit", "demo"] {
        let line = format!("{} {arguments} | head -n 3; echo over", env!("CARGO_BIN_EXE_vmacd"));
        let mut shell = Serve::start_program("/bin/sh", &["-c", &line], &settings, "over").await;
        assert!(shell.wait().await.success());
        assert!(!shell.log().contains("panicked"), "{}", shell.log());
        let left = || std::fs::read_dir(&folder).expect("a folder").count();
        eventually("the folder is gone", async || if left() == 0 { Ok(()) } else { Err(left()) }).await;
    }
}

#[tokio::test]
async fn a_list_on_80_columns_has_each_address_and_mac_on_one_line() {
    let world = World::embedded(1, 1).await;
    let _worker = world.serve().await;
    let ip = world.address(0, 1);
    ask(&world, "create", &ip, &["--wait"]).await.ok();
    let mac = world.vmacd(&["list"]).await[0]["mac_address"].as_str().expect("a MAC").to_owned();
    for columns in [40, 60, 80, 100] {
        for verb in [["list", "--color", "never"].as_slice(), &["list", "--color", "always"]] {
            let shown = run_on_terminal(verb, &world.settings, columns, "").await.ok();
            for text in [&ip, &mac] {
                assert!(shown.lines().any(|line| line.contains(text.as_str())), "{columns}: {text} is cut:\n{shown}");
            }
        }
    }
}
