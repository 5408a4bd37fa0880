//! MACs kept for a server's address before it is created.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use vmacd::domain::{Code, Mac, Pool, Strategy};
use vmacd::store::{Admission, NewReservation, Reservation, Store, StoreError};

use super::bench::{Bench, create, issued, revoke, rng};
use super::pools::{admit, failure, tiny, with_pools};

on_both_engines! {
    a_reserved_mac_is_the_same_when_asked_again_and_the_one_that_the_create_gets,
    nobody_else_gets_a_reserved_mac,
    a_create_that_names_another_mac_than_the_reserved_one_is_refused,
    what_is_given_back_can_be_had_again,
    what_cannot_be_reserved_says_who_has_it,
    creates_and_reservations_at_once_never_share_a_mac,
    reservations_at_once_for_one_place_give_one_mac,
}

fn wanted(server_id: i64, ip: &str) -> NewReservation {
    NewReservation { server_id, ip_address: ip.parse().expect("an address"), mac_address: None, pool: None }
}

fn with_mac(wanted: NewReservation, mac: Mac) -> NewReservation {
    NewReservation { mac_address: Some(mac), ..wanted }
}

async fn reserve(store: &Store, wanted: &NewReservation) -> Reservation {
    store.mac_registry().reserve(wanted, &mut rng()).await.expect("reserved").reservation
}

async fn refusal(store: &Store, wanted: &NewReservation) -> (Code, String) {
    match store.mac_registry().reserve(wanted, &mut rng()).await {
        Err(StoreError::Refused(failure)) => (failure.code, failure.text),
        other => panic!("{other:?}"),
    }
}

fn mac(text: &str) -> Mac {
    text.parse().expect("a MAC")
}

async fn kept(bench: &Bench) -> Vec<Reservation> {
    bench.store.mac_registry().reservations(None, 1_000).await.expect("reservations")
}

/// Server 77 is in no inventory.
async fn a_reserved_mac_is_the_same_when_asked_again_and_the_one_that_the_create_gets(bench: &Bench) {
    let first = reserve(&bench.store, &wanted(1, "10.0.1.10")).await;
    let unknown = reserve(&bench.store, &wanted(77, "10.0.1.10")).await;
    assert_ne!(first.mac_address, unknown.mac_address);
    let again = bench.store.mac_registry().reserve(&wanted(1, "10.0.1.10"), &mut rng()).await.expect("reserved");
    assert_eq!((again.reservation, again.is_new), (first.clone(), false));
    assert_eq!(kept(bench).await.len(), 2);
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    let row = bench.row("10.0.1.10").await;
    assert_eq!((row.mac_address, row.switch_bindings[0].mac), (first.mac_address, first.mac_address));
    assert_eq!(kept(bench).await, [unknown], "the row has it now");
}

async fn nobody_else_gets_a_reserved_mac(bench: &Bench) {
    let mac = reserve(&bench.store, &wanted(77, "10.0.1.10")).await.mac_address;
    let mut asked = create("m-1", 1, "10.0.1.11");
    asked.command.mac_address = Some(mac);
    let refused = bench.admit(asked).await;
    assert_eq!(failure(&refused).code, Code::MacTaken);
    assert_eq!(failure(&refused).text, format!("{mac} is reserved for 10.0.1.10 of server 77"));
    let mut inventory = super::bench::inventory();
    inventory.servers[0].pxe_mac = mac;
    let refused = bench.store.inventory().import(&inventory).await.expect_err("refused").to_string();
    assert!(refused.contains(&format!("{mac} is reserved for 10.0.1.10 of server 77")), "{refused}");
    // All but one of a tiny pool are reserved: only that one is drawn.
    let store = with_pools(bench, vec![tiny(&[])]).await;
    let in_tiny = |n: i64| NewReservation { pool: Some("tiny".parse().expect("a name")), ..wanted(n, "10.0.1.20") };
    let mut macs = HashSet::new();
    for n in 100..355 {
        macs.insert(reserve(&store, &in_tiny(n)).await.mac_address);
    }
    assert_eq!(macs.len(), 255);
    let mut last = create("m-2", 1, "10.0.1.21");
    last.command.pool = Some("tiny".parse().expect("a name"));
    admit(&store, &[last]).await;
    assert!(macs.insert(bench.row("10.0.1.21").await.mac_address));
    let (code, text) = refusal(&store, &in_tiny(999)).await;
    assert_eq!(code, Code::PoolExhausted);
    assert!(text.contains("256 of its 256"), "{text}");
}

async fn a_create_that_names_another_mac_than_the_reserved_one_is_refused(bench: &Bench) {
    let kept_mac = reserve(&bench.store, &wanted(1, "10.0.1.10")).await.mac_address;
    let mut asked = create("m-1", 1, "10.0.1.10");
    asked.command.mac_address = Some(mac("02:aa:00:00:00:01"));
    let refused = bench.admit(asked.clone()).await;
    assert_eq!(failure(&refused).code, Code::ReservedDifferently);
    assert!(failure(&refused).text.contains(&kept_mac.to_string()), "{refused:?}");
    let (code, _) = refusal(&bench.store, &with_mac(wanted(1, "10.0.1.10"), mac("02:aa:00:00:00:01"))).await;
    assert_eq!(code, Code::ReservedDifferently);
    assert_eq!(kept(bench).await.len(), 1);
    let mut same = create("m-2", 1, "10.0.1.10");
    same.command.mac_address = Some(kept_mac);
    assert!(matches!(bench.admit(same).await, Admission::Work { .. }));
}

