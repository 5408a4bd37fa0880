//! `--dry-run`: the switches show what would change, and nothing is changed anywhere.

use serde_json::{Value, json};

use super::world::World;
use crate::support::vmacd::{Output, run};

/// A sum over everything that a command leaves behind in the database.
const EVERYTHING: &str = "SELECT CAST(COALESCE(SUM(hashtext(line)), 0) AS BIGINT) FROM (
    SELECT CAST(virtual_macs AS TEXT) AS line FROM virtual_macs UNION ALL SELECT CAST(commands AS TEXT) FROM commands
    UNION ALL SELECT CAST(intents AS TEXT) FROM intents UNION ALL SELECT CAST(events AS TEXT) FROM events
    UNION ALL SELECT CAST(switch_work AS TEXT) FROM switch_work UNION ALL SELECT CAST(pushes AS TEXT) FROM pushes
    UNION ALL SELECT CAST(config_backups AS TEXT) FROM config_backups
    UNION ALL SELECT CAST(dead_letters AS TEXT) FROM dead_letters) AS lines";

async fn ask(world: &World, verb: &str, index: usize, ip: &str, more: &[&str]) -> Output {
    let server = world.server(index).to_string();
    let arguments: Vec<&str> = [verb, "--server", &server, if ip.contains('/') { "--subnet" } else { "--ip" }, ip]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    run(&arguments, &world.settings).await
}

async fn dry(world: &World, verb: &str, index: usize, ip: &str) -> Value {
    ask(world, verb, index, ip, &["--dry-run", "--json"]).await.json()
}

#[track_caller]
fn assert_untouched(world: &World, texts: &[String]) {
    for (switch, text) in world.switches().iter().zip(texts) {
        assert_eq!(switch.committed_text(), *text, "{}", switch.name());
        assert_eq!((switch.is_dirty(), switch.locked_by()), (false, None), "{}", switch.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_the_switchs_own_difference_and_changes_nothing_anywhere() {
    let world = World::real(1, 1).await;
    let mut worker = world.serve().await;
    let bound = world.address(0, 1);
    ask(&world, "create", 0, &bound, &["--wait"]).await.ok();
    worker.sigterm();
    worker.wait().await;
    let texts: Vec<String> = world.switches().iter().map(|switch| switch.committed_text()).collect();
    let (commits, tables) = (world.commits(), world.database().count(EVERYTHING).await);

    let new = dry(&world, "create", 0, &world.address(0, 2)).await;
    let (change, difference) = (&new["changes"][0], new["switches"][0]["diff"].as_str().expect("a difference"));
    let mac = change["mac_address"].as_str().expect("a MAC");
    assert_eq!((&change["outcome"], &change["mac_is_example"]), (&json!("would_bind"), &json!(true)), "{new}");
    assert!(difference.contains(&format!("static-ip {} vlan VLAN.13 mac {mac}", world.address(0, 2))), "{difference}");

    let given = ask(&world, "create", 0, &world.address(0, 3), &["--mac", "02:5e:10:00:00:01", "--dry-run"]).await.ok();
    insta::assert_snapshot!(given, @r"
    sw-001
    [edit ethernet-switching-options secure-access-port interface ge-0/0/0.0]
    +       static-ip 10.0.0.4 vlan VLAN.13 mac 02:5e:10:00:00:01;
    10.0.0.4 would be bound on ge-0/0/0.0 in VLAN.13 to 02:5e:10:00:00:01
    nothing was changed
    ");
    let gone = ask(&world, "revoke", 0, &bound, &["--dry-run"]).await.ok();
    assert!(gone.contains("would be removed from") && gone.contains("\n-"), "{gone}");
    let again = dry(&world, "create", 0, &bound).await;
    assert_eq!((&again["changes"][0]["outcome"], &again["switches"]), (&json!("unchanged"), &json!([])), "{again}");
    let net = dry(&world, "create", 0, &format!("{}/30", world.address(0, 3))).await;
    assert_eq!((net["changes"].as_array().map(Vec::len), net["switches"].as_array().map(Vec::len)), (Some(2), Some(1)));

    assert_untouched(&world, &texts);
    assert_eq!((world.commits(), world.database().count(EVERYTHING).await), (commits, tables));
    let _worker = world.serve().await;
    ask(&world, "create", 0, &world.address(0, 2), &["--wait"]).await.ok();
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_switch_of_a_server_has_a_section_of_its_own() {
    let world = World::embedded(2, 1).await;
    let mut inventory = world.inventory.clone();
    let second = inventory["servers"][1]["ports"][0].clone();
    inventory["servers"][0]["ports"].as_array_mut().expect("ports").push(second);
    inventory["servers"].as_array_mut().expect("servers").truncate(1);
    world.import(&inventory).await;
    let ip = world.address(0, 1);
    let both = dry(&world, "create", 0, &ip).await;
    let names: Vec<_> = both["switches"].as_array().expect("switches").iter().map(|seen| &seen["switch"]).collect();
    assert_eq!(names, ["sw-001", "sw-002"], "{both}");
    assert_eq!(both["changes"][0]["mac_address"], both["changes"][1]["mac_address"], "{both}");

    world.switches()[1].operator_lock().expect("locked");
    let locked = ask(&world, "create", 0, &ip, &["--dry-run"]).await;
    assert_eq!(locked.code, Some(2), "{locked:?}");
    assert!(locked.stdout.contains("would be bound on ge-0/0/0.0"), "the other one answers: {locked:?}");
    assert!(locked.stdout.contains("locked_by_other") && locked.stderr.contains("locked_by_other"), "{locked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_shown_with_its_code() {
    let world = World::embedded(1, 2).await;
    let foreign = world.address(0, 9);
    let switch = &world.switches()[0];
    let line = format!(
        "set ethernet-switching-options secure-access-port interface ge-0/0/0.0 static-ip {foreign} vlan VLAN.13 mac 00:11:22:33:44:55"
    );
    switch.operator_edit(&line).expect("edited");
    switch.operator_commit().expect("committed");
    let primary = world.inventory["servers"][0]["primary_ip"].as_str().expect("an address").to_owned();
    for (ip, code) in [
        (foreign.as_str(), "foreign_binding"),
        (primary.as_str(), "primary_address"),
        ("2001:db8::6", "ipv6_unsupported"),
    ] {
        let refused = ask(&world, "create", 0, ip, &["--dry-run"]).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stdout.contains(&format!("{ip} {code}: ")) && refused.stderr.contains(code), "{refused:?}");
    }
    switch.set_fault("load_rejected@1").expect("a fault");
    let rejected = ask(&world, "create", 0, &world.address(0, 1), &["--dry-run", "--json"]).await;
    let told: Value = serde_json::from_str(&rejected.stdout).expect("JSON");
    assert_eq!((rejected.code, &told["changes"][0]["code"]), (Some(1), &json!("refused_by_switch")), "{rejected:?}");
    let unknown = run(&["create", "--server", "1", "--ip", "10.0.0.7", "--dry-run"], &world.settings).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("hint:"), "{unknown:?}");
    assert!(!switch.is_dirty() && switch.locked_by().is_none());
    assert!(world.vmacd(&["list"]).await.as_array().is_some_and(Vec::is_empty));
}
