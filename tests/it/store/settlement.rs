//! Writing what a push came to.

use vmacd::domain::{BindingState, Code, Failure, MessageKey, Status};
use vmacd::store::{Admission, BindingEnd, FailedMessage, Incoming, Outcome, StoreError, VmacFilter};

use super::bench::{Bench, LONG, create, issued, reached, revoke, switch};

on_both_engines! {
    a_row_on_two_switches_is_active_when_both_hold_it,
    a_permanent_failure_on_one_switch_fails_the_row,
    a_transient_failure_leaves_the_row_waiting_and_counts,
    a_deferred_failure_does_not_count_as_an_attempt,
    nothing_is_written_without_the_lease,
    a_result_for_an_older_intent_finishes_nothing,
    a_failed_row_is_tried_again_by_a_new_create,
    a_failed_row_can_be_revoked,
    rows_are_found_by_their_status,
    a_revoke_of_a_failed_row_that_comes_again_does_not_begin_again,
    giving_up_fails_the_row_and_every_command_that_waits_for_it,
    giving_up_an_overtaken_command_leaves_the_row_alone,
    giving_up_a_message_with_the_key_of_another_ends_nothing,
}

const IP: &str = "10.0.1.10";

fn refused() -> Failure {
    Failure::new(Code::RefusedBySwitch, "the switch said no")
}

fn unreachable() -> Failure {
    Failure::new(Code::Unreachable, "no route")
}

async fn a_row_on_two_switches_is_active_when_both_hold_it(bench: &Bench) {
    let ip = "10.0.3.10";
    bench.admit(create("m-1", 3, ip)).await;
    assert!(bench.settle("sw-a").await.finished.is_empty());
    assert_eq!(bench.status(ip).await, Status::Pending);
    assert_eq!(bench.settle("sw-b").await.finished.len(), 1);
    let row = bench.row(ip).await;
    assert_eq!(row.status, Status::Active);
    assert!(row.activated_at.is_some());
    assert_eq!(row.vlan_name.as_ref().map(ToString::to_string).as_deref(), Some("v100"));
    assert!(row.switch_bindings.iter().all(|binding| binding.push_id.as_deref() == Some("push-1")), "{row:?}");
}

async fn a_permanent_failure_on_one_switch_fails_the_row(bench: &Bench) {
    let ip = "10.0.3.10";
    bench.admit(create("m-1", 3, ip)).await;
    bench.settle("sw-a").await;
    let finished = bench.fail("sw-b", &refused()).await.finished;
    assert_eq!(finished[0].1.status, Outcome::Failed);
    let row = bench.row(ip).await;
    assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("refused_by_switch")));
    let states: Vec<_> = row.switch_bindings.iter().map(|binding| binding.state).collect();
    assert_eq!(states, [BindingState::Bound, BindingState::Failed], "what is bound on sw-a is not forgotten");
    assert!(bench.work("sw-b").await.is_empty(), "it is not pushed for ever");
}

async fn a_transient_failure_leaves_the_row_waiting_and_counts(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    for attempt in 1..=3 {
        assert!(bench.fail("sw-a", &unreachable()).await.finished.is_empty());
        let row = bench.row(IP).await;
        assert_eq!((row.status, row.attempts), (Status::Pending, attempt));
        assert_eq!(row.failure_text.as_deref(), Some("no route"), "the row says why it waits");
    }
    bench.settle("sw-a").await;
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.failure_code), (Status::Active, None));
}

async fn a_deferred_failure_does_not_count_as_an_attempt(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &Failure::new(Code::LockedByOther, "alice has it")).await;
    let row = bench.row(IP).await;
    assert_eq!((row.attempts, row.failure_code.as_deref()), (0, Some("locked_by_other")));
}

async fn nothing_is_written_without_the_lease(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    let results = bench.results("sw-a", |item, _| reached(item.vmac.mac_address, BindingState::Bound)).await;
    let stale = bench.lease("sw-a").await;
    bench.store.release(&stale).await.expect("released");
    let newer = bench.store.acquire(&switch("sw-a"), "worker-2", LONG).await.expect("an answer").expect("a lease");
    let before = bench.row(IP).await;
    let settled = bench.store.settle(&stale, &[], &results).await;
    assert!(matches!(settled, Err(StoreError::LeaseLost { .. })), "{settled:?}");
    assert_eq!(bench.row(IP).await, before);
    assert_eq!(bench.store.settle(&newer, &[], &results).await.expect("settled").finished.len(), 1);
}

async fn a_result_for_an_older_intent_finishes_nothing(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    let results = bench.results("sw-a", |item, _| reached(item.vmac.mac_address, BindingState::Bound)).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    assert!(bench.settle_with("sw-a", &results).await.finished.is_empty());
    assert_eq!(bench.row(IP).await.switch_bindings[0].state, BindingState::Pending, "it is to be looked at again");
    assert_eq!(bench.work("sw-a").await.len(), 1, "the revoke still waits for the switch");
    assert_eq!(bench.settle("sw-a").await.finished[0].0, MessageKey("m-2".to_owned()));
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn a_failed_row_is_tried_again_by_a_new_create(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &refused()).await;
    let mac = bench.row(IP).await.mac_address;
    let again = bench.admit(issued(create("m-2", 1, IP), 3_000)).await;
    assert!(matches!(again, Admission::Work { .. }), "{again:?}");
    bench.settle("sw-a").await;
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.mac_address), (Status::Active, mac));
}

