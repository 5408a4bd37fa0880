//! Lists are whole, newest first, and printed while they are read.

use serde_json::Value;

use super::world::World;
use crate::support::vmacd::{Serve, run};

/// Rows of a list longer than any part of it that is read at once.
const MANY: usize = 2_500;

/// Writes rows for the address of this number and those after it, all on this switch and of this server.
async fn write_rows(world: &World, first: usize, count: usize, switch: &str, server: i64) {
    let binding = r#"[{"switch": "SWITCH", "interface": "ge-0/0/1.0", "mac": "02:00:00:00:00:01", "state": "bound", "at": "2026-01-01T00:00:00Z"}]"#;
    let binding = binding.replace("SWITCH", switch);
    world
        .database()
        .execute(format!(
            "INSERT INTO virtual_macs (server_id, ip_address, mac_address, status, desired, switch_bindings, created_at, updated_at)
             SELECT {server}, '10.99.' || n / 250 || '.' || n % 250 + 1,
                 '02:99:00:00:' || lpad(to_hex(n / 256), 2, '0') || ':' || lpad(to_hex(n % 256), 2, '0'),
                 'active', 'bound', '{binding}', now(), now()
             FROM generate_series({first}, {}) AS n",
            first + count - 1
        ))
        .await;
}

fn ids(rows: &Value) -> Vec<i64> {
    rows.as_array().expect("a list").iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_whole_and_newest_first_and_a_limit_takes_the_newest() {
    let world = World::real(1, 1).await;
    write_rows(&world, 0, MANY, "sw-001", 1).await;
    let all = ids(&world.vmacd(&["list"]).await);
    assert_eq!(all.len(), MANY);
    assert!(all.windows(2).all(|pair| pair[0] > pair[1]), "newest first, each once");
    let shown = run(&["list"], &world.settings).await.ok();
    assert_eq!(shown.lines().count(), MANY + 1, "a line each, and the titles");
    for limit in [1, 3, 1_000, 1_001, MANY, MANY + 1] {
        let newest = ids(&world.vmacd(&["list", "--limit", &limit.to_string()]).await);
        assert_eq!(newest, all[..limit.min(MANY)], "--limit {limit}");
    }
    assert_eq!(world.vmacd(&["list", "--status", "failed"]).await, serde_json::json!([]));
    let line = format!("{} list --json | head -n 2; echo over", env!("CARGO_BIN_EXE_vmacd"));
    let mut shell = Serve::start_program("/bin/sh", &["-c", &line], &world.settings, "over").await;
    assert!(shell.wait().await.success() && !shell.log().contains("error"), "{}", shell.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pattern_would_take_for_it_neither_hides_rows_nor_ends_a_list() {
    let world = World::real(1, 1).await;
    let mut inventory = world.inventory.clone();
    for name in ["sw_a1", "sw-a1"] {
        let mut switch = inventory["switches"][0].clone();
        switch["name"] = name.into();
        inventory["switches"].as_array_mut().expect("switches").push(switch);
    }
    world.import(&inventory).await;
    write_rows(&world, 0, 7, "sw_a1", 4).await;
    // Those that look alike are newer, and more than one part of the list.
    write_rows(&world, 7, MANY, "sw-a1", 44).await;
    assert_eq!(ids(&world.vmacd(&["list", "--switch", "sw_a1"]).await).len(), 7);
    assert_eq!(ids(&world.vmacd(&["list", "--switch", "sw-a1"]).await).len(), MANY);
    assert_eq!(ids(&world.vmacd(&["list", "--server", "4"]).await).len(), 7);
    assert_eq!(ids(&world.vmacd(&["list", "--switch", "sw_a1", "--limit", "5"]).await).len(), 5);
}
