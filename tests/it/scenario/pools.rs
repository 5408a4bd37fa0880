//! Pools, reservations and MACs used elsewhere, from the command line and over the API to the switch.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::world::World;
use crate::api::call;
use crate::support::vmacd::{Output, run};
use crate::support::{eventually, run_dir, unique};

const POOLS: &str = r#"
    [pools.tiny]
    prefix = "02:a5:10:00:01"
    vlans = ["tiny"]

    [pools.customers]
    strategy = "tagged"
    tag = "a6"

    [pools.made]
    strategy = "from-address"
"#;

/// A world whose programs run with these pools.
async fn with_pools(mut world: World) -> World {
    let file = run_dir().join(unique("pools")).with_extension("toml");
    std::fs::write(&file, POOLS).expect("a file");
    world.settings = world.settings.clone().set("VMACD_CONFIG", file.display());
    world
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

async fn vmacd(world: &World, arguments: &[&str]) -> Output {
    run(arguments, &world.settings).await
}

/// Writes a file and gives its path.
fn file(ending: &str, content: &str) -> String {
    let file = run_dir().join(unique("macs")).with_extension(ending);
    std::fs::write(&file, content).expect("a file");
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mac_is_reserved_before_the_server_is_known_and_bound_when_it_is_created() {
    let world = with_pools(World::real(1, 2).await).await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
    let asked = ["reserve", "--server", "777", "--ip", "10.250.0.1", "--pool", "customers"];
    let unknown = world.vmacd(&asked).await;
    assert_eq!(unknown["is_new"], true);
    let reserved = vmacd(&world, &["reserve", "--server", &server, "--ip", &ip, "--pool", "customers"]).await.ok();
    let mac = reserved.trim().to_owned();
    assert!(mac.starts_with("02:a6:"), "{mac}");
    let again = world.vmacd(&["reserve", "--server", &server, "--ip", &ip]).await;
    assert_eq!((again["mac_address"].as_str(), &again["is_new"]), (Some(mac.as_str()), &json!(false)));
    assert_eq!(world.vmacd(&["reservations"]).await.as_array().map(Vec::len), Some(2));

    let _worker = world.serve().await;
    world.command("create", 0, 1, "m-1").await;
    let active = world.until("active", 1).await;
    assert_eq!(text(&active[0]["mac_address"]), mac);
    world.assert_consistent().await;
    assert!(world.held().iter().any(|(_, _, held)| *held == mac), "the switch has the reserved MAC");
    world.vmacd(&["release", "--server", "777", "--ip", "10.250.0.1"]).await;
    assert_eq!(world.vmacd(&["reservations"]).await, json!([]));

    world.command("revoke", 0, 1, "m-2").await;
    world.until("revoked", 1).await;
    assert_eq!(world.held(), world.primaries());
    let refused = vmacd(&world, &["reserve", "--server", "778", "--ip", "10.250.0.2", "--mac", &mac]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("mac_taken") && refused.stderr.contains("was the virtual MAC of"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_the_mac_that_is_made_from_it_each_time_and_its_row_lives_again() {
    let world = with_pools(World::real(1, 2).await).await;
    let _worker = world.serve().await;
    let mut body = world.body(0, 1);
    body["pool"] = "made".into();
    world.publish("vmac.create", Some("m-1"), body.to_string().as_bytes()).await;
    let first = world.until("active", 1).await[0].clone();
    let octets: Vec<String> =
        world.address(0, 1).split('.').map(|octet| format!("{:02x}", octet.parse::<u8>().expect("an octet"))).collect();
    assert_eq!(text(&first["mac_address"]), format!("02:00:{}", octets.join(":")));
    world.assert_consistent().await;
    world.command("revoke", 0, 1, "m-2").await;
    world.until("revoked", 1).await;
    world.publish("vmac.create", Some("m-3"), body.to_string().as_bytes()).await;
    let again = world.until("active", 1).await[0].clone();
    assert_eq!(
        (&again["id"], &again["mac_address"], &again["revoked_at"]),
        (&first["id"], &first["mac_address"], &Value::Null)
    );
    world.assert_consistent().await;
    let shown = world.vmacd(&["show", &world.address(0, 1)]).await;
    let timeline = shown["timeline"].to_string();
    assert!(["m-1", "m-2", "m-3"].iter().all(|key| timeline.contains(key)), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_dead_letters_the_create_and_says_how_full_it_is() {
    let world = with_pools(World::real(1, 2).await).await;
    let used: String = (0..254).map(|last| format!("02a5.1000.01{last:02x},x\n")).collect();
    let list = file("csv", &format!("mac,description\n{used}"));
    let report = world.vmacd(&["macs", "import", &list, "--source", "netbox"]).await;
    assert_eq!(report, json!({"added": 254, "unchanged": 0, "conflicts": []}));
    let _worker = world.serve().await;
    for number in 1..=3 {
        let mut body = world.body(0, number);
        body["pool"] = "tiny".into();
        world.publish("vmac.create", Some(&format!("m-{number}")), body.to_string().as_bytes()).await;
    }
    let active = world.until("active", 2).await;
    let macs: HashSet<String> = active.iter().map(|row| text(&row["mac_address"])).collect();
    assert_eq!(macs, HashSet::from(["02:a5:10:00:01:fe".to_owned(), "02:a5:10:00:01:ff".to_owned()]));
    let letters = eventually("the third is dead-lettered", async || {
        let letters = world.dead_letters().await;
        if letters.len() == 1 { Ok(letters) } else { Err(letters) }
    })
    .await;
    assert_eq!(letters[0]["reason_code"], "pool_exhausted");
    assert!(text(&letters[0]["error_text"]).contains("256 of its 256"), "{letters:?}");
    world.assert_consistent().await;
    let shown = vmacd(&world, &["pools"]).await.ok();
    let tiny: Vec<&str> =
        shown.lines().find(|line| line.trim_start().starts_with("tiny")).expect("a line").split_whitespace().collect();
    assert_eq!(tiny[..6], ["tiny", "random", "02:a5:10:00:01", "256", "256", "100.0"], "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_macs_names_bad_lines_and_conflicts_and_does_nothing_by_halves() {
    let world = with_pools(World::embedded(1, 1).await).await;
    let _worker = world.serve().await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
    vmacd(&world, &["create", "--server", &server, "--ip", &ip, "--mac", "02:a6:00:00:00:01", "--wait"]).await.ok();
    let bad = file("csv", "MAC Address,description\n02-A6-00-00-00-02,ok\nrouter\u{1b}[2J,bad\n02:a6,bad\n");
    let refused = vmacd(&world, &["macs", "import", &bad]).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("line 3, MAC Address: `router\\u001b[2J` is not a MAC address"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("line 4, MAC Address: `02:a6`") && !refused.stderr.contains('\u{1b}'),
        "{}",
        refused.stderr
    );
    let netbox =
        r#"[{"id": 1, "mac_address": "02:A6:00:00:00:01"}, {"id": 2, "mac_address": "02:A6:00:00:00:02"}, {"id": 3}]"#;
    let list = file("json", netbox);
    let told = vmacd(&world, &["macs", "import", &list]).await.ok();
    let conflict = format!("{list}, line 1: 02:a6:00:00:00:01 is the virtual MAC of");
    assert!(told.starts_with(&format!("1 added, 0 unchanged, 1 in conflict\n{conflict}")), "{told}");
    let refused =
        vmacd(&world, &["reserve", "--server", "9", "--ip", "10.250.0.1", "--mac", "02:a6:00:00:00:02"]).await;
    assert!(refused.stderr.contains("is used elsewhere (imported from macs"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn reservations_and_pools_are_had_over_the_api_too() {
    let world = with_pools(World::embedded(1, 1).await).await;
    let serve = world.serve().await;
    let body = json!({"server_id": 777, "ip_address": "10.250.0.1", "pool": "customers"});
    let made = call(&serve, "POST", "/reservations", Some(body.clone())).await;
    assert_eq!(made.status, 201, "{made:?}");
    let again = call(&serve, "POST", "/reservations", Some(body)).await;
    assert_eq!((again.status, again.json()), (200, made.json()));
    let list = call(&serve, "GET", "/reservations?limit=1", None).await.json();
    assert_eq!((&list["items"][0], &list["next"]), (&made.json(), &json!(null)), "there are no more");
    let last = text(&made.json()["mac_address"]);
    let next = call(&serve, "GET", &format!("/reservations?after={last}"), None).await.json();
    assert_eq!(next["items"], json!([]));
    let pools = call(&serve, "GET", "/pools", None).await.json();
    let names: Vec<String> = pools.as_array().expect("pools").iter().map(|pool| text(&pool["pool"])).collect();
    assert_eq!(names, ["customers", "default", "made", "tiny"]);
    assert_eq!(pools[0]["used"], 1);
    for (body, status, code) in [
        (json!({"server_id": 0, "ip_address": "10.250.0.2"}), 422, "invalid_field"),
        (json!({"server_id": 1, "ip_address": "224.0.0.1"}), 422, "invalid_address"),
        (json!({"server_id": 1, "ip_address": "10.250.0.2", "mac_address": "00:11:22:33:44:55"}), 422, "invalid_mac"),
        (json!({"server_id": 1, "ip_address": "10.250.0.2", "pool": "none"}), 422, "unknown_pool"),
    ] {
        let answer = call(&serve, "POST", "/reservations", Some(body)).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{answer:?}");
    }
    let path = "/reservations?server_id=777&ip_address=10.250.0.1";
    let released = call(&serve, "DELETE", path, None).await;
    assert_eq!((released.status, released.json()), (200, made.json()));
    assert_eq!(call(&serve, "DELETE", path, None).await.status, 404);
    let (_, metrics) = serve.get("/metrics").await;
    assert!(metrics.contains("vmacd_mac_space_used_ratio{pool=\"tiny\"}"), "{metrics}");
}
