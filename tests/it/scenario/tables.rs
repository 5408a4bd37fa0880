//! Tables of another version than the program's: who changes them, and what a worker says of them.

use std::path::Path;

use serde_json::Value;
use sqlx::migrate::{Migrate, Migration, Migrator};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use super::world::World;
use crate::support::postgres::{Database, fresh_database};
use crate::support::vmacd::{Output, Serve, Settings, run};
use crate::support::{eventually, run_dir, unique};

/// An empty database of either engine, and settings for it.
pub struct Empty {
    pub url: String,
    pub settings: Settings,
    _database: Option<Database>,
}

impl Empty {
    pub async fn both() -> [Self; 2] {
        let database = fresh_database().await;
        let file = run_dir().join(unique("tables")).with_extension("db");
        [Self::new(database.url(), Some(database)), Self::new(format!("sqlite://{}", file.display()), None)]
    }

    fn new(url: String, database: Option<Database>) -> Self {
        Self { settings: Settings::new().set("VMACD_DATABASE_URL", &url), url, _database: database }
    }

    fn never(&self) -> Settings {
        self.settings.clone().set("VMACD_DATABASE_MIGRATE", "never")
    }

    /// Makes the tables of the version before the newest.
    async fn make_older(&self) {
        self.make_older_than(i64::MAX).await;
    }

    /// Makes tables older than this version, and than the newest.
    pub async fn make_older_than(&self, version: i64) {
        let engine = if self.url.starts_with("sqlite:") { "sqlite" } else { "postgres" };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        let all = Migrator::new(folder).await.expect("migrations");
        let newest = all.iter().map(|migration| migration.version).max().expect("migrations");
        let is_older = |migration: &&Migration| migration.version < version.min(newest);
        let older = Migrator::with_migrations(all.iter().filter(is_older).cloned().collect());
        if engine == "sqlite" {
            let mut connection = SqliteConnection::connect(&format!("{}?mode=rwc", self.url)).await.expect("a file");
            apply(&older, &mut connection).await;
            connection.close().await.expect("closed");
        } else {
            apply(&older, &mut PgConnection::connect(&self.url).await.expect("a database")).await;
        }
    }

    /// The highest version that is written down.
    pub async fn version(&self) -> i64 {
        let sql = "SELECT MAX(version) FROM _sqlx_migrations";
        if self.url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(&self.url).await.expect("a file");
            let version = sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a version");
            connection.close().await.expect("closed");
            version
        } else {
            let mut connection = PgConnection::connect(&self.url).await.expect("a database");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a version")
        }
    }
}

async fn apply<C: Migrate>(migrator: &Migrator, connection: &mut C) {
    migrator.run_direct(None, connection, false).await.expect("applied");
}

