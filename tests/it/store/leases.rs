//! One worker at a time pushes to a switch.

use std::time::Duration;

use serde_json::json;
use vmacd::store::{PushRow, PushState, StoreError};

use super::bench::{Bench, LONG, switch};
use crate::support::eventually;

on_both_engines! {
    one_worker_at_a_time_has_the_lease,
    the_token_grows_with_every_acquisition,
    a_lease_that_ran_out_goes_to_the_next,
    a_lease_that_ran_out_untaken_can_be_renewed,
    of_many_workers_one_gets_the_lease,
    the_journal_is_fenced_by_the_lease,
    a_confirmation_is_written_down_with_the_results_or_not_at_all,
}

const SHORT: Duration = Duration::from_millis(30);

async fn one_worker_at_a_time_has_the_lease(bench: &Bench) {
    let lease = bench.lease("sw-a").await;
    let other = bench.another().await;
    assert_eq!(other.acquire(&switch("sw-a"), "worker-2", LONG).await.expect("an answer"), None);
    assert!(bench.store.holds(&lease).await.expect("an answer"));
    assert!(other.acquire(&switch("sw-b"), "worker-2", LONG).await.expect("an answer").is_some());
    bench.store.release(&lease).await.expect("released");
    assert!(!bench.store.holds(&lease).await.expect("an answer"));
    assert!(other.acquire(&switch("sw-a"), "worker-2", LONG).await.expect("an answer").is_some());
}

async fn the_token_grows_with_every_acquisition(bench: &Bench) {
    let mut tokens = Vec::new();
    for _ in 0..5 {
        let lease = bench.lease("sw-a").await;
        tokens.push(lease.token);
        bench.store.release(&lease).await.expect("released");
    }
    assert!(tokens.is_sorted_by(|earlier, later| earlier < later), "{tokens:?}");
}

async fn a_lease_that_ran_out_goes_to_the_next(bench: &Bench) {
    let name = switch("sw-a");
    let stale = bench.store.acquire(&name, "worker-1", SHORT).await.expect("an answer").expect("a lease");
    let next = eventually("the lease runs out", async || {
        bench.store.acquire(&name, "worker-2", LONG).await.expect("an answer")
    })
    .await;
    assert!(next.token > stale.token);
    assert!(!bench.store.renew(&stale, LONG).await.expect("an answer"), "the old holder learns that it lost it");
    bench.store.release(&stale).await.expect("an answer");
    assert!(bench.store.holds(&next).await.expect("an answer"), "and cannot give away what it has not");
}

async fn a_lease_that_ran_out_untaken_can_be_renewed(bench: &Bench) {
    let lease = bench.store.acquire(&switch("sw-a"), "worker-1", SHORT).await.expect("an answer").expect("a lease");
    eventually("the lease runs out", async || !bench.store.holds(&lease).await.expect("an answer")).await;
    assert!(bench.store.renew(&lease, LONG).await.expect("an answer"));
    assert!(bench.store.holds(&lease).await.expect("an answer"));
}

async fn of_many_workers_one_gets_the_lease(bench: &Bench) {
    let other = bench.another().await;
    for round in 0..10 {
        let name = switch(&format!("sw-{round}"));
        let tries = (0..8).map(|worker| {
            let (store, name) = (if worker % 2 == 0 { &bench.store } else { &other }, name.clone());
            async move { store.acquire(&name, &format!("worker-{worker}"), LONG).await.expect("an answer") }
        });
        let got = futures_util::future::join_all(tries).await;
        assert_eq!(got.iter().flatten().count(), 1, "{got:?}");
    }
}

async fn the_journal_is_fenced_by_the_lease(bench: &Bench) {
    let push = |id: &str| PushRow { id: id.to_owned(), plan: json!([1, 2]), changes: 2, backup_id: None };
    let stale = bench.lease("sw-a").await;
    bench.store.push_prepared(&stale, &push("p-1")).await.expect("written down");
    bench.store.release(&stale).await.expect("released");
    let lease = bench.lease("sw-a").await;
    let refused = bench.store.push_advanced(&stale, "p-1", PushState::Sent, None).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    let refused = bench.store.push_prepared(&stale, &push("p-2")).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(bench.store.pushes_unresolved(&switch("sw-a")).await.expect("pushes"), [push("p-1")]);
    bench.store.push_advanced(&lease, "p-1", PushState::Confirmed, None).await.expect("written down");
    assert_eq!(bench.store.pushes_unresolved(&switch("sw-a")).await.expect("pushes"), []);
}

async fn a_confirmation_is_written_down_with_the_results_or_not_at_all(bench: &Bench) {
    let push = PushRow { id: "p-1".to_owned(), plan: json!([]), changes: 1, backup_id: None };
    let stale = bench.lease("sw-a").await;
    bench.store.push_prepared(&stale, &push).await.expect("written down");
    bench.store.release(&stale).await.expect("released");
    let lease = bench.lease("sw-a").await;
    let confirmed = ["p-1".to_owned()];
    let refused = bench.store.settle(&stale, &confirmed, &[]).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(bench.store.pushes_unresolved(&switch("sw-a")).await.expect("pushes"), [push]);
    bench.store.settle(&lease, &confirmed, &[]).await.expect("written down");
    let known = bench.store.push("p-1").await.expect("a push");
    assert_eq!((known.state.as_str(), known.finished_at.is_some()), ("confirmed", true));
}
