//! One address and one MAC on the ports of several servers, which say so.

use vmacd::domain::{BindingState, Code, Status};
use vmacd::store::{Admission, Outcome};

use super::bench::{Bench, create, issued, join, revoke, take};

on_both_engines! {
    a_server_that_names_the_group_joins,
    a_server_that_does_not_name_the_group_is_refused,
    one_leaves_and_the_other_keeps_the_address,
    the_last_one_to_leave_revokes_it,
    the_mac_of_a_group_is_nobody_elses,
    a_member_moves_alone,
    a_member_that_left_may_join_again,
}

/// Server 1 is on sw-a, server 2 on sw-b, server 3 on both.
const IP: &str = "10.0.1.10";

async fn pair(bench: &Bench) {
    let mut first = join("m-1", 1, IP, "lb");
    first.command.mac_address = Some("00:00:5e:00:01:33".parse().expect("a MAC"));
    bench.admit(first).await;
    bench.settle("sw-a").await;
    bench.admit(join("m-2", 2, IP, "lb")).await;
    bench.settle("sw-b").await;
    assert_eq!(bench.status(IP).await, Status::Active);
}

async fn members(bench: &Bench) -> Vec<i64> {
    bench.row(IP).await.members().into_iter().collect()
}

async fn a_server_that_names_the_group_joins(bench: &Bench) {
    pair(bench).await;
    let row = bench.row(IP).await;
    assert_eq!((bench.rows().await, row.mac_address.to_string().as_str()), (1, "00:00:5e:00:01:33"));
    assert_eq!(members(bench).await, [1, 2]);
    assert!(row.switch_bindings.iter().all(|port| port.state == BindingState::Bound), "{row:?}");
    assert_eq!(bench.outcome("m-2").await.map(|outcome| outcome.status), Some(Outcome::Active));
}

async fn a_server_that_does_not_name_the_group_is_refused(bench: &Bench) {
    pair(bench).await;
    for wrong in [create("m-3", 3, IP), join("m-4", 3, IP, "other")] {
        let Admission::Refused { failure } = bench.admit(wrong).await else { panic!("taken in") };
        assert_eq!(failure.code, Code::AddressTaken);
    }
    assert_eq!(members(bench).await, [1, 2]);
}

async fn one_leaves_and_the_other_keeps_the_address(bench: &Bench) {
    pair(bench).await;
    bench.admit(revoke("m-3", 1, IP)).await;
    assert_eq!(members(bench).await, [2]);
    assert!(bench.work("sw-b").await.is_empty(), "the other's port is left alone");
    let settled = bench.settle("sw-a").await;
    assert_eq!(settled.finished[0].failed, None);
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.server_id), (Status::Active, 2));
    // Asking again is answered; nothing else happens.
    assert!(matches!(bench.admit(issued(revoke("m-4", 1, IP), 5_000)).await, Admission::Done { .. }));
    assert_eq!(bench.status(IP).await, Status::Active);
}

async fn the_last_one_to_leave_revokes_it(bench: &Bench) {
    pair(bench).await;
    bench.admit(revoke("m-3", 1, IP)).await;
    bench.admit(revoke("m-4", 2, IP)).await;
    bench.settle("sw-a").await;
    bench.settle("sw-b").await;
    assert_eq!(bench.status(IP).await, Status::Revoked);
    for key in ["m-3", "m-4"] {
        assert_eq!(bench.outcome(key).await.map(|outcome| outcome.status), Some(Outcome::Revoked), "{key}");
    }
}

async fn the_mac_of_a_group_is_nobody_elses(bench: &Bench) {
    pair(bench).await;
    let mut double = join("m-3", 3, "10.0.1.11", "another");
    double.command.mac_address = Some("00:00:5e:00:01:33".parse().expect("a MAC"));
    let Admission::Refused { failure } = bench.admit(double).await else { panic!("taken in") };
    assert_eq!(failure.code, Code::MacTaken);
}

async fn a_member_moves_alone(bench: &Bench) {
    pair(bench).await;
    bench.admit(take("m-3", 1, 3, IP)).await;
    assert_eq!(members(bench).await, [2, 3]);
    bench.settle("sw-a").await;
    bench.settle("sw-b").await;
    assert_eq!(bench.status(IP).await, Status::Active);
}

async fn a_member_that_left_may_join_again(bench: &Bench) {
    pair(bench).await;
    bench.admit(revoke("m-3", 1, IP)).await;
    bench.settle("sw-a").await;
    bench.admit(issued(join("m-4", 1, IP, "lb"), 5_000)).await;
    bench.settle("sw-a").await;
    assert_eq!((members(bench).await, bench.status(IP).await), (vec![1, 2], Status::Active));
}
