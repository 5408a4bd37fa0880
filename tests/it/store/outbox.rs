//! Events are handed out until they are published.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use vmacd::store::{Event, SessionLimits, Store, StoreOptions};

use super::bench::{Bench, LONG, inventory, revoke, rng};
use crate::support::postgres::Postgres;
use crate::support::{eventually, unique};

on_both_engines! {
    an_event_is_handed_out_once_until_its_claim_runs_out,
    what_was_published_is_not_handed_out_again,
    two_publishers_never_have_the_same_event,
    a_mark_of_an_event_that_was_lost_leaves_the_one_that_has_its_number_now,
    what_a_publisher_writes_is_its_own_until_its_claim_runs_out,
    what_is_written_for_nobody_to_publish_is_never_handed_out,
}

/// So many events.
async fn events(bench: &Bench, count: usize) {
    let group: Vec<_> = (0..count).map(|n| revoke(&format!("m-{n}"), 1, &format!("10.0.1.{}", n + 10))).collect();
    bench.admit_all(&group).await;
}

async fn an_event_is_handed_out_once_until_its_claim_runs_out(bench: &Bench) {
    events(bench, 3).await;
    let claimed = bench.store.events().claim(10, Duration::from_millis(30)).await.expect("events");
    assert_eq!(claimed.len(), 3);
    assert!(claimed.is_sorted_by_key(|event| event.id), "oldest first");
    assert_eq!(claimed[0].correlation_id.as_deref(), Some("corr"));
    let again = eventually("the claim runs out", async || {
        let again = bench.store.events().claim(10, LONG).await.expect("events");
        if again.is_empty() { None } else { Some(again) }
    })
    .await;
    assert_eq!(ids(&again), ids(&claimed));
    bench.store.events().unclaim(&[claimed[0].claim()]).await.expect("an answer");
    assert_eq!(bench.events().await, [], "the claim before is over");
    bench.store.events().unclaim(&[again[0].claim()]).await.expect("unclaimed");
    assert_eq!(ids(&bench.events().await), [again[0].id]);
}

async fn what_was_published_is_not_handed_out_again(bench: &Bench) {
    events(bench, 2).await;
    let claimed = bench.store.events().claim(1, Duration::ZERO).await.expect("events");
    bench.store.events().mark_published(&[claimed[0].claim()]).await.expect("marked");
    let rest = bench.events().await;
    assert_eq!(rest.len(), 1);
    assert_ne!(rest[0].id, claimed[0].id);
}

fn ids(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.id).collect()
}

/// A database that came back older than it was gives the numbers of the events that it lost to new ones.
async fn a_mark_of_an_event_that_was_lost_leaves_the_one_that_has_its_number_now(bench: &Bench) {
    events(bench, 1).await;
    let lost = bench.store.events().claim(10, LONG).await.expect("events");
    bench.execute("UPDATE unpublished_events SET claimed_until_ms = claimed_until_ms + 1".to_owned()).await;
    bench.store.events().mark_published(&[lost[0].claim()]).await.expect("an answer");
    assert_eq!(bench.number("SELECT count(*) FROM unpublished_events").await, 1);
}

async fn two_publishers_never_have_the_same_event(bench: &Bench) {
    events(bench, 200).await;
    let other = bench.another().await;
    let (mut ids, mut seen) = (Vec::new(), usize::MAX);
    while seen != ids.len() {
        seen = ids.len();
        let (mine, theirs) = tokio::join!(bench.store.events().claim(7, LONG), other.events().claim(7, LONG));
        ids.extend(mine.expect("events").into_iter().chain(theirs.expect("events")).map(|event| event.id));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), seen), (200, 200));
}

async fn what_a_publisher_writes_is_its_own_until_its_claim_runs_out(bench: &Bench) {
    let other = bench.another().await;
    bench.store.events().claim_own(LONG);
    events(bench, 3).await;
    let (first, rest) = (bench.store.events().take_own(2), bench.store.events().take_own(10));
    assert_eq!(
        (first.len(), rest.len(), bench.store.events().take_own(10).len()),
        (2, 1, 0),
        "each is handed out once"
    );
    assert_eq!(other.events().claim(10, LONG).await.expect("events"), [], "they are claimed");
    bench.store.events().mark_published(&[first[0].claim(), first[1].claim(), rest[0].claim()]).await.expect("marked");
    // As if it died right after writing.
    bench.store.events().claim_own(Duration::from_millis(30));
    bench.admit_all(&[revoke("m-9", 1, "10.0.1.99")]).await;
    let found = eventually("another publisher finds them", async || {
        let found = other.events().claim(10, LONG).await.expect("events");
        if found.is_empty() { None } else { Some(found) }
    })
    .await;
    assert_eq!(ids(&found), ids(&bench.store.events().take_own(10)));
}

async fn what_is_written_for_nobody_to_publish_is_never_handed_out(bench: &Bench) {
    bench.store.events().publish_nowhere();
    events(bench, 3).await;
    assert_eq!(bench.store.events().take_own(10), []);
    assert_eq!(bench.events().await, []);
    bench.store.events().claim_own(LONG);
    bench.admit_all(&[revoke("m-9", 1, "10.0.1.99")]).await;
    let written = bench.store.events().take_own(10);
    assert_eq!(written.len(), 1);
    assert!(written[0].body.contains("10.0.1.99"), "{written:?}");
}

const LIMITS: SessionLimits = SessionLimits { idle: LONG, age_max: LONG, count_max: 10_000 };

/// With a standby that never comes, a commit that waits for the disk waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claiming_and_marking_events_does_not_wait_for_the_disk() {
    let postgres = Postgres::private();
    let store = Store::connect(postgres.url(), StoreOptions::default()).await.expect("a database");
    store.migrate().await.expect("tables");
    store.inventory().import(&inventory()).await.expect("an inventory");
    store.intake().admit(&[revoke("m-1", 1, "10.0.1.10")], &mut rng()).await.expect("an event");
    let mut server = PgConnection::connect(postgres.url()).await.expect("a server");
    server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await.expect("a setting");
    server.execute("SELECT pg_reload_conf()").await.expect("a reload");
    let writing = tokio::spawn({
        let store = store.clone();
        async move { while store.page_sessions().open(&unique("login"), None, &LIMITS).await.is_ok() {} }
    });
    let mut a_write_waits = async || {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        server.fetch_optional(waiting).await.expect("an answer").is_some()
    };
    eventually("a write waits for the disk", &mut a_write_waits).await;
    let claimed = store.events().claim(10, LONG).await.expect("events");
    store.events().unclaim(&[claimed[0].claim()]).await.expect("unclaimed");
    store.events().mark_published(&[claimed[0].claim()]).await.expect("marked");
    assert!(a_write_waits().await, "it waits on");
    writing.abort();
}
