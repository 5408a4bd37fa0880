//! Giving an address another MAC.

use vmacd::domain::{BindingState, Code, Mac, Status};
use vmacd::store::{Admission, Outcome};

use super::bench::{Bench, create, issued, revoke, rotate};

on_both_engines! {
    a_rotation_gives_the_row_another_mac_and_keeps_the_one_before_for_good,
    a_message_that_comes_again_rotates_once,
    a_mac_that_is_taken_is_refused_and_nothing_changes,
    a_rotation_before_its_create_is_tried_again,
    a_newer_revoke_wins_over_a_rotation,
    a_rotation_that_was_never_pushed_is_revoked_with_what_stands,
    a_port_goes_on_saying_what_it_holds_until_the_new_mac_is_bound,
}

const IP: &str = "10.0.1.10";

async fn bound(bench: &Bench) -> Mac {
    bench.admit(create("m-1", 1, IP)).await;
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Active);
    bench.row(IP).await.mac_address
}

async fn a_rotation_gives_the_row_another_mac_and_keeps_the_one_before_for_good(bench: &Bench) {
    let before = bound(bench).await;
    let id = bench.row(IP).await.id;
    assert!(matches!(bench.admit(rotate("m-2", 1, IP)).await, Admission::Work { .. }));
    let row = bench.row(IP).await;
    assert_eq!((row.id, row.status, row.switch_bindings[0].state), (id, Status::Pending, BindingState::Pending));
    assert_ne!(row.mac_address, before);
    assert_eq!(bench.settle("sw-a").await.finished[0].failed, None);
    assert_eq!(bench.status(IP).await, Status::Active);
    assert!(
        bench.store.vmacs().ours_among(&[before]).await.expect("an answer").contains(&before),
        "it stays vmacd's own"
    );
    let mut again = create("m-3", 1, "10.0.1.11");
    again.command.mac_address = Some(before);
    let Admission::Refused { failure } = bench.admit(again).await else { panic!("handed out again") };
    assert_eq!(failure.code, Code::MacTaken);
}

async fn a_message_that_comes_again_rotates_once(bench: &Bench) {
    bound(bench).await;
    bench.admit(rotate("m-2", 1, IP)).await;
    let mac = bench.row(IP).await.mac_address;
    bench.admit(rotate("m-2", 1, IP)).await;
    bench.settle("sw-a").await;
    assert!(matches!(bench.admit(rotate("m-2", 1, IP)).await, Admission::Done { .. }));
    assert_eq!(bench.row(IP).await.mac_address, mac);
}

async fn a_mac_that_is_taken_is_refused_and_nothing_changes(bench: &Bench) {
    let before = bound(bench).await;
    bench.admit(create("m-2", 1, "10.0.1.11")).await;
    let other = bench.row("10.0.1.11").await.mac_address;
    for (key, mac) in [("m-3", other), ("m-4", before)] {
        let mut asking = rotate(key, 1, IP);
        asking.command.mac_address = Some(mac);
        let Admission::Refused { failure } = bench.admit(asking).await else { panic!("taken in") };
        assert_eq!(failure.code, Code::MacTaken);
    }
    assert_eq!((bench.row(IP).await.mac_address, bench.status(IP).await), (before, Status::Active));
}

async fn a_rotation_before_its_create_is_tried_again(bench: &Bench) {
    let Admission::Waits { failure } = bench.admit(rotate("m-2", 1, IP)).await else { panic!("taken in") };
    assert_eq!(failure.code, Code::NotBound);
    let before = bound(bench).await;
    bench.admit(rotate("m-2", 1, IP)).await;
    assert_ne!(bench.row(IP).await.mac_address, before);
}

async fn a_newer_revoke_wins_over_a_rotation(bench: &Bench) {
    let before = bound(bench).await;
    bench.admit(issued(revoke("m-2", 1, IP), 5_000)).await;
    bench.admit(rotate("m-3", 1, IP)).await;
    assert_eq!(bench.outcome("m-3").await.map(|outcome| outcome.status), Some(Outcome::Superseded));
    assert_eq!(bench.row(IP).await.mac_address, before);
}

async fn a_rotation_that_was_never_pushed_is_revoked_with_what_stands(bench: &Bench) {
    let before = bound(bench).await;
    bench.admit(rotate("m-2", 1, IP)).await;
    bench.admit(issued(revoke("m-3", 1, IP), 4_000)).await;
    assert_eq!(bench.outcome("m-2").await.map(|outcome| outcome.status), Some(Outcome::Superseded));
    // What the push finds there is a MAC of vmacd's, and so it is taken off.
    assert!(bench.store.vmacs().ours_among(&[before]).await.expect("an answer").contains(&before));
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn a_port_goes_on_saying_what_it_holds_until_the_new_mac_is_bound(bench: &Bench) {
    let before = bound(bench).await;
    bench.admit(rotate("m-2", 1, IP)).await;
    let row = bench.row(IP).await;
    assert_eq!((row.switch_bindings[0].mac, row.switch_bindings[0].state), (before, BindingState::Pending));
    assert_ne!(row.mac_address, before);
    // Rotated once more before the first was bound: the switch still holds the same.
    bench.admit(rotate("m-3", 1, IP)).await;
    assert_eq!(bench.row(IP).await.switch_bindings[0].mac, before);
    let former = bench.store.mac_registry().former(&[before]).await.expect("an answer");
    assert_eq!(former, [(before, row.id)]);
    bench.settle("sw-a").await;
    let row = bench.row(IP).await;
    assert_eq!(row.switch_bindings[0].mac, row.mac_address);
    // What was never bound is no MAC that a port holds.
    bench.admit(create("m-4", 1, "10.0.1.11")).await;
    bench.admit(rotate("m-5", 1, "10.0.1.11")).await;
    let row = bench.row("10.0.1.11").await;
    assert_eq!(row.switch_bindings[0].mac, row.mac_address);
}
