//! Which MACs are handed out: those that a message draws. The unique index decides; for what it refuses another is drawn.

use std::collections::HashSet;

use vmacd::domain::{Code, Draws, Mac, Pools};
use vmacd::store::{Admission, Incoming};

use super::bench::{Bench, create, issued, revoke};

on_both_engines! {
    a_message_that_comes_again_to_another_database_draws_the_same_mac,
    a_mac_that_is_taken_is_drawn_again,
    two_equal_draws_in_one_group_become_two_macs,
    the_mac_of_a_revoked_row_is_never_handed_out_again,
    the_pxe_mac_of_a_server_is_never_handed_out,
    a_mac_that_was_asked_for_is_given_or_refused,
    concurrent_groups_never_share_a_mac,
}

fn mac(text: &str) -> Mac {
    text.parse().expect("a MAC")
}

/// What the message draws in this round.
fn draws(incoming: &Incoming, round: u32) -> Mac {
    let (pools, command) = (Pools::default(), &incoming.command);
    let pool = pools.iter().next().expect("the default pool");
    pools.drawn(pool, Draws::of(&incoming.message_identity, command.server_id, command.ip_address), round)
}

/// A create that asks for this MAC.
fn asking(mac: Mac, create: Incoming) -> Incoming {
    let mut incoming = create;
    incoming.command.mac_address = Some(mac);
    incoming
}

/// Admits one create, and gives the MAC that the row got.
async fn given(bench: &Bench, incoming: Incoming) -> Mac {
    let ip = incoming.command.ip_address.to_string();
    let answer = bench.admit(incoming).await;
    assert!(matches!(answer, Admission::Work { .. }), "{answer:?}");
    bench.row(&ip).await.mac_address
}

async fn a_message_that_comes_again_to_another_database_draws_the_same_mac(bench: &Bench) {
    let order = create("m-1", 1, "10.0.1.10");
    let first = given(bench, order.clone()).await;
    assert_eq!(first, draws(&order, 0));
    bench.admit(revoke("m-2", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    let other = issued(create("m-3", 1, "10.0.1.10"), 3_000);
    assert_eq!(given(bench, other.clone()).await, draws(&other, 0));
    assert_ne!(draws(&other, 0), first, "another message draws another");
}

async fn a_mac_that_is_taken_is_drawn_again(bench: &Bench) {
    let order = create("m-2", 1, "10.0.1.11");
    given(bench, asking(draws(&order, 0), create("m-1", 1, "10.0.1.10"))).await;
    assert_eq!(given(bench, order.clone()).await, draws(&order, 1));
    let port = bench.row("10.0.1.11").await.switch_bindings[0].mac;
    assert_eq!(port, draws(&order, 1), "the port gets the MAC of the last draw");
}

async fn two_equal_draws_in_one_group_become_two_macs(bench: &Bench) {
    let order = create("m-2", 1, "10.0.1.11");
    let group = [asking(draws(&order, 0), create("m-1", 1, "10.0.1.10")), order.clone()];
    bench.admit_all(&group).await;
    let macs = HashSet::from([bench.row("10.0.1.10").await.mac_address, bench.row("10.0.1.11").await.mac_address]);
    assert_eq!(macs, HashSet::from([draws(&order, 0), draws(&order, 1)]));
}

async fn the_mac_of_a_revoked_row_is_never_handed_out_again(bench: &Bench) {
    let again = issued(create("m-3", 1, "10.0.1.10"), 3_000);
    given(bench, asking(draws(&again, 0), create("m-1", 1, "10.0.1.10"))).await;
    bench.admit(revoke("m-2", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    assert_eq!(given(bench, again.clone()).await, draws(&again, 1));
    assert_eq!(bench.rows().await, 2, "the revoked row stays as history");
}

async fn the_pxe_mac_of_a_server_is_never_handed_out(bench: &Bench) {
    let order = create("m-1", 1, "10.0.1.10");
    let mut inventory = super::bench::inventory();
    inventory.servers[1].pxe_mac = draws(&order, 0);
    bench.store.inventory().import(&inventory).await.expect("imported");
    assert_eq!(given(bench, order.clone()).await, draws(&order, 1));
}

async fn a_mac_that_was_asked_for_is_given_or_refused(bench: &Bench) {
    let asked = |key: &str, ip: &str| {
        let mut incoming = create(key, 1, ip);
        incoming.command.mac_address = Some(mac("02:aa:00:00:00:01"));
        incoming
    };
    bench.admit(asked("m-1", "10.0.1.10")).await;
    assert_eq!(bench.row("10.0.1.10").await.mac_address, mac("02:aa:00:00:00:01"));
    let second = bench.admit(asked("m-2", "10.0.1.11")).await;
    assert!(matches!(&second, Admission::Refused { failure } if failure.code == Code::MacTaken), "{second:?}");
    assert_eq!(bench.rows().await, 1);
}

async fn concurrent_groups_never_share_a_mac(bench: &Bench) {
    let other = bench.another().await;
    let group = |server: i64| -> Vec<Incoming> {
        (1..=100).map(|n| create(&format!("s{server}-{n}"), server, &format!("10.9.{server}.{n}"))).collect()
    };
    // Each order of the first group asks for what one of the second draws: every one of them clashes.
    let second = group(2);
    let first: Vec<Incoming> =
        group(1).into_iter().zip(&second).map(|(order, drawing)| asking(draws(drawing, 0), order)).collect();
    let (mut mine, mut theirs) = (super::bench::rng(), super::bench::rng());
    let (a, b) =
        tokio::join!(bench.store.intake().admit(&first, &mut mine), other.intake().admit(&second, &mut theirs));
    let (a, b) = (a.expect("admitted"), b.expect("admitted"));
    let refused = a.iter().filter(|admission| matches!(admission, Admission::Refused { .. })).count();
    assert!(b.iter().all(|admission| matches!(admission, Admission::Work { .. })), "{b:?}");
    let rows = bench.store.vmacs().find(&vmacd::store::VmacFilter::default()).await.expect("rows");
    let macs = rows.iter().map(|row| row.mac_address).collect::<HashSet<_>>().len();
    assert_eq!((rows.len(), macs), (200 - refused, 200 - refused), "what was asked for goes to one of both");
}
