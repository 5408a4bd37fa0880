//! The commands in the pages for newcomers, operators and contributors work as they are written there.
//!
//! Each indented or fenced block is read as shell: every command in it is run, unless [`NOT_RUN`] says why not.

use std::path::Path;
use std::process::Command;

use super::world::World;
use crate::support::vmacd::{Output, Serve, Settings, run, run_program};
use crate::support::{run_dir, unique};

/// How commands start that are not run here, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo ", "builds what the tests already run, or is a step of .ci/run"),
    ("alias vmacd=", "the tests' own binary comes first in PATH"),
    ("export VMACD_", "the login and the servers of the test are in the environment"),
    ("vmacd serve", "runs beside the others"),
    ("vmacd list --status pending --watch", "runs until Ctrl-C; tests/it/scenario/watching.rs tries it"),
    ("vmacd demo", "has a test of its own"),
    ("tests/", "is what runs the tests"),
    ("VMACD_TEST_", "is what runs the tests"),
    (".ci/run", "is what runs the tests"),
    ("deploy/release", "builds a release; tests/it/deploy runs what it makes"),
    ("ansible-playbook ", "needs hosts; tests/it/deploy/role.rs runs the role"),
    ("kubectl ", "needs Kubernetes"),
    ("helm ", "needs Kubernetes; tests/it/deploy/chart.rs renders the chart and runs what it starts"),
    ("auth_mechanisms.", "is a file of RabbitMQ"),
    ("ssl_cert_login_from", "is a file of RabbitMQ"),
    ("ssl_options.", "is a file of RabbitMQ"),
    ("apt install ./", "needs root"),
    ("install ", "needs root"),
    ("systemctl ", "needs systemd and root"),
    ("journalctl ", "needs systemd"),
    ("rm -f /var/lib/vmacd/", "needs root"),
    ("(umask 077; pg_dump", "needs Postgres; tests/it/scenario/backup.rs runs the command that is printed"),
    ("createdb ", "needs Postgres; tests/it/scenario/backup.rs restores what was dumped"),
    ("pg_restore ", "needs Postgres; tests/it/scenario/backup.rs restores what was dumped"),
    ("max_message_size ", "is a line of rabbitmq.conf"),
    ("rabbitmqctl ", "needs the rights of RabbitMQ's own user"),
    ("rabbitmq-plugins ", "needs the rights of RabbitMQ's own user"),
    ("docker compose ", "needs Docker; what it starts is run by tests/it/scenario/compose.rs"),
];

/// What a page's shell has: a `curl` that fails where the answer is a refusal, and asks again for what comes later.
const SHELL: &str = r#"set -euo pipefail
curl() { command curl --silent --show-error --fail --retry 30 --retry-delay 1 --retry-all-errors "$@"; }
"#;

/// A page, by its path from the root.
fn page(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of all blocks of code.
fn code(page: &str) -> Vec<&str> {
    let (mut fenced, mut block) = (false, true);
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || (block && line.starts_with("    ") && !line.trim().is_empty()) {
            lines.push(line.trim());
            continue;
        }
        block = line.trim().is_empty();
    }
    lines
}

/// What the blocks ask a shell to do. Data that stands between is checked: JSON for being some, variables for being
/// settings.
fn commands(path: &str) -> Vec<String> {
    commands_in(path, &page(path))
}

/// The same of one chapter, by its heading.
pub fn chapter(path: &str, heading: &str) -> Vec<String> {
    let text = page(path);
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{path}: {heading}"));
    commands_in(path, rest.split("\n## ").next().unwrap_or_default())
}

fn commands_in(path: &str, text: &str) -> Vec<String> {
    let (mut commands, mut open) = (Vec::new(), String::new());
    for line in code(text) {
        open.push_str(line);
        let is_json = open.starts_with('{') || open.starts_with('[');
        if is_json && serde_json::from_str::<serde_json::Value>(&open).is_err() || open.ends_with('\\') {
            open.push('\n');
            continue;
        }
        let done = std::mem::take(&mut open);
        let variable = done.split_once('=').map(|(name, _)| name.to_owned()).filter(|name| name.starts_with("VMACD_"));
        match variable {
            _ if is_json || done.starts_with('#') => {}
            Some(name) if !name.starts_with("VMACD_TEST_") => {
                assert!(vmacd::config::variables().contains(&name), "{path}: {name} is no setting");
            }
            _ => commands.push(done),
        }
    }
    assert!(open.is_empty(), "{path}: this does not end: {open}");
    commands
}

fn reason_not_to_run(command: &str) -> Option<&'static str> {
    NOT_RUN.iter().find(|(start, _)| command.starts_with(start)).map(|(_, reason)| *reason)
}

