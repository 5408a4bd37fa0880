//! Evidence: what the switch itself shows of a binding in force, with its time; and nothing where it does not tell.

use serde_json::{Value, json};
use vmacd::sim::{Dialect, Options};

use super::world::World;
use crate::support::eventually;
use crate::support::http::get;
use crate::support::vmacd::{Serve, run};

/// The tables that showed the row's binding.
fn tables(row: &Value) -> Vec<&str> {
    let evidence = row["switch_bindings"][0]["evidence"].as_array().map(Vec::as_slice).unwrap_or_default();
    evidence.iter().map(|evidence| evidence["table"].as_str().expect("a table")).collect()
}

/// A row pushed to a switch of that dialect, with the worker that did it.
async fn pushed(world: &World) -> (Serve, Value) {
    let serve = world.serve().await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
    world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
    let row = world.until("active", 1).await.remove(0);
    (serve, row)
}

#[tokio::test]
async fn what_was_pushed_is_shown_by_the_switchs_own_table_and_a_look_adds_what_it_has_learned() {
    for (dialect, table) in [(Dialect::NonEls, "dhcp-snooping"), (Dialect::Els, "dhcp-security")] {
        let mut world = World::embedded_with(Options { switches: 1, dialect, ..Options::default() }).await;
        world.settings = world.settings.clone().set("VMACD_DRIFT_INTERVAL_MS", 500);
        let (serve, row) = pushed(&world).await;
        assert!(tables(&row).contains(&table), "{row}");
        let ip = world.address(0, 1);
        let both = eventually("a look adds the learned MAC", async || {
            let row = world.vmacd(&["show", &ip]).await;
            if tables(&row) == [table, "learned"] { Ok(row) } else { Err(row) }
        })
        .await;
        assert_eq!(both["updated_at"], row["updated_at"], "evidence is no change of the row");
        let shown = run(&["show", &ip], &world.settings).await.stdout;
        assert!(shown.contains(&format!("seen in {table} at 20")), "{shown}");
        let view = get(&format!("{}/api/v1/vmacs/{ip}", serve.http_url()), None).await.json();
        assert!(tables(&view).contains(&table), "{view}");
    }
}

#[tokio::test]
async fn a_switch_that_does_not_tell_proves_nothing_and_nothing_fails() {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_DRIFT_INTERVAL_MS", 300);
    world.switches()[0].set_fault("table_refused").expect("a fault");
    let (_serve, row) = pushed(&world).await;
    assert_eq!(row["switch_bindings"][0].get("evidence"), None, "{row}");
    eventually("it was looked at", async || {
        let switches = world.vmacd(&["switches", "list"]).await;
        if switches[0]["drift_seen_at"].is_null() { Err(switches) } else { Ok(()) }
    })
    .await;
    assert_eq!(tables(&world.until("active", 1).await[0]), Vec::<&str>::new());
}

#[tokio::test]
async fn nobody_asks_where_the_settings_say_so_and_a_revoke_leaves_no_evidence() {
    let mut world = World::embedded(1, 1).await;
    let quiet = world.settings.clone().set("VMACD_WORKER_EVIDENCE", "false");
    let asked = |world: &World| world.switches()[0].rpc_counts().get("get-dhcp-snoop-binding").copied();
    let talkative = std::mem::replace(&mut world.settings, quiet);
    let (mut serve, row) = pushed(&world).await;
    assert_eq!((tables(&row), asked(&world)), (Vec::new(), None), "it was not asked for");
    serve.sigterm();
    serve.wait().await;
    world.settings = talkative;
    let _serve = world.serve().await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 2));
    world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
    assert_eq!(tables(&world.vmacd(&["show", &ip]).await), ["dhcp-snooping"]);
    world.vmacd(&["revoke", "--server", &server, "--ip", &ip, "--wait"]).await;
    let revoked = world.vmacd(&["show", &ip]).await;
    assert_eq!((&revoked["status"], tables(&revoked)), (&json!("revoked"), Vec::new()), "{revoked}");
    assert_eq!(asked(&world), Some(1), "a push that binds nothing asks nothing");
}
