//! Taking an address, with its MAC, from one server to another.

use vmacd::domain::{BindingState, Code, Failure, Status};
use vmacd::store::{Admission, Outcome, Vmac};

use super::bench::{Bench, create, issued, revoke, switch, take};

on_both_engines! {
    on_one_switch_one_push_takes_it_off_and_puts_it_on,
    on_two_switches_it_is_bound_there_before_it_is_left_here,
    a_port_that_cannot_be_bound_leaves_the_address_where_it_was,
    the_same_move_again_changes_nothing,
    what_is_older_than_a_move_is_superseded_by_it,
    a_newer_revoke_wins_over_a_move,
    a_move_before_its_create_is_tried_again,
    an_address_of_another_server_is_not_taken,
    a_move_back_before_the_first_is_done_ends_where_it_began,
    a_moved_address_can_be_revoked_there,
    a_revoke_in_progress_gives_way_to_a_newer_move,
    a_create_that_was_not_pushed_yet_leaves_no_work_where_it_moved_from,
}

/// Server 1 is on sw-a, server 2 on sw-b, server 3 on both.
const IP: &str = "10.0.1.10";

async fn bound(bench: &Bench, server: i64) -> Vmac {
    bench.admit(create("m-1", server, IP)).await;
    bench.settle("sw-a").await;
    bench.settle("sw-b").await;
    assert_eq!(bench.status(IP).await, Status::Active);
    bench.row(IP).await
}

/// Switch, interface, state, and whether the port is being left.
fn ports(row: &Vmac) -> Vec<(&str, &str, BindingState, bool)> {
    row.switch_bindings.iter().map(|p| (p.switch.as_str(), p.interface.as_str(), p.state, p.leaving)).collect()
}

async fn on_one_switch_one_push_takes_it_off_and_puts_it_on(bench: &Bench) {
    let before = bound(bench, 1).await;
    // Server 3 is on the same switch, and on another one.
    let Admission::Work { switches, .. } = bench.admit(take("m-2", 1, 3, IP)).await else { panic!("no work") };
    assert_eq!(switches, [switch("sw-a"), switch("sw-b")]);
    let wishes: Vec<_> =
        bench.work("sw-a").await[0].ports.iter().map(|p| (p.interface.to_string(), p.desired)).collect();
    assert_eq!(wishes.len(), 2, "off the one port and onto the other together: {wishes:?}");
    bench.settle("sw-a").await;
    let settled = bench.settle("sw-b").await;
    assert_eq!(settled.finished[0].failed, None);
    let row = bench.row(IP).await;
    assert_eq!(
        (row.id, row.mac_address, row.server_id, row.status),
        (before.id, before.mac_address, 3, Status::Active)
    );
    assert_eq!(
        ports(&row),
        [
            ("sw-a", "ge-0/0/1", BindingState::Removed, true),
            ("sw-a", "ge-0/0/3", BindingState::Bound, false),
            ("sw-b", "ge-0/0/3", BindingState::Bound, false)
        ]
    );
}

async fn on_two_switches_it_is_bound_there_before_it_is_left_here(bench: &Bench) {
    bound(bench, 1).await;
    bench.admit(take("m-2", 1, 2, IP)).await;
    assert!(bench.work("sw-a").await.is_empty(), "it is not left before it is bound elsewhere");
    let settled = bench.settle("sw-b").await;
    assert!(settled.finished.is_empty(), "not done before it is off the old port");
    assert_eq!(settled.due, [switch("sw-a")]);
    assert_eq!(bench.status(IP).await, Status::Pending);
    assert_eq!(bench.settle("sw-a").await.finished[0].failed, None);
    assert_eq!(bench.status(IP).await, Status::Active);
}

async fn a_port_that_cannot_be_bound_leaves_the_address_where_it_was(bench: &Bench) {
    bound(bench, 1).await;
    bench.admit(take("m-2", 1, 2, IP)).await;
    let settled = bench.fail("sw-b", &Failure::new(Code::RefusedBySwitch, "no")).await;
    assert_eq!((settled.finished[0].failed, settled.due.len()), (Some(Code::RefusedBySwitch), 0));
    assert!(bench.work("sw-a").await.is_empty());
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("refused_by_switch")));
    // Whoever moves it back needs no push of the other switch before.
    bench.admit(issued(take("m-3", 2, 1, IP), 4_000)).await;
    assert_eq!(bench.settle("sw-a").await.due, [switch("sw-b")]);
    bench.settle("sw-b").await;
    assert_eq!((bench.row(IP).await.server_id, bench.status(IP).await), (1, Status::Active));
}