async fn a_failed_row_can_be_revoked(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &refused()).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    assert_eq!(bench.work("sw-a").await.len(), 1, "the switch is asked: something may be bound there");
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("refused_by_switch")), "it says why");
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn rows_are_found_by_their_status(bench: &Bench) {
    let [active, revoked, failed, pending] = ["10.0.1.10", "10.0.1.11", "10.0.1.12", "10.0.1.13"];
    for (key, ip) in [("m-1", active), ("m-2", revoked)] {
        bench.admit(create(key, 1, ip)).await;
    }
    bench.settle("sw-a").await;
    bench.admit(revoke("m-3", 1, revoked)).await;
    bench.settle("sw-a").await;
    bench.admit(create("m-4", 1, failed)).await;
    bench.fail("sw-a", &refused()).await;
    bench.admit(create("m-5", 1, pending)).await;
    bench.fail("sw-a", &unreachable()).await;
    let found = async |filter: VmacFilter| -> Vec<String> {
        let rows = bench.store.find(&filter).await.expect("rows");
        rows.iter().map(|row| row.ip_address.to_string()).collect()
    };
    let by_status =
        [(Status::Active, active), (Status::Revoked, revoked), (Status::Failed, failed), (Status::Pending, pending)];
    for (status, ip) in by_status {
        assert_eq!(found(VmacFilter { status: Some(status), ..VmacFilter::default() }).await, [ip], "{status}");
        assert_eq!(bench.store.count_up_to(status, 10).await.expect("a count"), 1, "{status}");
        assert_eq!(found(VmacFilter { ip: ip.parse().ok(), ..VmacFilter::default() }).await, [ip], "live or not");
    }
    let counts = bench.store.counts().await.expect("counts");
    assert_eq!((counts.rows_pending, counts.rows_failed), (1, 1));
}

async fn a_revoke_of_a_failed_row_that_comes_again_does_not_begin_again(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &refused()).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    let begun = bench.row(IP).await.generation;
    bench.fail("sw-a", &unreachable()).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    let row = bench.row(IP).await;
    assert_eq!((row.generation, row.attempts), (begun, 1), "a push in flight stays one for this intent");
    bench.fail("sw-a", &refused()).await;
    bench.admit(issued(revoke("m-3", 1, IP), 5_000)).await;
    assert_eq!(bench.row(IP).await.generation, begun + 1, "what failed for good begins again");
}

fn unreachable_for(message: &Incoming) -> FailedMessage {
    FailedMessage { key: message.key.clone(), body_hash: message.body_hash.clone(), failure: unreachable() }
}

async fn giving_up_a_message_with_the_key_of_another_ends_nothing(bench: &Bench) {
    let (first, other) = (create("m-1", 1, IP), create("m-1", 1, "10.0.1.11"));
    bench.admit(first.clone()).await;
    let ended_well = bench.store.fail_commands(&[unreachable_for(&other)]).await.expect("nothing to do");
    assert!(ended_well.is_empty());
    assert_eq!((bench.status(IP).await, bench.outcome("m-1").await), (Status::Pending, None));
    bench.settle("sw-a").await;
    // Both at once: only the one whose command ended well is spared.
    let both = [unreachable_for(&other), unreachable_for(&first)];
    let ended_well = bench.store.fail_commands(&both).await.expect("nothing to do");
    assert_eq!(ended_well, [(first.key, first.body_hash)].into());
}

async fn giving_up_fails_the_row_and_every_command_that_waits_for_it(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.admit(issued(create("m-2", 1, IP), 2_000)).await;
    bench.store.fail_commands(&[unreachable_for(&create("m-1", 1, IP))]).await.expect("given up");
    assert_eq!(bench.status(IP).await, Status::Failed);
    assert!(bench.work("sw-a").await.is_empty());
    for key in ["m-1", "m-2"] {
        let outcome = bench.outcome(key).await.expect("an outcome");
        assert_eq!((outcome.status, outcome.code), (Outcome::Failed, Some(Code::Unreachable)), "{key}");
    }
    assert_eq!(bench.events().await.len(), 2);
}

async fn giving_up_an_overtaken_command_leaves_the_row_alone(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.settle("sw-a").await;
    let m_1 = create("m-1", 1, IP);
    let ended_well = bench.store.fail_commands(&[unreachable_for(&m_1)]).await.expect("nothing to do");
    assert_eq!(ended_well, [(m_1.key, m_1.body_hash)].into(), "nobody may say that it failed");
    assert_eq!(bench.status(IP).await, Status::Active);
    assert_eq!(bench.outcome("m-1").await.map(|outcome| outcome.status), Some(Outcome::Active));
    // A port that is bound already is not touched by a failure that comes late.
    let late = BindingEnd::Failed(unreachable());
    let results = bench.results("sw-a", |_, _| late.clone()).await;
    assert!(results.is_empty(), "nothing waits");
}
