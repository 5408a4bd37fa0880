//! MACs that something else uses, and those that rows had before.

use std::time::{Duration, Instant};

use vmacd::domain::{Code, Mac};
use vmacd::store::{Admission, ElsewhereMac, NewReservation, VmacFilter};

use super::bench::{Bench, create, revoke, rng};
use super::pools::{admit, failure, tiny, with_pools};

on_both_engines! {
    macs_used_elsewhere_are_never_handed_out_and_importing_again_changes_nothing,
    what_is_vmacds_own_is_told_and_not_written,
    an_import_and_creates_at_once_never_share_a_mac,
    a_hundred_thousand_macs_take_seconds,
    a_mac_that_is_used_elsewhere_since_it_was_revoked_is_not_ours,
}

fn entry(line: u64, mac: Mac) -> ElsewhereMac {
    ElsewhereMac { mac_address: mac, note: Some(format!("entry {line}")), line }
}

/// MACs of the tiny pool.
fn of_tiny(numbers: std::ops::Range<u8>) -> Vec<ElsewhereMac> {
    numbers.map(|last| entry(u64::from(last) + 2, Mac::new([2, 0xa5, 0x10, 0, 1, last]))).collect()
}

async fn macs_used_elsewhere_are_never_handed_out_and_importing_again_changes_nothing(bench: &Bench) {
    let store = with_pools(bench, vec![tiny(&[])]).await;
    let mut list = of_tiny(0..250);
    list.push(entry(500, list[7].mac_address));
    let report = store.mac_registry().import_elsewhere(&list, "netbox", |_| ()).await.expect("imported");
    assert_eq!((report.added, report.unchanged, report.conflicts.len()), (250, 1, 0));
    let report = store.mac_registry().import_elsewhere(&list, "another", |_| ()).await.expect("imported");
    assert_eq!((report.added, report.unchanged, report.conflicts.len()), (0, 251, 0));
    let in_tiny = |n: u8| {
        let mut create = create(&format!("m-{n}"), 1, &format!("10.0.1.1{n}"));
        create.command.pool = Some("tiny".parse().expect("a name"));
        create
    };
    let answers = admit(&store, &(0..7).map(in_tiny).collect::<Vec<_>>()).await;
    let full = answers.iter().filter(|answer| matches!(answer, Admission::Refused { .. })).count();
    let rows = store.vmacs().find(&VmacFilter::default()).await.expect("rows");
    assert_eq!((rows.len(), full), (6, 1));
    assert!(rows.iter().all(|row| row.mac_address.octets()[5] >= 250), "{rows:?}");
}

async fn what_is_vmacds_own_is_told_and_not_written(bench: &Bench) {
    let mac = |last: u8| Mac::new([2, 0xaa, 0, 0, 0, last]);
    let asked = |n: u8| {
        let mut create = create(&format!("m-{n}"), 1, &format!("10.0.1.1{n}"));
        create.command.mac_address = Some(mac(n));
        create
    };
    bench.admit_all(&[asked(1), asked(2)]).await;
    bench.settle("sw-a").await;
    bench.admit(revoke("r-2", 1, "10.0.1.12")).await;
    bench.settle("sw-a").await;
    let ip_address = "10.0.1.13".parse().expect("an address");
    let wanted = NewReservation { server_id: 77, ip_address, mac_address: Some(mac(3)), pool: None };
    bench.store.mac_registry().reserve(&wanted, &mut rng()).await.expect("reserved");
    let list: Vec<ElsewhereMac> = (1..=4).map(|n| entry(u64::from(n) + 10, mac(n))).collect();
    let report = bench.store.mac_registry().import_elsewhere(&list, "netbox", |_| ()).await.expect("imported");
    let told: Vec<(u64, &str)> =
        report.conflicts.iter().map(|conflict| (conflict.line, conflict.text.as_str())).collect();
    assert_eq!(
        told,
        [
            (11, "02:aa:00:00:00:01 is the virtual MAC of 10.0.1.11 (server 1)"),
            (13, "02:aa:00:00:00:03 is reserved for 10.0.1.13 of server 77"),
        ]
    );
    assert_eq!((report.added, report.unchanged), (2, 0));
    let again = bench.store.mac_registry().import_elsewhere(&list, "netbox", |_| ()).await.expect("imported");
    assert_eq!((again.added, again.unchanged, again.conflicts), (0, 2, report.conflicts));
    assert!(matches!(bench.admit(asked(4)).await, Admission::Refused { .. }));
    let refused = bench.admit(asked(4)).await;
    assert_eq!(failure(&refused).code, Code::MacTaken);
}

async fn an_import_and_creates_at_once_never_share_a_mac(bench: &Bench) {
    let (one, other) = (with_pools(bench, vec![tiny(&[])]).await, with_pools(bench, vec![tiny(&[])]).await);
    let creating = async {
        for n in 0..60 {
            let mut create = create(&format!("m-{n}"), 1, &format!("10.0.9.{}", n + 1));
            create.command.pool = Some("tiny".parse().expect("a name"));
            admit(&one, &[create]).await;
        }
    };
    let importing = async {
        let mut conflicts = Vec::new();
        for part in 0..20 {
            let list = of_tiny(part * 8..part * 8 + 8);
            let report = other.mac_registry().import_elsewhere(&list, "netbox", |_| ()).await.expect("imported");
            conflicts.extend(report.conflicts.into_iter().map(|conflict| conflict.mac_address));
        }
        conflicts
    };
    let both = async { tokio::join!(creating, importing) };
    let ((), conflicts) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("no deadlock");
    let rows = one.vmacs().find(&VmacFilter::default()).await.expect("rows");
    assert_eq!(rows.len(), 60);
    let imported = rows.iter().filter(|row| row.mac_address.octets()[5] < 160);
    for row in imported {
        let told = conflicts.contains(&row.mac_address);
        assert!(told, "{} was handed out and is used elsewhere, and nobody was told", row.mac_address);
    }
}

async fn a_hundred_thousand_macs_take_seconds(bench: &Bench) {
    let list: Vec<ElsewhereMac> =
        (0..100_000).map(|n| entry(n + 2, Mac::of_number(0x02a5_1000_0000 + n * 7))).collect();
    let (started, mut told) = (Instant::now(), 0);
    let report =
        bench.store.mac_registry().import_elsewhere(&list, "netbox", |done| told = done).await.expect("imported");
    assert_eq!((report.added, told), (100_000, 100_000));
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

async fn a_mac_that_is_used_elsewhere_since_it_was_revoked_is_not_ours(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    let mac = bench.row("10.0.1.10").await.mac_address;
    bench.admit(revoke("m-2", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    assert!(bench.store.vmacs().ours_among(&[mac]).await.expect("an answer").contains(&mac));
    bench.store.mac_registry().import_elsewhere(&[entry(2, mac)], "netbox", |_| ()).await.expect("imported");
    assert!(bench.store.vmacs().ours_among(&[mac]).await.expect("an answer").is_empty());
}
