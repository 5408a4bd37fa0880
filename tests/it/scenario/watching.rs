//! `--watch`: on a terminal, into a pipe, and while the database is away.

use serde_json::Value;

use super::world::World;
use crate::support::vmacd::{Serve, run_on_terminal};
use crate::support::{Proxy, eventually};

const LIST: &[&str] = &["list", "--watch=0.1", "--json"];

fn documents(watching: &Serve) -> Vec<Value> {
    watching.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test]
async fn each_change_is_one_line_of_json_until_ctrl_c() {
    let world = World::embedded(1, 1).await;
    let mut watching = Serve::start_command(LIST, &world.settings, "[]").await;
    let _worker = world.serve().await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
    world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
    eventually("the new row is told", async || {
        let last = documents(&watching).last().cloned().unwrap_or_default();
        if last[0]["status"] == "active" { Ok(()) } else { Err(last) }
    })
    .await;
    let told = documents(&watching);
    assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "only what changed is told: {told:?}");
    watching.signal("INT");
    assert!(watching.wait().await.success(), "{}", watching.log());
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_it() {
    let world = World::embedded(1, 1).await;
    let line = format!("{} {} | head -n 1; echo over", env!("CARGO_BIN_EXE_vmacd"), LIST.join(" "));
    // The shell waits for all of the pipe.
    let mut shell = Serve::start_program("/bin/sh", &["-c", &line], &world.settings, "over").await;
    assert!(shell.wait().await.success());
}

#[tokio::test]
async fn a_database_that_goes_away_is_said_and_waited_for() {
    let world = World::real(1, 1).await;
    let proxy = Proxy::start(world.database().authority()).await;
    let settings = world.settings.clone().set("VMACD_DATABASE_URL", world.database().url_through(proxy.port()));
    let mut watching = Serve::start_command(LIST, &settings, "[]").await;
    proxy.cut();
    watching.wait_for_line("trying again").await;
    proxy.restore();
    watching.wait_for_line("is reachable again").await;
    watching.signal("INT");
    assert!(watching.wait().await.success());
}

#[tokio::test]
async fn a_terminal_is_repainted_and_gets_its_cursor_back() {
    let world = World::embedded(1, 1).await;
    let shown =
        run_on_terminal(&["list", "--watch=0.1 & sleep 1; kill -INT $!; wait $!"], &world.settings, 100, "").await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.matches("\u{1b}[H").count() > 1, "painted again in place: {shown:?}");
    assert!(shown.stdout.contains("every 100ms") && shown.stdout.trim_end().ends_with("\u{1b}[?25h"), "{shown:?}");
}
