//! The commands in the pages for newcomers and operators work as they are written there.

use std::path::Path;
use std::process::Command;

use super::world::World;
use crate::support::vmacd::{Settings, run};
use crate::support::{run_dir, unique};

/// The indented lines of a page that call `vmacd`, without their comments, as words.
fn commands(page: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = std::fs::read_to_string(path).expect("the page");
    let lines =
        text.lines().filter(|line| line.starts_with("    ")).filter_map(|line| line.trim().strip_prefix("vmacd "));
    let words =
        lines.map(|line| line.split('#').next().unwrap_or(line).split_whitespace().map(str::to_owned).collect());
    words.collect()
}

/// Runs the commands of a page, with the names and numbers that it uses replaced by those of the world.
async fn run_all(world: &World, page: &str, replaced: &[(&str, String)]) {
    let commands = commands(page);
    assert!(commands.len() > 5, "{page}: {commands:?}");
    // `serve` runs beside them, and the demo has a test of its own.
    for command in commands.iter().filter(|command| !matches!(command[0].as_str(), "serve" | "demo")) {
        let word = |word: &String| match replaced.iter().find(|(name, _)| name == word) {
            Some((_, value)) => value.clone(),
            None => word.clone(),
        };
        let words: Vec<String> = command.iter().map(word).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = run(&words, &world.settings).await;
        assert_eq!(output.code, Some(0), "{page}: vmacd {}: {}", words.join(" "), output.stderr);
    }
}

/// A world with a worker, and what the pages' names stand for in it.
async fn world() -> (World, Vec<(&'static str, String)>) {
    let world = World::embedded(1, 2).await;
    let inventory = run_dir().join(unique("pages")).with_extension("json");
    std::fs::write(&inventory, world.inventory.to_string()).expect("an inventory file");
    let names = vec![
        ("inventory.json", inventory.display().to_string()),
        ("sw-a1", world.switch_of(0)),
        ("1042", world.server(0).to_string()),
        ("10.0.48.6", world.address(0, 1)),
    ];
    (world, names)
}

#[tokio::test]
async fn the_quickstart_works_as_written() {
    let (world, names) = world().await;
    let _worker = world.serve().await;
    run_all(&world, "QUICKSTART.md", &names).await;
    assert_eq!(world.held(), world.primaries(), "what was asked for was taken off again");
}

#[tokio::test]
async fn the_commands_for_operators_work_as_written() {
    let (world, mut names) = world().await;
    let _worker = world.serve().await;
    for number in 1..=2 {
        let (server, ip) = (world.server(0).to_string(), world.address(0, number));
        world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
    }
    run(&["create", "--server", "999999", "--ip", "10.9.9.9", "--wait"], &world.settings).await;
    let letter = crate::support::eventually("a dead letter", async || {
        let letters = world.dead_letters().await;
        letters.first().map(|letter| letter["id"].to_string()).ok_or(letters)
    })
    .await;
    let backups = world.vmacd(&["backups", "list", &world.switch_of(0)]).await;
    names.extend([("17", letter), ("41", backups[1]["id"].to_string())]);
    run_all(&world, "OPERATING.md", &names).await;
}

#[tokio::test]
async fn completions_load_and_every_verb_has_its_page() {
    let script = run(&["completions", "bash"], &Settings::new()).await.ok();
    let file = run_dir().join(unique("completions"));
    std::fs::write(&file, script).expect("a file");
    let asked = format!("source {} && complete -p vmacd", file.display());
    let bash = Command::new("bash").args(["--norc", "-c", &asked]).output().expect("bash");
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));
    let folder = run_dir().join(unique("man"));
    run(&["man", &folder.display().to_string()], &Settings::new()).await.ok();
    for page in ["vmacd.1", "vmacd-serve.1", "vmacd-create.1", "vmacd-dead-letters-replay.1"] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
}
