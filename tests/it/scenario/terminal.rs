//! What a terminal gets, and what a pipe or a file gets.

use super::world::World;
use crate::support::vmacd::{run, run_on_terminal};
use crate::support::{run_dir, unique};

/// A world in which one address is pending: nobody works on it.
async fn pending() -> World {
    let world = World::embedded(1, 1).await;
    let mut worker = world.serve().await;
    let (server, ip) = (world.server(0).to_string(), world.address(0, 1));
    world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
    worker.sigterm();
    worker.wait().await;
    world
}

const GREEN: &str = "\u{1b}[38;5;2m";

#[tokio::test]
async fn colours_are_for_terminals_and_for_those_who_force_them() {
    let world = pending().await;
    let settings = &world.settings;
    let piped = run(&["list"], settings).await.ok();
    assert!(!piped.contains('\u{1b}') && piped.contains("active"), "{piped}");
    assert_eq!(piped.lines().count(), 2, "a row is a line: {piped}");
    let on_terminal = run_on_terminal(&["list"], settings, 200, "").await.ok();
    assert!(on_terminal.contains(GREEN), "{on_terminal:?}");
    for forced in [settings.clone().set("CLICOLOR_FORCE", "1"), settings.clone().set("TERM", "xterm")] {
        let always = forced.get("CLICOLOR_FORCE").is_none();
        let arguments: &[&str] = if always { &["list", "--color", "always"] } else { &["list"] };
        assert!(run(arguments, &forced).await.ok().contains(GREEN));
    }
    for plain in [settings.clone().set("NO_COLOR", "1"), settings.clone()] {
        let never = plain.get("NO_COLOR").is_none();
        let arguments: &[&str] = if never { &["list", "--color", "never"] } else { &["list"] };
        let shown = run_on_terminal(arguments, &plain, 200, "").await.ok();
        assert!(!shown.contains("\u{1b}["), "{shown:?}");
    }
}

#[tokio::test]
async fn a_table_fits_the_terminal() {
    let world = pending().await;
    let narrow = run_on_terminal(&["list", "--color", "never"], &world.settings, 60, "").await.ok();
    assert!(narrow.lines().all(|line| line.trim_end().chars().count() <= 60), "{narrow}");
    assert!(narrow.lines().count() > 2, "it is wrapped: {narrow}");
}

#[tokio::test]
async fn what_an_event_or_an_error_says_is_plain_where_stderr_is_no_terminal() {
    let world = pending().await;
    let failed = run(&["show", "10.9.9.9", "--color", "always"], &world.settings).await;
    assert!(!failed.stderr.contains('\u{1b}') && failed.stderr.starts_with("error: "), "{failed:?}");
}

#[tokio::test]
async fn long_work_shows_how_far_it_is_on_a_terminal_alone() {
    let world = World::embedded(1, 1).await;
    let line = |number: u32| {
        format!("{},0c:00:00:00:{:02x}:{:02x},,,sw-001,ge-0/1/{number}.0\n", 5_000 + number, number / 256, number % 256)
    };
    let lines: String = (0..2_000).map(line).collect();
    let file = run_dir().join(unique("servers")).with_extension("csv");
    std::fs::write(&file, format!("id,pxe_mac,primary_ip,vlan_name,switch,interface\n{lines}")).expect("a file");
    let import = ["inventory", "import", &file.display().to_string()];
    let on_terminal = run_on_terminal(&import, &world.settings, 100, "").await.ok();
    assert!(on_terminal.contains("importing") && on_terminal.contains("2000 added"), "{on_terminal:?}");
    let piped = run(&import, &world.settings).await;
    assert_eq!((piped.stdout.as_str(), piped.stderr.as_str()), ("0 added, 0 updated, 2000 unchanged\n", ""));
}