async fn the_same_move_again_changes_nothing(bench: &Bench) {
    bound(bench, 1).await;
    bench.admit(take("m-2", 1, 2, IP)).await;
    let generation = bench.row(IP).await.generation;
    bench.admit(take("m-2", 1, 2, IP)).await;
    bench.admit(issued(take("m-3", 1, 2, IP), 4_000)).await;
    assert_eq!(bench.row(IP).await.generation, generation);
    bench.settle("sw-b").await;
    assert_eq!(bench.settle("sw-a").await.finished.len(), 2);
    assert!(matches!(bench.admit(take("m-2", 1, 2, IP)).await, Admission::Done { .. }));
}

async fn what_is_older_than_a_move_is_superseded_by_it(bench: &Bench) {
    bound(bench, 1).await;
    bench.admit(take("m-2", 1, 2, IP)).await;
    for older in [create("late-1", 1, IP), revoke("late-2", 1, IP), revoke("late-3", 2, IP)] {
        let key = older.key.0.clone();
        assert!(matches!(bench.admit(older).await, Admission::Done { .. }), "{key}");
        assert_eq!(bench.outcome(&key).await.map(|outcome| outcome.status), Some(Outcome::Superseded), "{key}");
    }
    assert_eq!(bench.row(IP).await.server_id, 2);
}

async fn a_newer_revoke_wins_over_a_move(bench: &Bench) {
    bound(bench, 1).await;
    bench.admit(issued(revoke("m-2", 1, IP), 5_000)).await;
    bench.admit(take("m-3", 1, 2, IP)).await;
    assert_eq!(bench.outcome("m-3").await.map(|outcome| outcome.status), Some(Outcome::Superseded));
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn a_move_before_its_create_is_tried_again(bench: &Bench) {
    let Admission::Waits { failure } = bench.admit(take("m-2", 1, 2, IP)).await else { panic!("taken in") };
    assert_eq!(failure.code, Code::NotBound);
    assert!(bench.outcome("m-2").await.is_none(), "it may still be done");
    bound(bench, 1).await;
    bench.admit(take("m-2", 1, 2, IP)).await;
    bench.settle("sw-b").await;
    bench.settle("sw-a").await;
    assert_eq!((bench.row(IP).await.server_id, bench.status(IP).await), (2, Status::Active));
}

async fn an_address_of_another_server_is_not_taken(bench: &Bench) {
    bound(bench, 1).await;
    let Admission::Refused { failure } = bench.admit(take("m-2", 3, 2, IP)).await else { panic!("taken in") };
    assert_eq!(failure.code, Code::AddressTaken);
    assert_eq!((bench.row(IP).await.server_id, bench.status(IP).await), (1, Status::Active));
}

async fn a_move_back_before_the_first_is_done_ends_where_it_began(bench: &Bench) {
    bound(bench, 1).await;
    bench.admit(take("m-2", 1, 2, IP)).await;
    bench.admit(issued(take("m-3", 2, 1, IP), 4_000)).await;
    assert_eq!(bench.outcome("m-2").await.map(|outcome| outcome.status), Some(Outcome::Superseded));
    bench.settle("sw-a").await;
    bench.settle("sw-b").await;
    let row = bench.row(IP).await;
    assert_eq!((row.server_id, row.status), (1, Status::Active));
    assert_eq!(
        ports(&row),
        [("sw-a", "ge-0/0/1", BindingState::Bound, false), ("sw-b", "ge-0/0/2", BindingState::Removed, true)]
    );
}

async fn a_moved_address_can_be_revoked_there(bench: &Bench) {
    bound(bench, 1).await;
    bench.admit(take("m-2", 1, 2, IP)).await;
    bench.settle("sw-b").await;
    bench.settle("sw-a").await;
    bench.admit(issued(revoke("m-3", 2, IP), 4_000)).await;
    assert!(bench.work("sw-a").await.is_empty(), "a port that was left is not looked at again");
    assert_eq!(bench.settle("sw-b").await.finished[0].failed, None);
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn a_revoke_in_progress_gives_way_to_a_newer_move(bench: &Bench) {
    bound(bench, 1).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    bench.admit(take("m-3", 1, 2, IP)).await;
    bench.settle("sw-b").await;
    bench.settle("sw-a").await;
    assert_eq!((bench.row(IP).await.server_id, bench.status(IP).await), (2, Status::Active));
}

async fn a_create_that_was_not_pushed_yet_leaves_no_work_where_it_moved_from(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    assert_eq!(bench.work("sw-a").await.len(), 1);
    bench.admit(take("m-2", 1, 2, IP)).await;
    assert!(bench.work("sw-a").await.is_empty(), "a lane would look at the switch for ever");
    let row = bench.row(IP).await;
    bench.store.work().queue_again(&switch("sw-a"), &[row.id]).await.expect("queued");
    assert!(bench.work("sw-a").await.is_empty(), "nor does looking once more change that");
    assert_eq!(bench.settle("sw-b").await.due, [switch("sw-a")]);
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Active);
}
