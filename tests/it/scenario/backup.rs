//! What is in the database's file when a process has ended, who may read it, and copies of it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::world::World;
use crate::support::postgres::fresh_database;
use crate::support::vmacd::{Serve, Settings, run, run_program};
use crate::support::{eventually, run_dir, unique};

/// The database's file.
fn file_of(world: &World) -> PathBuf {
    world.settings.get("VMACD_DATABASE_URL").and_then(|url| url.strip_prefix("sqlite://")).expect("SQLite").into()
}

fn new_file(what: &str) -> PathBuf {
    run_dir().join(unique(what)).with_extension("db")
}

fn mode(path: &Path) -> u32 {
    let known = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    known.permissions().mode() & 0o777
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", file.display()))
}

/// What somebody gets who copies the database's file and nothing else.
fn copied_alone(file: &Path) -> PathBuf {
    let copy = new_file("alone");
    std::fs::copy(file, &copy).expect("copied");
    copy
}

async fn count(file: &Path, sql: &str) -> i64 {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("a database");
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut connection).await.expect("a count");
    connection.close().await.expect("closed");
    row.get(0)
}

const ACTIVE: &str = "SELECT COUNT(*) FROM virtual_macs WHERE status = 'active'";
const QUEUED: &str = "SELECT COUNT(*) FROM queue_messages WHERE queue LIKE '%commands'";

