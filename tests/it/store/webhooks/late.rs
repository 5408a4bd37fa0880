//! An event whose transaction ends later than that of one with a higher number.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use vmacd::store::DeliveryEnd;

use super::super::bench::Bench;
use super::{add, claim, event, record, webhook};

#[tokio::test]
async fn an_event_that_is_committed_late_is_delivered_all_the_same_and_never_beside_another() {
    let bench = Bench::postgres().await;
    let added = add(&bench, &webhook("one")).await;
    let mut slow = PgConnection::connect(bench.url()).await.expect("a connection");
    let mut transaction = slow.begin().await.expect("begun");
    let sql = r#"INSERT INTO events (routing_key, body, created_at) VALUES ('vmac.revoked', '{"ip_address": "10.0.1.10"}', now())"#;
    transaction.execute(AssertSqlSafe(sql)).await.expect("written");
    event(&bench, "m-2", 10).await;
    let second = claim(&bench.store, &added, 10).await;
    assert_eq!(second.len(), 1, "what is not committed is not there yet");
    transaction.commit().await.expect("committed");
    assert_eq!(claim(&bench.store, &added, 10).await, [], "the address has one in hand");
    assert!(record(&bench.store, &second[0], DeliveryEnd::Delivered).await);
    let first = claim(&bench.store, &added, 10).await;
    assert!(first.len() == 1 && first[0].event_id < second[0].event_id, "{first:?}");
}