#[track_caller]
fn assert_refused(output: &Output, what: &str) {
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains(what) && output.stderr.contains("vmacd migrate"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_may_not_change_tables_refuses_missing_and_older_ones_and_says_what_to_run() {
    for empty in Empty::both().await {
        let missing = if empty.url.starts_with("sqlite:") { "cannot connect" } else { "no tables" };
        assert_refused(&run(&["serve"], &empty.never()).await, missing);
        assert_refused(&run(&["create", "--server", "1", "--ip", "10.0.0.1"], &empty.never()).await, missing);
        empty.make_older().await;
        let older = empty.version().await;
        assert_refused(&run(&["serve"], &empty.never()).await, "older");
        assert_eq!(empty.version().await, older);
        run(&["migrate"], &empty.never()).await.ok();
        assert!(empty.version().await > older);
        drop(Serve::start(&empty.never()).await);
        let bad = run(&["serve"], &empty.settings.clone().set("VMACD_DATABASE_MIGRATE", "sometimes")).await;
        assert!(bad.code == Some(1) && bad.stderr.contains("auto") && bad.stderr.contains("never"), "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_may_brings_older_tables_up_to_date_and_no_other_verb_does() {
    for empty in Empty::both().await {
        empty.make_older().await;
        let older = empty.version().await;
        let file = run_dir().join(unique("inventory")).with_extension("json");
        std::fs::write(&file, r#"{"switches": [], "servers": []}"#).expect("written");
        let list = run_dir().join(unique("macs")).with_extension("csv");
        std::fs::write(&list, "mac\n02:aa:00:00:00:01\n").expect("written");
        let (file, list) = (file.display().to_string(), list.display().to_string());
        for verb in [
            ["create", "--server", "1", "--ip", "10.0.0.1"].as_slice(),
            &["create", "--server", "1", "--subnet", "10.0.0.0/29"],
            &["revoke", "--server", "1", "--ip", "10.0.0.1"],
            &["reserve", "--server", "1", "--ip", "10.0.0.1"],
            &["inventory", "import", &file],
            &["macs", "import", &list],
            &["freeze", "--all", "--until", "1h"],
            &["list"],
        ] {
            assert_refused(&run(verb, &empty.settings).await, "older");
        }
        assert_eq!(empty.version().await, older);
        drop(Serve::start(&empty.settings).await);
        assert!(empty.version().await > older);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_of_older_tables_goes_on_in_newer_ones() {
    for empty in Empty::both().await {
        // 0011 lets a site have several.
        empty.make_older_than(12).await;
        let freeze = "INSERT INTO freezes (site, until, reason, made_by, made_at, kind) VALUES
            ('*', '9999-01-01T00:00:00+00:00', 'commits fail', 'w', '2026-01-01T00:00:00+00:00', 'automatic')";
        if empty.url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(&empty.url).await.expect("a file");
            connection.execute(freeze).await.expect("written");
            connection.close().await.expect("closed");
        } else {
            PgConnection::connect(&empty.url).await.expect("a database").execute(freeze).await.expect("written");
        }
        run(&["migrate"], &empty.settings).await.ok();
        let freezes = run(&["freezes", "--json"], &empty.settings).await.json();
        assert_eq!((&freezes[0]["site"], &freezes[0]["kind"]), (&"*".into(), &"automatic".into()), "{freezes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_migrate_at_once_one_does_and_all_succeed() {
    for empty in Empty::both().await {
        for _ in 0..2 {
            let migrations = (0..6).map(|_| run(&["migrate"], &empty.settings));
            for output in futures_util::future::join_all(migrations).await {
                assert_eq!(output.code, Some(0), "{output:?}");
            }
        }
        run(&["list"], &empty.settings).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_worker_says_that_its_tables_have_become_newer_and_goes_on() {
    let world = World::real(1, 1).await;
    let serve = world.serve().await;
    eventually("it is ready", async || serve.get("/readyz").await.0 == 200).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'of another release', true, '', 0)";
    world.database().execute(newer.to_owned()).await;
    let body = eventually("it says so", async || {
        let (status, body) = serve.get("/readyz").await;
        if status == 503 { Ok(body) } else { Err(body) }
    })
    .await;
    let told: Value = serde_json::from_str(&body).expect("JSON");
    let database = told["parts"].as_array().expect("parts").iter().find(|part| part["part"] == "database");
    let error = database.and_then(|part| part["error"].as_str()).expect("an error");
    assert!(error.contains("newer (version 9999)"), "{body}");
    assert_eq!(serve.get("/healthz").await.0, 200, "nobody is to restart it");
    world.command("create", 0, 1, "m-1").await;
    eventually("it goes on with what it can do", async || world.switches()[0].commits() > 0).await;
    let refused = run(&["list"], &world.settings).await;
    assert!(refused.code == Some(2) && refused.stderr.contains("newer"), "{refused:?}");
    let restarted = run(&["serve"], &world.settings.clone().set("VMACD_HTTP_ADDR", "127.0.0.1:0")).await;
    assert_eq!(restarted.code, Some(2), "{restarted:?}");
    world.database().execute("DELETE FROM _sqlx_migrations WHERE version = 9999".to_owned()).await;
    eventually("it is ready again", async || serve.get("/readyz").await.0 == 200).await;
    world.until("active", 1).await;
}
