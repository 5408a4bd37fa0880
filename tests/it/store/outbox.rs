//! Events are handed out until they are published.

use std::time::Duration;

use super::bench::{Bench, LONG, revoke};
use crate::support::eventually;

on_both_engines! {
    an_event_is_handed_out_once_until_its_claim_runs_out,
    what_was_published_is_not_handed_out_again,
    two_publishers_never_have_the_same_event,
    what_a_publisher_writes_is_its_own_until_its_claim_runs_out,
}

/// So many events.
async fn events(bench: &Bench, count: usize) {
    let group: Vec<_> = (0..count).map(|n| revoke(&format!("m-{n}"), 1, &format!("10.0.1.{}", n + 10))).collect();
    bench.admit_all(&group).await;
}

async fn an_event_is_handed_out_once_until_its_claim_runs_out(bench: &Bench) {
    events(bench, 3).await;
    let claimed = bench.store.claim_events(10, Duration::from_millis(30)).await.expect("events");
    assert_eq!(claimed.len(), 3);
    assert!(claimed.is_sorted_by_key(|event| event.id), "oldest first");
    assert_eq!(claimed[0].correlation_id.as_deref(), Some("corr"));
    let again = eventually("the claim runs out", async || {
        let again = bench.store.claim_events(10, LONG).await.expect("events");
        if again.is_empty() { None } else { Some(again) }
    })
    .await;
    assert_eq!(again, claimed);
    bench.store.unclaim_events(&[again[0].id]).await.expect("unclaimed");
    assert_eq!(bench.events().await, [again[0].clone()]);
}

async fn what_was_published_is_not_handed_out_again(bench: &Bench) {
    events(bench, 2).await;
    let claimed = bench.store.claim_events(1, Duration::ZERO).await.expect("events");
    bench.store.mark_published(&[claimed[0].id]).await.expect("marked");
    let rest = bench.events().await;
    assert_eq!(rest.len(), 1);
    assert_ne!(rest[0].id, claimed[0].id);
}

async fn two_publishers_never_have_the_same_event(bench: &Bench) {
    events(bench, 200).await;
    let other = bench.another().await;
    let (mut ids, mut seen) = (Vec::new(), usize::MAX);
    while seen != ids.len() {
        seen = ids.len();
        let (mine, theirs) = tokio::join!(bench.store.claim_events(7, LONG), other.claim_events(7, LONG));
        ids.extend(mine.expect("events").into_iter().chain(theirs.expect("events")).map(|event| event.id));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), seen), (200, 200));
}

async fn what_a_publisher_writes_is_its_own_until_its_claim_runs_out(bench: &Bench) {
    let other = bench.another().await;
    bench.store.claim_own_events(LONG);
    events(bench, 3).await;
    let (first, rest) = (bench.store.own_events(2), bench.store.own_events(10));
    assert_eq!((first.len(), rest.len(), bench.store.own_events(10).len()), (2, 1, 0), "each is handed out once");
    assert_eq!(other.claim_events(10, LONG).await.expect("events"), [], "they are claimed");
    bench.store.mark_published(&[first[0].id, first[1].id, rest[0].id]).await.expect("marked");
    // As if it died right after writing.
    bench.store.claim_own_events(Duration::from_millis(30));
    bench.admit_all(&[revoke("m-9", 1, "10.0.1.99")]).await;
    let found = eventually("another publisher finds them", async || {
        let found = other.claim_events(10, LONG).await.expect("events");
        if found.is_empty() { None } else { Some(found) }
    })
    .await;
    assert_eq!(found, bench.store.own_events(10));
}