async fn create(world: &World, number: u32, more: &[&str]) {
    let (server, ip) = (world.server(0).to_string(), world.address(0, number));
    let words = [&["create", "--server", &server, "--ip", &ip], more].concat();
    world.vmacd(&words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_worker_has_stopped_the_databases_file_alone_has_every_row() {
    let world = World::embedded(1, 1).await;
    let file = file_of(&world);
    let mut serve = world.serve().await;
    for number in 1..=10 {
        create(&world, number, &["--wait"]).await;
    }
    // Somebody else has it open: the worker is not the last to close it.
    let reader = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("a database");
    serve.sigterm();
    assert!(serve.wait().await.success(), "{}", serve.log());
    assert_eq!(count(&copied_alone(&file), ACTIVE).await, 10);
    reader.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_verb_has_ended_or_was_interrupted_the_databases_file_alone_has_what_it_wrote() {
    let world = World::embedded(1, 1).await;
    let file = file_of(&world);
    create(&world, 1, &[]).await;
    assert_eq!(count(&copied_alone(&file), QUEUED).await, 1);
    assert!(!beside(&file, "-wal").exists(), "the last to close it empties it");
    for (queued, signal, code) in [(2, "INT", 130), (3, "TERM", 143)] {
        let (server, ip) = (world.server(0).to_string(), world.address(0, queued));
        let words = ["create", "--server", &server, "--ip", &ip, "--wait"];
        let mut waiting = Serve::spawn_command(&words, &world.settings);
        // Read with its WAL, while it waits.
        eventually("the message is in the queue", async || count(&file, QUEUED).await == i64::from(queued)).await;
        waiting.signal(signal);
        assert_eq!(waiting.wait().await.code(), Some(code), "{}", waiting.log());
        assert_eq!(count(&copied_alone(&file), QUEUED).await, i64::from(queued), "after SIG{signal}");
    }
    let refused = run(&["create", "--server", "1", "--ip", "10.0.0.300"], &world.settings).await;
    assert_eq!((refused.code, beside(&file, "-wal").exists()), (Some(1), false), "{refused:?}");
}

/// The same settings for programs that make files for everybody.
fn careless(settings: &Settings) -> Settings {
    let prefix = ["sh", "-c", "umask 000; exec \"$0\" \"$@\""];
    settings.clone().through(prefix.map(str::to_owned).to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vmacd_writes_down_is_its_owners_alone_whatever_the_umask() {
    let settings = careless(&Settings::new());
    let file = new_file("private");
    let world = World::embedded_in(
        &file,
        settings,
        vmacd::sim::Options { switches: 1, ports_per_switch: 1, ..Default::default() },
    )
    .await;
    assert_eq!(mode(&file), 0o600);
    let _worker = world.serve().await;
    create(&world, 1, &["--wait"]).await;
    for ending in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&file, ending)), 0o600, "{ending}");
    }
    let (copy, key) = (new_file("copy"), new_file("key"));
    world.vmacd(&["backup", &copy.display().to_string()]).await;
    world.vmacd(&["backups", "keygen", &key.display().to_string()]).await;
    assert_eq!((mode(&copy), mode(&key)), (0o600, 0o600));
    let made = std::fs::read(&key).expect("a key");
    let again = run(&["backups", "keygen", &key.display().to_string()], &world.settings).await;
    assert_eq!((again.code, std::fs::read(&key).expect("a key")), (Some(1), made), "{again:?}");
    let sealed = world.settings.clone().set("VMACD_BACKUPS_KEY_FILE", key.display());
    run(&["backups", "list", "sw-001"], &sealed).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_everybody_may_read_is_closed_and_one_for_a_group_is_left() {
    let world = World::embedded(1, 1).await;
    let file = file_of(&world);
    for (before, after) in [(0o644, 0o600), (0o640, 0o640)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(before)).expect("set");
        world.vmacd(&["list"]).await;
        assert_eq!(mode(&file), after, "{before:o}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_while_a_worker_runs_is_whole_and_a_worker_goes_on_from_it() {
    let world = World::embedded(1, 1).await;
    let worker = world.serve().await;
    create(&world, 1, &["--wait"]).await;
    for number in 2..=40 {
        create(&world, number, &[]).await;
    }
    // The MAC of a command that is still queued in the copy is drawn anew: what the switch has by then is somebody else's.
    eventually("every command has its row", async || {
        let rows = world.vmacd(&["list"]).await;
        rows.as_array().is_some_and(|rows| rows.len() == 40)
    })
    .await;
    let copy = new_file("copy");
    let made = world.vmacd(&["backup", &copy.display().to_string()]).await;
    assert_eq!(made["bytes"].as_u64(), Some(std::fs::metadata(&copy).expect("a file").len()), "{made}");
    // A commit that the copy knows nothing of must not wait for its confirmation.
    world.until("active", 40).await;
    drop(worker);
    assert_eq!(count(&copy, "SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'").await, 1);
    assert!(count(&copy, ACTIVE).await >= 1);
    let restored = world.settings.clone().set("VMACD_DATABASE_URL", format!("sqlite://{}", copy.display()));
    let _worker = Serve::start(&restored).await;
    eventually("every command of the copy is done", async || {
        let rows = run(&["list", "--status", "active", "--json"], &restored).await.json();
        let active = rows.as_array().map_or(0, Vec::len);
        if active == 40 { Ok(()) } else { Err(active) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_no_files_place_unless_told_and_never_the_databases() {
    let world = World::embedded(1, 1).await;
    let file = file_of(&world);
    let backup = async |words: &[&str]| run(&[&["backup"], words].concat(), &world.settings).await;
    let taken = new_file("taken");
    std::fs::write(&taken, "somebody's").expect("written");
    let name = taken.display().to_string();
    let refused = backup(&[&name]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("--overwrite"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&taken).expect("a file"), "somebody's");
    backup(&[&name, "--overwrite"]).await.ok();
    assert_eq!((count(&taken, "SELECT COUNT(*) FROM switches").await, mode(&taken)), (1, 0o600));
    let before = std::fs::read(&file).expect("a file");
    for own in [
        file.display().to_string(),
        format!("{}/./{}", run_dir().display(), file.file_name().expect("a name").display()),
    ] {
        let refused = backup(&[&own, "--overwrite"]).await;
        assert!(refused.code == Some(1) && refused.stderr.contains("the database itself"), "{refused:?}");
    }
    assert_eq!(std::fs::read(&file).expect("a file"), before);
    for nowhere in [run_dir().display().to_string(), format!("{}/none/copy.db", run_dir().display())] {
        let refused = backup(&[&nowhere, "--overwrite"]).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
    }
    let folder = taken.parent().expect("a folder");
    let parts = std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok);
    let left: Vec<_> = parts
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().starts_with(&*taken.file_name().expect("a name").to_string_lossy()))
        .collect();
    assert_eq!(left.len(), 1, "nothing is left beside it: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn for_postgres_the_command_that_copies_it_is_told_without_its_password_and_works() {
    let world = World::real(1, 1).await;
    let dump = run_dir().join(unique("pg")).with_extension("dump");
    let told = run(&["backup", &dump.display().to_string()], &world.settings).await;
    let url = world.database().url();
    let password = url.split(':').nth(2).and_then(|rest| rest.split('@').next()).expect("a password").to_owned();
    assert!(told.code == Some(1) && !told.stderr.contains(&format!(":{password}@")), "{told:?}");
    let command = told.stderr.find("(umask").map(|at| told.stderr[at..].trim().to_owned()).expect("a command");
    let settings = Settings::new().set("PGPASSWORD", &password);
    run_program("sh", &["-c", &command], &settings).await.ok();
    assert_eq!(mode(&dump), 0o600);
    let restored = fresh_database().await;
    let (into, dump) = (format!("--dbname={}", restored.url()), dump.display().to_string());
    run_program("pg_restore", &["--exit-on-error", "--no-owner", &into, &dump], &settings).await.ok();
    let switches =
        run(&["switches", "list", "--json"], &Settings::new().set("VMACD_DATABASE_URL", restored.url())).await;
    assert_eq!(switches.json()[0]["name"], "sw-001");
}
