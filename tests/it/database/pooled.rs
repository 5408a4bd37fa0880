//! A worker whose database is behind PgBouncer in transaction mode.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, Row};
use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::postgres::{Database, fresh_database};
use crate::support::vmacd::{Settings, run};

fn through_the_pooler(settings: &Settings, database: &Database) -> Settings {
    settings.clone().set("VMACD_DATABASE_URL", database.pooled_url()).set("VMACD_DATABASE_POOLER", "transaction")
}

/// What the sessions behind the pooler show, each asked some times: whichever comes.
async fn shown(database: &Database, sql: &'static str) -> Vec<String> {
    let options: PgConnectOptions = database.pooled_url().parse().expect("a URL");
    // PgBouncer refuses it where its settings do not name it.
    let options = options.extra_float_digits(None);
    let mut connection = PgConnection::connect_with(&options).await.expect("the pooler takes connections");
    let mut shown = Vec::new();
    for _ in 0..20 {
        shown.push(connection.fetch_one(sql).await.expect("an answer").get(0));
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_in_transaction_mode_the_work_is_done_and_nothing_is_left_in_a_session() {
    let mut world = World::real_with(Options { switches: 2, ports_per_switch: 2, ..Options::default() }).await;
    world.settings = through_the_pooler(&world.settings, world.database());
    let serve = world.serve().await;
    for number in 1..=40 {
        let (server, address) = (number as usize % 4, number / 4 + 1);
        world.command("create", server, address, &format!("m-{number}")).await;
    }
    world.until("active", 40).await;
    for number in 1..=4 {
        world.command("revoke", number as usize % 4, number / 4 + 1, &format!("r-{number}")).await;
    }
    world.until("active", 36).await;
    world.assert_consistent().await;
    for (sql, expected) in [
        ("SHOW statement_timeout", "0"),
        ("SHOW enable_seqscan", "on"),
        ("SHOW synchronous_commit", "on"),
        ("SELECT CAST(count(*) AS text) FROM pg_prepared_statements", "0"),
        (
            "SELECT CAST(count(*) AS text) FROM pg_locks WHERE locktype = 'advisory' AND database = \
          (SELECT oid FROM pg_database WHERE datname = current_database())",
            "0",
        ),
    ] {
        let shown = shown(world.database(), sql).await;
        assert!(shown.iter().all(|shown| shown == expected), "{sql}: {shown:?}");
    }
    let waiting = "SELECT count(*) FROM unpublished_events";
    eventually("every event is published", async || world.database().count(waiting).await == 0).await;
    assert!(!serve.log().contains("WARN"), "{}", serve.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_take_their_own_url_past_a_pooler_and_are_refused_by_way_of_it() {
    let database = fresh_database().await;
    let settings = through_the_pooler(&Settings::new(), &database);
    let refused = run(&["migrate"], &settings).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("database.migrate_url"), "{refused:?}");
    let direct = settings.clone().set("VMACD_DATABASE_MIGRATE_URL", database.url());
    run(&["migrate"], &direct).await.ok();
    // There is nothing left to do that would need a session.
    run(&["migrate"], &settings).await.ok();
    run(&["list"], &settings).await.ok();
    let config = run(&["config"], &direct).await.ok();
    let url = database.url();
    let login = url.rsplit_once('@').expect("a login").0;
    let password = login.rsplit_once(':').expect("a password").1;
    assert!(config.contains("migrate_url") && !config.contains(password), "{config}");
}
