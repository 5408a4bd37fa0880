//! Two versions of the worker, one database: newer tables, what would be done to them, and a migration under load.

use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};

use super::tables::Empty;
use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::{Serve, run};

/// Makes the tables what a later version might make of them: a table of its own, and a column that this version does not write.
async fn migrate_to_a_later_version(world: &World, kind: &str) {
    let later = format!(
        "INSERT INTO table_changes (version, kind) VALUES (9999, '{kind}');
         CREATE TABLE of_a_later_version (id BIGINT PRIMARY KEY);
         ALTER TABLE virtual_macs ADD COLUMN of_a_later_version BIGINT NOT NULL DEFAULT 7;
         ALTER TABLE commands ADD COLUMN of_a_later_version TEXT;
         CREATE INDEX of_a_later_index ON commands (action);
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'of a later version', true, '', 0)"
    );
    world.database().execute(later).await;
}

async fn is_ready(serve: &Serve) {
    eventually("it is ready", async || match serve.get("/readyz").await {
        (200, _) => Ok(()),
        (_, body) => Err(body),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_with_newer_tables_that_are_declared_additive_and_starts_on_them() {
    let world = World::real(1, 2).await;
    let mut serve = world.serve().await;
    is_ready(&serve).await;
    // Until statements are prepared on many of its connections: those are refused from then on.
    world.publish_creates((1..=20).map(|number| (0, number))).await;
    world.until("active", 20).await;
    migrate_to_a_later_version(&world, "additive").await;
    for number in 21..=40 {
        world.command("create", 0, number, &format!("after-{number}")).await;
    }
    world.until("active", 40).await;
    let refused = serve.log().matches("cached plan").count();
    assert!(refused <= 20, "{refused} refusals: {}", serve.log());
    // The sign of life is asked for anew within seconds; it was ready before, and has to be still.
    assert_eq!(run(&["list"], &world.settings).await.code, Some(0));
    serve.sigterm();
    serve.wait().await;
    let serve = Serve::start(&world.settings.clone().set("VMACD_DATABASE_MIGRATE", "never")).await;
    is_ready(&serve).await;
    world.command("revoke", 0, 1, "gone").await;
    world.until("revoked", 1).await;
    world.assert_consistent().await;
    // Neither does a worker that may migrate undo anything, nor does the verb.
    run(&["migrate"], &world.settings).await.ok();
    let plan = run(&["migrate", "--plan"], &world.settings).await.ok();
    assert!(plan.contains("are newer, and this version works with them"), "{plan}");
    assert_eq!(world.database().count("SELECT COUNT(*) FROM virtual_macs WHERE of_a_later_version = 7").await, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_refuses_newer_tables_that_took_something_away() {
    let world = World::real(1, 1).await;
    migrate_to_a_later_version(&world, "contracting").await;
    for verb in [["serve"].as_slice(), &["list"], &["migrate"], &["migrate", "--plan"]] {
        let refused = run(verb, &world.settings).await;
        assert!(refused.code == Some(2) && refused.stderr.contains("newer (version 9999)"), "{verb:?}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_each_migration_and_who_waits_and_changes_nothing() {
    for empty in Empty::both().await {
        let untouched = run(&["migrate", "--plan"], &empty.settings).await;
        match empty.url.starts_with("sqlite:") {
            true => assert_eq!(untouched.code, Some(2), "there is no file yet: {untouched:?}"),
            false => assert!(untouched.ok().contains("no tables yet")),
        }
        empty.make_older_than(13).await;
        let older = empty.version().await;
        let plan = run(&["migrate", "--plan", "--json"], &empty.settings).await.json();
        assert_eq!((&plan["found"], &plan["workers_go_on"]), (&older.into(), &false.into()), "{plan}");
        let migrations = plan["migrations"].as_array().expect("a list");
        let named = |version: u64| migrations.iter().find(|of| of["version"] == version).expect("a migration");
        assert_eq!(named(13)["change"], "additive");
        assert_eq!((&named(14)["change"], named(14)["why"].is_string()), (&"contracting".into(), true));
        let steps = named(14)["steps"].as_array().expect("a list");
        let of_work: Vec<&Value> = steps.iter().filter(|step| step["table"] == "switch_work").collect();
        assert!(!of_work.is_empty() && of_work.iter().all(|step| step["rows"] == 0), "{plan}");
        let text = run(&["migrate", "--plan"], &empty.settings).await.ok();
        assert!(text.contains("Stop all workers first") && text.contains("0022_in_force_seen (additive)"), "{text}");
        assert_eq!(empty.version().await, older);
        run(&["migrate"], &empty.settings).await.ok();
        let done = run(&["migrate", "--plan"], &empty.settings).await.ok();
        assert!(done.contains("tables are up to date"), "{done}");
    }
}

/// The rows that say what each migration is are there for all, whatever was there before.
#[tokio::test(flavor = "multi_thread")]
async fn every_migration_that_was_made_is_declared_in_the_database() {
    let world = World::real(1, 1).await;
    let undeclared = "SELECT COUNT(*) FROM _sqlx_migrations m LEFT JOIN table_changes c ON c.version = m.version
        WHERE c.kind IS NULL";
    assert_eq!(world.database().count(undeclared).await, 0);
    let contracting = "SELECT COUNT(*) FROM table_changes WHERE kind = 'contracting'";
    assert!(world.database().count(contracting).await > 0);
}

/// Waits until somebody waits for that table.
async fn waits_for_switches(connection: &mut PgConnection) {
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE relation = 'switches'::regclass AND NOT granted";
    eventually("the migration waits for the table", async || {
        let count: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *connection).await.expect("a number");
        if count > 0 { Ok(()) } else { Err("nobody waits") }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_for_a_long_transaction_holds_nobody_up_for_long() {
    let [empty, _] = Empty::both().await;
    // 0022 has a column for the table of switches.
    empty.make_older_than(22).await;
    let mut long = PgConnection::connect(&empty.url).await.expect("a database");
    long.execute("BEGIN; SELECT COUNT(*) FROM switches").await.expect("a long transaction");
    let mut other = PgConnection::connect(&empty.url).await.expect("a database");
    let others = async {
        for round in 0..2 {
            waits_for_switches(&mut other).await;
            // Behind the migration, which gives way; the limit is generous for a machine that others use.
            other.execute("SET statement_timeout = '20s'").await.expect("a limit");
            let read = other.execute("SELECT COUNT(*) FROM switches").await;
            assert!(read.is_ok(), "round {round}: {read:?}");
        }
        long.execute("COMMIT").await.expect("the long transaction ends");
    };
    tokio::join!(run(&["migrate"], &empty.settings), others).0.ok();
    let done = run(&["migrate", "--plan"], &empty.settings).await.ok();
    assert!(done.contains("up to date"), "{done}");
}
