//! A store notices that its database is another one, or may be an older one, before it is used.

use std::time::Duration;

use vmacd::store::{Store, StoreOptions};

use crate::support::pair::Pair;
use crate::support::postgres::{Postgres, authority};
use crate::support::{Proxy, eventually};

fn options(is_pooled: bool) -> StoreOptions {
    StoreOptions { is_pooled, statement_timeout: Duration::from_secs(5), ..StoreOptions::default() }
}

/// Asks until there is an answer; how often the database was another one by then.
async fn lineage(store: &Store) -> u64 {
    eventually("the database answers", async || store.check_tables().await).await;
    store.lineage()
}

async fn migrated(url: &str) -> Store {
    let store = Store::connect(url, options(false)).await.expect("a database");
    store.migrate().await.expect("tables");
    store.close().await;
    Store::connect(url, options(false)).await.expect("a database")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_may_bring_an_older_database_and_a_lost_connection_does_not_on_a_private_server() {
    let mut postgres = Postgres::private();
    let proxy = Proxy::start(authority(postgres.url())).await;
    let through = postgres.url().replace(authority(postgres.url()), &format!("127.0.0.1:{}", proxy.port()));
    let direct = migrated(postgres.url()).await;
    let store = Store::connect(&through, options(false)).await.expect("a database");
    assert_eq!((lineage(&direct).await, lineage(&store).await), (0, 0));
    proxy.cut();
    eventually("it is cut off", async || store.check_tables().await.is_err()).await;
    proxy.restore();
    assert_eq!(lineage(&store).await, 0, "it is the same server");
    postgres.kill9();
    postgres.start_again();
    assert_eq!((lineage(&direct).await, lineage(&store).await), (1, 1));
    assert_eq!(lineage(&store).await, 1, "no other since then");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_standby_is_another_database_on_private_servers() {
    let mut pair = Pair::start().await;
    let store = migrated(&pair.url("postgres")).await;
    assert_eq!(lineage(&store).await, 0);
    pair.kill_primary();
    pair.promote().await;
    assert_eq!(lineage(&store).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_leads_to_another_database_is_noticed_within_its_own_connections_on_a_private_server() {
    let mut postgres = Postgres::private();
    let pooler = postgres.pooler();
    migrated(postgres.url()).await.close().await;
    let store = Store::connect(pooler.url(), options(true)).await.expect("a database");
    assert_eq!(lineage(&store).await, 0);
    // No connection to the pooler is in a transaction: none of them breaks.
    postgres.kill9();
    postgres.start_again();
    assert_eq!(lineage(&store).await, 1);
    assert_eq!(lineage(&store).await, 1, "no other since then");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_standby_never_had_are_missing_after_its_promotion_and_the_store_notices_on_private_servers() {
    let mut pair = Pair::start_to_hold_back().await;
    let store = migrated(&pair.url("postgres")).await;
    eventually("the standby has the tables", async || pair.is_followed_up().await).await;
    pair.hold_back();
    store.page_sessions().open("lost", None, &LIMITS).await.expect("written");
    pair.kill_primary();
    pair.promote().await;
    assert_eq!(lineage(&store).await, 1);
    assert!(
        store.page_sessions().find("lost", &LIMITS, false).await.expect("an answer").is_none(),
        "it was not held back"
    );
}

const LIMITS: vmacd::store::SessionLimits =
    vmacd::store::SessionLimits { idle: Duration::from_secs(60), age_max: Duration::from_secs(60), count_max: 10 };
