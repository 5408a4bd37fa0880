//! One worker at a time pushes to a switch.

use std::time::Duration;

use serde_json::json;
use vmacd::domain::BindingState;
use vmacd::store::{Lease, PushRow, PushState, StoreError};

use super::bench::{Bench, LONG, create, reached, switch};
use crate::support::eventually;

on_both_engines! {
    one_worker_at_a_time_has_the_lease,
    the_token_grows_with_every_acquisition,
    a_lease_that_ran_out_goes_to_the_next,
    a_lease_that_ran_out_untaken_can_be_renewed,
    of_many_workers_one_gets_the_lease,
    the_journal_is_fenced_by_the_lease,
    a_confirmation_is_written_down_with_the_results_or_not_at_all,
    a_lease_is_renewed_released_and_held_by_its_token_and_holder_alone,
    nothing_of_a_push_is_written_under_another_token_or_holder,
    what_a_push_came_to_is_written_under_the_lease_of_its_own_switch_alone,
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

/// Not the lease: the token of another one, and the holder of another one. Both are there after an older copy of the
/// database came back: its tokens are handed out a second time.
fn impostors(lease: &Lease) -> [Lease; 3] {
    let other = |holder: &str, token: i64| Lease { switch: lease.switch.clone(), holder: holder.to_owned(), token };
    [other("worker-2", lease.token), other(&lease.holder, lease.token + 1), other("", lease.token)]
}

fn push(id: &str) -> PushRow {
    PushRow { id: id.to_owned(), plan: json!([]), changes: 1, backup_id: None }
}

#[track_caller]
fn assert_lost<T: std::fmt::Debug>(refused: Result<T, StoreError>) {
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
}

async fn a_lease_is_renewed_released_and_held_by_its_token_and_holder_alone(bench: &Bench) {
    let store = &bench.store;
    let lease = bench.lease("sw-a").await;
    for other in impostors(&lease) {
        assert!(!store.holds(&other).await.expect("an answer"), "{other:?}");
        assert!(!store.renew(&other, LONG).await.expect("an answer"), "{other:?}");
        store.release(&other).await.expect("an answer");
        assert!(store.holds(&lease).await.expect("an answer"), "released by {other:?}");
    }
    assert!(store.renew(&lease, LONG).await.expect("an answer"));
}

async fn nothing_of_a_push_is_written_under_another_token_or_holder(bench: &Bench) {
    let store = &bench.store;
    bench.admit(create("m-1", 1, "10.0.1.7")).await;
    let results = bench.results("sw-a", |item, _| reached(item.vmac.mac_address, BindingState::Bound)).await;
    let lease = bench.lease("sw-a").await;
    store.push_prepared(&lease, &push("p-1")).await.expect("written down");
    let (row, journal) = (bench.row("10.0.1.7").await, store.push("p-1").await.expect("a push"));
    for other in impostors(&lease) {
        assert_lost(store.push_prepared(&other, &push("p-2")).await);
        for state in [PushState::Sent, PushState::Confirmed, PushState::Refused, PushState::NotApplied] {
            assert_lost(store.push_advanced(&other, "p-1", state, None).await);
        }
        assert_lost(store.push_sent_within(&other, "p-1", 100).await);
        assert_lost(store.settle(&other, &["p-1".to_owned()], &results).await);
    }
    assert_eq!((bench.row("10.0.1.7").await, store.push("p-1").await.expect("a push")), (row, journal));
    assert!(store.push_sent_within(&lease, "p-1", 100).await.expect("an answer"));
    for other in impostors(&lease) {
        assert!(!store.note_failed_pushes(&other).await.expect("an answer"), "{other:?}");
    }
    assert!(store.note_failed_pushes(&lease).await.expect("an answer"));
    store.settle(&lease, &["p-1".to_owned()], &results).await.expect("written down");
    assert_eq!(store.push("p-1").await.expect("a push").state, "confirmed");
}

async fn what_a_push_came_to_is_written_under_the_lease_of_its_own_switch_alone(bench: &Bench) {
    let store = &bench.store;
    let (a, b) = (bench.lease("sw-a").await, bench.lease("sw-b").await);
    store.push_prepared(&a, &push("p-1")).await.expect("written down");
    assert_lost(store.push_advanced(&b, "p-1", PushState::Sent, None).await);
    assert_lost(store.push_sent_within(&b, "p-1", 100).await);
    store.settle(&b, &["p-1".to_owned()], &[]).await.expect("written down");
    assert_eq!(store.push("p-1").await.expect("a push").state, "prepared");
}
