//! Postgres ends by itself what its client gave up.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, Row};
use vmacd::store::{Store, StoreOptions};

use super::bench::{Bench, create, rng};

const LIMIT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_statement_that_waits_too_long_is_ended_by_the_server_too() {
    let bench = Bench::postgres().await;
    let options = StoreOptions { statement_timeout: LIMIT, ..StoreOptions::default() };
    let store = Store::connect(bench.url(), options).await.expect("a database");
    let mut other = PgConnection::connect(bench.url()).await.expect("a connection");
    let mut transaction = other.begin().await.expect("a transaction");
    transaction.execute("LOCK TABLE intents").await.expect("locked");
    let start = Instant::now();
    let late = store.admit(&[create("m-1", 1, "10.0.1.10")], &mut rng()).await;
    assert!(late.as_ref().is_err_and(vmacd::store::StoreError::is_transient), "{late:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let count: i64 = transaction.fetch_one(waiting).await.expect("a count").get(0);
    assert_eq!(count, 0, "a statement still waits for the lock");
    transaction.rollback().await.expect("rolled back");
    store.admit(&[create("m-1", 1, "10.0.1.10")], &mut rng()).await.expect("taken in");
}