async fn what_is_given_back_can_be_had_again(bench: &Bench) {
    let asked = with_mac(wanted(77, "10.0.1.10"), mac("02:aa:00:00:00:01"));
    assert_eq!(reserve(&bench.store, &asked).await.pool, None);
    let ip = "10.0.1.10".parse().expect("an address");
    let released = bench.store.mac_registry().release(77, ip).await.expect("released");
    assert_eq!(released.mac_address, mac("02:aa:00:00:00:01"));
    let missing = bench.store.mac_registry().release(77, ip).await.expect_err("gone").to_string();
    assert_eq!(missing, "there is no reservation for 10.0.1.10 of server 77");
    let mut create = create("m-1", 1, "10.0.1.11");
    create.command.mac_address = Some(mac("02:aa:00:00:00:01"));
    assert!(matches!(bench.admit(create).await, Admission::Work { .. }));
}

async fn what_cannot_be_reserved_says_who_has_it(bench: &Bench) {
    let mut row = create("m-1", 1, "10.0.1.10");
    row.command.mac_address = Some(mac("02:aa:00:00:00:01"));
    bench.admit(row).await;
    let (code, text) = refusal(&bench.store, &wanted(1, "10.0.1.10")).await;
    assert_eq!(code, Code::BoundDifferently);
    assert!(text.contains("has the virtual MAC 02:aa:00:00:00:01 already"), "{text}");
    let taken = |mac_address: &str| with_mac(wanted(77, "10.0.9.9"), mac(mac_address));
    let (code, text) = refusal(&bench.store, &taken("02:aa:00:00:00:01")).await;
    assert_eq!((code, text.as_str()), (Code::MacTaken, "02:aa:00:00:00:01 is the virtual MAC of 10.0.1.10 (server 1)"));
    let (_, text) = refusal(&bench.store, &taken("52:54:00:00:00:02")).await;
    assert_eq!(text, "52:54:00:00:00:02 is the PXE MAC of server 2");
    let unknown = NewReservation { pool: Some("nowhere".parse().expect("a name")), ..wanted(77, "10.0.9.9") };
    assert_eq!(refusal(&bench.store, &unknown).await.0, Code::UnknownPool);
    // With MACs made from addresses, the revoked row of the address is the one to be revived.
    let made = Pool {
        name: "default".parse().expect("a name"),
        strategy: Strategy::FromAddress,
        prefix: "02".parse().expect("a prefix"),
        vlans: BTreeSet::new(),
        switches: BTreeSet::new(),
    };
    let store = with_pools(bench, vec![made]).await;
    admit(&store, &[create("m-2", 1, "10.0.1.20"), revoke("m-3", 1, "10.0.1.20")]).await;
    admit(&store, &[create("m-4", 1, "10.0.1.21")]).await;
    bench.settle("sw-a").await;
    admit(&store, &[revoke("m-5", 1, "10.0.1.21")]).await;
    bench.settle("sw-a").await;
    let reserved = reserve(&store, &wanted(2, "10.0.1.21")).await;
    assert_eq!(reserved.mac_address.address_in().map(|ip| ip.to_string()).as_deref(), Some("10.0.1.21"));
    admit(&store, &[issued(create("m-6", 2, "10.0.1.21"), 3_000)]).await;
    let row = bench.row("10.0.1.21").await;
    assert_eq!((row.server_id, row.mac_address), (2, reserved.mac_address));
    assert!(kept(bench).await.is_empty());
}

/// Two connections want all 256 MACs of a tiny pool at once, one by creates and one by reservations.
async fn creates_and_reservations_at_once_never_share_a_mac(bench: &Bench) {
    let (one, other) = (with_pools(bench, vec![tiny(&[])]).await, with_pools(bench, vec![tiny(&[])]).await);
    let tiny_name = || Some("tiny".parse().expect("a name"));
    let creating = async {
        for part in 0..8 {
            let of = |n: i64| {
                let mut create = create(&format!("m-{part}-{n}"), 1, &format!("10.8.{part}.{n}"));
                create.command.pool = tiny_name();
                create
            };
            admit(&one, &(1..=16).map(of).collect::<Vec<_>>()).await;
        }
    };
    let reserving = async {
        for n in 1..=128 {
            reserve(&other, &NewReservation { pool: tiny_name(), ..wanted(1_000 + n, "10.9.0.1") }).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(creating, reserving) })
        .await
        .expect("no deadlock");
    let rows = bench.store.vmacs().find(&vmacd::store::VmacFilter::default()).await.expect("rows");
    let kept = kept(bench).await;
    let macs = rows.iter().map(|row| row.mac_address).chain(kept.iter().map(|kept| kept.mac_address));
    assert_eq!((rows.len(), kept.len(), macs.collect::<HashSet<_>>().len()), (128, 128, 256));
}

async fn reservations_at_once_for_one_place_give_one_mac(bench: &Bench) {
    let other = bench.another().await;
    for n in 10..30 {
        let ip = format!("10.0.1.{n}");
        let (asked, mut draws) = (wanted(1, &ip), (rng(), rng()));
        let (one, two, created) = tokio::join!(
            bench.store.mac_registry().reserve(&asked, &mut draws.0),
            other.mac_registry().reserve(&asked, &mut draws.1),
            bench.admit(create(&format!("m-{n}"), 1, &ip)),
        );
        assert!(matches!(created, Admission::Work { .. }), "{created:?}");
        let row = bench.row(&ip).await.mac_address;
        for reserved in [one, two] {
            match reserved {
                Ok(reserved) => assert_eq!(reserved.reservation.mac_address, row),
                Err(StoreError::Refused(failure)) => assert_eq!(failure.code, Code::BoundDifferently),
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert!(kept(bench).await.is_empty());
}
