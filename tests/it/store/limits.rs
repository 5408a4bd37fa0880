//! Postgres ends by itself what its client gave up.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, Row};
use vmacd::store::{Store, StoreOptions};

use super::bench::{Bench, create, rng};
use crate::support::{Proxy, eventually};

const LIMIT: Duration = Duration::from_millis(300);
const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

#[tokio::test]
async fn a_statement_that_waits_too_long_is_ended_by_the_server_too() {
    let bench = Bench::postgres().await;
    let options = StoreOptions { statement_timeout: LIMIT, ..StoreOptions::default() };
    let store = Store::connect(bench.url(), options).await.expect("a database");
    let mut other = PgConnection::connect(bench.url()).await.expect("a connection");
    let mut transaction = other.begin().await.expect("a transaction");
    transaction.execute("LOCK TABLE intents").await.expect("locked");
    let start = Instant::now();
    let late = store.intake().admit(&[create("m-1", 1, "10.0.1.10")], &mut rng()).await;
    assert!(late.as_ref().is_err_and(vmacd::store::StoreError::is_transient), "{late:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let count: i64 = transaction.fetch_one(WAITING).await.expect("a count").get(0);
    assert_eq!(count, 0, "a statement still waits for the lock");
    transaction.rollback().await.expect("rolled back");
    store.intake().admit(&[create("m-1", 1, "10.0.1.10")], &mut rng()).await.expect("taken in");
}

#[tokio::test]
async fn connections_that_a_network_swallowed_make_place_for_new_ones() {
    let bench = Bench::postgres().await;
    let authority =
        bench.url().rsplit_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a URL").0.to_owned();
    let proxy = Proxy::start(&authority).await;
    let url = bench.url().replace(&authority, &format!("127.0.0.1:{}", proxy.port()));
    let options = StoreOptions { connections_max: 2, statement_timeout: 3 * LIMIT, ..StoreOptions::default() };
    let store = Store::connect(&url, options).await.expect("a database");
    let mut other = PgConnection::connect(bench.url()).await.expect("a connection");
    let mut transaction = other.begin().await.expect("a transaction");
    transaction.execute("LOCK TABLE intents").await.expect("locked");
    let admit = async |key: &str, ip: &str| store.intake().admit(&[create(key, 1, ip)], &mut rng()).await;
    // Not within the transaction, which sees one picture of the others only.
    let mut watching = PgConnection::connect(bench.url()).await.expect("a connection");
    let swallow = eventually("both connections wait in a statement", async || {
        let count: i64 = watching.fetch_one(WAITING).await.expect("a count").get(0);
        if count < 2 {
            return Err(count);
        }
        proxy.strand();
        Ok(())
    });
    let (one, two, ()) = tokio::join!(admit("m-1", "10.0.1.10"), admit("m-2", "10.0.1.11"), swallow);
    assert!(one.is_err() && two.is_err(), "{one:?} {two:?}");
    eventually("the database is reached over new connections", async || store.check_tables().await).await;
}
