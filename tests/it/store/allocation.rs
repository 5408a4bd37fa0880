//! Which MACs are handed out. The unique index decides; what it refuses is drawn again.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;

use rand::TryRng;
use vmacd::domain::{Code, Mac};
use vmacd::store::Admission;

use super::bench::{Bench, create, issued, revoke};

on_both_engines! {
    a_mac_that_is_taken_is_drawn_again,
    two_equal_draws_in_one_group_become_two_macs,
    the_mac_of_a_revoked_row_is_never_handed_out_again,
    the_pxe_mac_of_a_server_is_never_handed_out,
    a_mac_that_was_asked_for_is_given_or_refused,
    concurrent_groups_never_share_a_mac,
}

/// Draws these MACs first, then others.
struct Scripted(VecDeque<u8>);

impl Scripted {
    fn macs(macs: &[Mac]) -> Self {
        let scripted = || Self(macs.iter().flat_map(|mac| mac.octets()[1..].to_vec()).collect());
        let mut probe = scripted();
        assert!(macs.iter().all(|mac| Mac::draw(&mut probe) == *mac), "the script is read octet by octet");
        scripted()
    }
}

impl TryRng for Scripted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.pop_front().map_or_else(rand::random, u32::from))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.0.pop_front().unwrap_or_else(rand::random));
        Ok(())
    }
}

fn mac(text: &str) -> Mac {
    text.parse().expect("a MAC")
}

/// Takes one create in while these MACs are drawn, and gives the one that the row got.
async fn drawn(bench: &Bench, key: &str, ip: &str, macs: &[Mac]) -> Mac {
    let answers = bench.store.intake().admit(&[create(key, 1, ip)], &mut Scripted::macs(macs)).await.expect("taken in");
    assert!(matches!(answers[0], Admission::Work { .. }), "{answers:?}");
    bench.row(ip).await.mac_address
}

async fn a_mac_that_is_taken_is_drawn_again(bench: &Bench) {
    let (taken, free) = (mac("02:aa:00:00:00:01"), mac("02:aa:00:00:00:02"));
    assert_eq!(drawn(bench, "m-1", "10.0.1.10", &[taken]).await, taken);
    assert_eq!(drawn(bench, "m-2", "10.0.1.11", &[taken, taken, free]).await, free);
    assert_eq!(bench.row("10.0.1.11").await.switch_bindings[0].mac, free, "the port gets the MAC of the last draw");
}

async fn two_equal_draws_in_one_group_become_two_macs(bench: &Bench) {
    let (twice, free) = (mac("02:aa:00:00:00:01"), mac("02:aa:00:00:00:02"));
    let group = [create("m-1", 1, "10.0.1.10"), create("m-2", 1, "10.0.1.11")];
    bench.store.intake().admit(&group, &mut Scripted::macs(&[twice, twice, free])).await.expect("taken in");
    let macs = HashSet::from([bench.row("10.0.1.10").await.mac_address, bench.row("10.0.1.11").await.mac_address]);
    assert_eq!(macs, HashSet::from([twice, free]));
}

async fn the_mac_of_a_revoked_row_is_never_handed_out_again(bench: &Bench) {
    let (old, free) = (mac("02:aa:00:00:00:01"), mac("02:aa:00:00:00:02"));
    drawn(bench, "m-1", "10.0.1.10", &[old]).await;
    bench.admit(revoke("m-2", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    let again = issued(create("m-3", 1, "10.0.1.10"), 3_000);
    bench.store.intake().admit(&[again], &mut Scripted::macs(&[old, free])).await.expect("taken in");
    assert_eq!(bench.row("10.0.1.10").await.mac_address, free);
    assert_eq!(bench.rows().await, 2, "the revoked row stays as history");
}

async fn the_pxe_mac_of_a_server_is_never_handed_out(bench: &Bench) {
    let (pxe, free) = (mac("02:aa:00:00:00:01"), mac("02:aa:00:00:00:02"));
    let mut inventory = super::bench::inventory();
    inventory.servers[1].pxe_mac = pxe;
    bench.store.inventory().import(&inventory).await.expect("imported");
    assert_eq!(drawn(bench, "m-1", "10.0.1.10", &[pxe, free]).await, free);
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
    // Both draw the same MACs in the same order: every one of them clashes.
    let macs: Vec<Mac> = (0..100).map(|n| Mac::new([2, 0xbb, 0, 0, 0, n])).collect();
    let group = |server: i64| -> Vec<_> {
        (1..=100).map(|n| create(&format!("s{server}-{n}"), server, &format!("10.9.{server}.{n}"))).collect()
    };
    let (first, second) = (group(1), group(2));
    let (mut mine, mut theirs) = (Scripted::macs(&macs), Scripted::macs(&macs));
    let (a, b) =
        tokio::join!(bench.store.intake().admit(&first, &mut mine), other.intake().admit(&second, &mut theirs));
    assert_eq!((a.expect("taken in").len(), b.expect("taken in").len()), (100, 100));
    let rows = bench.store.vmacs().find(&vmacd::store::VmacFilter::default()).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.mac_address).collect::<HashSet<_>>().len(), 200);
}