/// The command with the names that a page uses replaced by those of the world.
fn replaced(command: &str, names: &[(&str, String)]) -> String {
    let (mut done, mut rest) = (String::new(), command);
    while let Some(first) = rest.chars().next() {
        let starts_word = !done.ends_with(|before: char| before.is_alphanumeric());
        let name = names.iter().find(|(name, _)| {
            let after = rest.strip_prefix(name).map(|after| after.starts_with(|c: char| c.is_alphanumeric()));
            starts_word && after == Some(false)
        });
        let length = match name {
            Some((name, value)) => {
                done.push_str(value);
                name.len()
            }
            None => {
                done.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    done
}

/// Runs the commands of a page, one after the other, each by a shell.
async fn run_all(world: &World, path: &str, names: &[(&str, String)]) {
    let commands = commands(path);
    let to_run: Vec<_> = commands.iter().filter(|command| reason_not_to_run(command).is_none()).collect();
    assert!(to_run.len() > 2, "{path}: {commands:?}");
    for command in to_run {
        run_command(world, path, command, names).await;
    }
}

/// Runs one command of a page by a shell; it must end well.
pub async fn run_command(world: &World, path: &str, command: &str, names: &[(&str, String)]) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_vmacd")).parent().expect("a folder").display().to_string();
    let search = format!("{binary}:{}", std::env::var("PATH").unwrap_or_default());
    let settings = world.settings.clone().set("PATH", search);
    let command = replaced(command, names);
    let output = run_program("bash", &["-c", &format!("{SHELL}{command}")], &settings).await;
    assert_eq!(output.code, Some(0), "{path}: {command}: {}{}", output.stdout, output.stderr);
    output
}

/// What the pages' names stand for in a world.
fn names(world: &World, serve: &Serve) -> Vec<(&'static str, String)> {
    let inventory = run_dir().join(unique("pages")).with_extension("json");
    std::fs::write(&inventory, world.inventory.to_string()).expect("an inventory file");
    vec![
        ("inventory.json", inventory.display().to_string()),
        ("sw-a1", world.switch_of(0)),
        ("1042", world.server(0).to_string()),
        ("10.0.48.6", world.address(0, 1)),
        ("http://127.0.0.1:8080", serve.http_url()),
        ("vmac.commands", format!("{}vmac.commands", world.namespace)),
    ]
}

#[tokio::test]
async fn the_page_for_rabbitmq_and_postgres_works_as_written() {
    let world = World::real(1, 2).await;
    let serve = world.serve().await;
    run_all(&world, "docs/RABBITMQ.md", &names(&world, &serve)).await;
    world.until("active", 1).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn the_page_of_the_api_works_as_written() {
    let world = World::embedded(1, 2).await;
    let serve = world.serve().await;
    run_all(&world, "docs/API.md", &names(&world, &serve)).await;
    crate::support::eventually("what was asked for is taken off again", async || world.held() == world.primaries())
        .await;
}

#[tokio::test]
async fn the_quickstart_works_as_written() {
    let world = World::embedded(1, 2).await;
    let serve = world.serve().await;
    run_all(&world, "docs/QUICKSTART.md", &names(&world, &serve)).await;
    assert_eq!(world.held(), world.primaries(), "what was asked for was taken off again");
}

#[tokio::test]
async fn the_commands_for_operators_work_as_written() {
    let mut world = World::embedded(1, 2).await;
    world.place(&["ams1"]).await;
    let serve = world.serve().await;
    let mut names = names(&world, &serve);
    for number in 1..=2 {
        let (server, ip) = (world.server(0).to_string(), world.address(0, number));
        world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
    }
    let letter = dead_letter(&world, "10.9.9.9").await;
    let backups = world.vmacd(&["backups", "list", &world.switch_of(0)]).await;
    let copy = run_dir().join(unique("copy")).with_extension("db").display().to_string();
    names.extend([("vmacd-copy.db", copy), ("17", letter), ("41", backups[1]["id"].to_string())]);
    run_all(&world, "docs/STUCK.md", &names).await;
    // The page before has replayed the first one.
    names.retain(|(name, _)| *name != "17");
    names.push(("17", dead_letter(&world, "10.9.9.8").await));
    run_all(&world, "docs/OPERATING.md", &names).await;
}

/// The number of the dead letter of a create for a server that nobody has.
async fn dead_letter(world: &World, ip: &str) -> String {
    run(&["create", "--server", "999999", "--ip", ip, "--wait"], &world.settings).await;
    crate::support::eventually("a dead letter", async || {
        let letters = world.dead_letters().await;
        let found = letters.iter().find(|letter| letter.to_string().contains(ip));
        found.map(|letter| letter["id"].to_string()).ok_or(letters)
    })
    .await
}

#[test]
fn what_is_not_run_is_there_and_has_its_reason() {
    let pages =
        ["README", "CONTRIBUTING", "docs/API", "docs/OPERATING", "docs/QUICKSTART", "docs/RABBITMQ", "docs/STUCK"];
    let pages = pages.map(|page| format!("{page}.md"));
    let all: Vec<String> = pages.iter().flat_map(|path| commands(path)).collect();
    for (start, reason) in NOT_RUN {
        let found = all.iter().any(|command| command.starts_with(start));
        assert!(found, "no page has a command that starts with {start:?}: {reason}");
    }
    for command in commands("CONTRIBUTING.md") {
        assert!(reason_not_to_run(&command).is_some(), "CONTRIBUTING.md: nobody runs `{command}`");
    }
    // What is a file here must be one.
    let words = all.iter().flat_map(|command| command.split_whitespace());
    for word in
        words.filter(|word| ["tests/", ".ci/", "benches/", "deploy/"].iter().any(|start| word.starts_with(start)))
    {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(word);
        assert!(file.exists(), "a page names {word}");
    }
}

#[test]
fn names_are_replaced_as_whole_words_and_once() {
    let names = [("17", "1042".to_owned()), ("1042", "17".to_owned()), ("10.0.48.6", "10.0.0.9".to_owned())];
    let command = "show 17 117 1042 10.0.48.6 10.0.48.60 http://h/10.0.48.6/timeline";
    assert_eq!(replaced(command, &names), "show 1042 117 17 10.0.0.9 10.0.48.60 http://h/10.0.0.9/timeline");
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
