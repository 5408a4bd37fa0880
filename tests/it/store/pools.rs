//! Pools: which MAC a row gets, that none is given twice by whatever strategy, and what happens when none is left.

use std::collections::{BTreeMap, HashSet};

use vmacd::domain::{Code, Desired, Failure, Mac, Pool, Pools, Prefix, Status, Strategy};
use vmacd::store::{Admission, ElsewhereMac, Incoming, Store, StoreOptions, Vmac, VmacFilter};

use super::bench::{Bench, create, issued, revoke, rng};

on_both_engines! {
    a_tiny_pool_gives_each_mac_once_to_two_connections_and_several_vlans_and_then_says_that_it_is_full,
    every_strategy_gives_macs_that_no_other_vlan_has,
    an_address_has_the_mac_that_is_made_from_it_and_the_same_one_again_after_a_revoke,
    a_revived_row_may_be_another_servers,
    the_mac_of_an_address_that_another_has_is_a_conflict_and_never_replaced,
    a_pool_that_nobody_knows_is_refused,
    the_figures_tell_how_full_a_pool_is,
}

/// A pool that serves these VLANs.
pub fn pool(name: &str, strategy: Strategy, prefix: &str, vlans: &[&str]) -> Pool {
    Pool {
        name: name.parse().expect("a name"),
        strategy,
        prefix: prefix.parse().expect("a prefix"),
        vlans: vlans.iter().map(|vlan| vlan.parse().expect("a name")).collect(),
        switches: std::collections::BTreeSet::new(),
    }
}

/// The same database as a process with these pools sees it.
pub async fn with_pools(bench: &Bench, pools: Vec<Pool>) -> Store {
    let pools = Pools::new(pools).expect("pools");
    bench.open(StoreOptions { pools, ..StoreOptions::default() }).await
}

/// 256 MACs.
pub fn tiny(vlans: &[&str]) -> Pool {
    pool("tiny", Strategy::Random, "02:a5:10:00:01", vlans)
}

fn in_vlan(incoming: Incoming, vlan: &str) -> Incoming {
    let mut incoming = incoming;
    incoming.command.vlan_name = Some(vlan.parse().expect("a name"));
    incoming
}

pub async fn admit(store: &Store, group: &[Incoming]) -> Vec<Admission> {
    store.intake().admit(group, &mut rng()).await.expect("taken in")
}

pub fn failure(admission: &Admission) -> &Failure {
    match admission {
        Admission::Refused { failure } => failure,
        other => panic!("{other:?}"),
    }
}

async fn all(store: &Store) -> Vec<Vmac> {
    store.vmacs().find(&VmacFilter { limit: 10_000, ..VmacFilter::default() }).await.expect("rows")
}

fn mac(text: &str) -> Mac {
    text.parse().expect("a MAC")
}

/// 300 creates from two connections at once, in groups of 25, for a pool of 256.
async fn a_tiny_pool_gives_each_mac_once_to_two_connections_and_several_vlans_and_then_says_that_it_is_full(
    bench: &Bench,
) {
    let vlans = ["v1", "v2", "v3"];
    let (one, other) = (with_pools(bench, vec![tiny(&vlans)]).await, with_pools(bench, vec![tiny(&vlans)]).await);
    let group = |side: i64, part: i64| -> Vec<Incoming> {
        let number = |n: i64| part * 25 + n;
        let one = |n: i64| create(&format!("{side}-{}", number(n)), side, &format!("10.8.{side}.{}", number(n) + 1));
        (0..25).map(|n| in_vlan(one(n), vlans[(n % 3) as usize])).collect()
    };
    let fill = async |store: &Store, side: i64| {
        let mut answers = Vec::new();
        for part in 0..6 {
            answers.extend(admit(store, &group(side, part)).await);
        }
        answers
    };
    let (first, second) = tokio::join!(fill(&one, 1), fill(&other, 2));
    let answers: Vec<Admission> = first.into_iter().chain(second).collect();
    let refused: Vec<&Admission> =
        answers.iter().filter(|answer| matches!(answer, Admission::Refused { .. })).collect();
    let rows = all(&bench.store).await;
    let macs: HashSet<Mac> = rows.iter().map(|row| row.mac_address).collect();
    assert_eq!((rows.len(), macs.len(), refused.len()), (256, 256, 44));
    let tiny: Prefix = "02:a5:10:00:01".parse().expect("a prefix");
    assert!(macs.iter().all(|mac| tiny.covers(*mac)));
    for answer in refused {
        let failure = failure(answer);
        assert_eq!(failure.code, Code::PoolExhausted);
        assert!(failure.text.contains("`tiny`: 256 of its 256"), "{failure}");
    }
    // Revoking makes none free again.
    bench.admit(revoke("gone", 1, "10.8.1.1")).await;
    bench.settle("sw-a").await;
    let more = issued(in_vlan(create("more", 1, "10.8.9.9"), "v1"), 5_000);
    assert_eq!(failure(&admit(&one, &[more]).await[0]).code, Code::PoolExhausted);
    // Other pools go on.
    assert!(matches!(admit(&one, &[create("else", 1, "10.8.9.10")]).await[0], Admission::Work { .. }));
}

async fn every_strategy_gives_macs_that_no_other_vlan_has(bench: &Bench) {
    let pools = || {
        vec![
            pool("random", Strategy::Random, "02:a6", &["v1"]),
            pool("tagged", Strategy::Tagged, "02:a5", &["v2"]),
            pool("made", Strategy::FromAddress, "02", &["v3"]),
        ]
    };
    let (one, other) = (with_pools(bench, pools()).await, with_pools(bench, pools()).await);
    let group = |side: i64| -> Vec<Incoming> {
        let of = |n: i64| create(&format!("{side}-{n}"), side, &format!("10.7.{side}.{n}"));
        (1..=80)
            .map(|n| if n % 4 == 0 { of(n) } else { in_vlan(of(n), ["v1", "v2", "v3"][(n % 3) as usize]) })
            .collect()
    };
    let (first, second) = (group(1), group(2));
    tokio::join!(admit(&one, &first), admit(&other, &second));
    let rows = all(&bench.store).await;
    assert_eq!(rows.iter().map(|row| row.mac_address).collect::<HashSet<_>>().len(), 160);
    for row in &rows {
        let octets = row.mac_address.octets();
        match row.vlan_name.as_ref().map(|vlan| vlan.as_str()) {
            Some("v1") => assert_eq!(octets[1], 0xa6),
            Some("v2") => assert_eq!(octets[1], 0xa5),
            Some("v3") => {
                assert_eq!(row.mac_address.address_in().map(|ip| ip.to_string()), Some(row.ip_address.to_string()))
            }
            _ => assert!(![0x00, 0xa5, 0xa6].contains(&octets[1]), "the default pool leaves the others' MACs alone"),
        }
    }
}

fn made() -> Vec<Pool> {
    vec![pool("default", Strategy::FromAddress, "02", &[])]
}

async fn an_address_has_the_mac_that_is_made_from_it_and_the_same_one_again_after_a_revoke(bench: &Bench) {
    let store = with_pools(bench, made()).await;
    admit(&store, &[create("m-1", 1, "10.0.48.6")]).await;
    bench.settle("sw-a").await;
    let before = bench.row("10.0.48.6").await;
    assert_eq!((before.mac_address, before.status), (mac("02:00:0a:00:30:06"), Status::Active));
    bench.admit(revoke("m-2", 1, "10.0.48.6")).await;
    bench.settle("sw-a").await;
    let answers = admit(&store, &[issued(create("m-3", 1, "10.0.48.6"), 3_000)]).await;
    assert!(matches!(&answers[0], Admission::Work { vmac_id, .. } if *vmac_id == before.id), "{answers:?}");
    let row = bench.row("10.0.48.6").await;
    assert_eq!(
        (row.id, row.mac_address, row.status, row.desired),
        (before.id, before.mac_address, Status::Pending, Desired::Bound)
    );
    assert!(row.generation > before.generation && row.revoked_at.is_none(), "{row:?}");
    bench.settle("sw-a").await;
    assert_eq!((bench.status("10.0.48.6").await, bench.rows().await), (Status::Active, 1));
    let timeline = bench.store.vmacs().timeline(row.id).await.expect("a timeline");
    let asked = timeline.iter().filter(|entry| entry.text.contains("requested")).count();
    assert_eq!((asked, timeline.len()), (3, 6), "the history goes on: {timeline:?}");
}

async fn a_revived_row_may_be_another_servers(bench: &Bench) {
    let store = with_pools(bench, made()).await;
    admit(&store, &[create("m-1", 1, "10.0.48.6")]).await;
    bench.settle("sw-a").await;
    bench.admit(revoke("m-2", 1, "10.0.48.6")).await;
    bench.settle("sw-a").await;
    // A newer row of the address, from a pool that draws: the revived one is older, and still the one that is found.
    bench.admit(issued(create("m-3", 1, "10.0.48.6"), 3_000)).await;
    bench.settle("sw-a").await;
    bench.admit(issued(revoke("m-4", 1, "10.0.48.6"), 4_000)).await;
    bench.settle("sw-a").await;
    let both = [create("m-5", 2, "10.0.48.6"), create("m-6", 3, "10.0.48.6")].map(|one| issued(one, 5_000));
    let answers = admit(&store, &both).await;
    let codes: Vec<Option<Code>> = answers
        .iter()
        .map(|answer| match answer {
            Admission::Refused { failure } => Some(failure.code),
            _ => None,
        })
        .collect();
    assert!(codes == [None, Some(Code::AddressTaken)] || codes == [Some(Code::AddressTaken), None], "{answers:?}");
    let row = bench.store.vmacs().named("10.0.48.6".parse().expect("a name")).await.expect("a row");
    assert_eq!((row.mac_address, row.status), (mac("02:00:0a:00:30:06"), Status::Pending));
    let switch = if row.server_id == 2 { "sw-b" } else { "sw-a" };
    assert_eq!(row.switch_bindings[0].switch.as_str(), switch, "its ports are those of the server that has it now");
}

async fn the_mac_of_an_address_that_another_has_is_a_conflict_and_never_replaced(bench: &Bench) {
    let store = with_pools(bench, made()).await;
    let mut asked = create("m-1", 1, "10.0.1.77");
    asked.command.mac_address = Some(mac("02:00:0a:00:30:06"));
    admit(&store, &[asked]).await;
    let used = ElsewhereMac { mac_address: mac("02:00:0a:00:30:07"), note: None, line: 2 };
    bench.store.mac_registry().import_elsewhere(&[used], "netbox", |_| ()).await.expect("imported");
    let mut inventory = super::bench::inventory();
    inventory.servers[1].pxe_mac = mac("02:00:0a:00:30:08");
    bench.store.inventory().import(&inventory).await.expect("imported");
    let group = [6, 7, 8].map(|last| create(&format!("n-{last}"), 1, &format!("10.0.48.{last}")));
    let answers = admit(&store, &group).await;
    let told: Vec<(Code, &str)> =
        answers.iter().map(|answer| (failure(answer).code, failure(answer).text.as_str())).collect();
    assert_eq!(
        told,
        [
            (Code::MacTaken, "02:00:0a:00:30:06 is the virtual MAC of 10.0.1.77 (server 1)"),
            (Code::MacTaken, "02:00:0a:00:30:07 is used elsewhere (imported from netbox)"),
            (Code::MacTaken, "02:00:0a:00:30:08 is the PXE MAC of server 2"),
        ]
    );
    assert_eq!(bench.rows().await, 1);
}

async fn a_pool_that_nobody_knows_is_refused(bench: &Bench) {
    let mut asked = create("m-1", 1, "10.0.1.10");
    asked.command.pool = Some("nowhere".parse().expect("a name"));
    let answers = bench.admit_all(&[asked.clone(), create("m-2", 1, "10.0.1.11")]).await;
    assert_eq!(failure(&answers[0]).code, Code::UnknownPool);
    assert!(matches!(answers[1], Admission::Work { .. }), "the others of its group go on");
    let known = pool("nowhere", Strategy::Tagged, "02:a5", &[]);
    let replayed = Incoming { replay_number: 1, ..asked };
    let answers = admit(&with_pools(bench, vec![known]).await, &[replayed]).await;
    assert!(matches!(answers[0], Admission::Work { .. }), "{answers:?}");
    assert_eq!(bench.row("10.0.1.10").await.mac_address.octets()[1], 0xa5);
}

async fn the_figures_tell_how_full_a_pool_is(bench: &Bench) {
    let store = with_pools(bench, vec![tiny(&["v1"]), pool("around", Strategy::Random, "02:a5", &["v2"])]).await;
    let group: Vec<Incoming> =
        (1..=64).map(|n| in_vlan(create(&format!("m-{n}"), 1, &format!("10.7.1.{n}")), "v1")).collect();
    admit(&store, &group).await;
    admit(&store, &[in_vlan(create("n-1", 1, "10.7.2.1"), "v2"), create("n-2", 1, "10.7.2.2")]).await;
    let elsewhere = ["02:a5:77:00:00:01", "02:a5:77:00:00:02"].map(mac);
    let elsewhere = elsewhere.map(|mac_address| ElsewhereMac { mac_address, note: None, line: 1 });
    store.mac_registry().import_elsewhere(&elsewhere, "test", |_| ()).await.expect("imported");
    let figures = store.mac_registry().pool_figures().await.expect("figures");
    let figures: BTreeMap<&str, _> = figures.iter().map(|figures| (figures.pool.as_str(), figures)).collect();
    let used = |name: &str| figures[name].used;
    assert_eq!((used("tiny"), used("around"), used("default")), (64, 3, 1));
    assert_eq!((figures["tiny"].size, figures["around"].size), (256, (1 << 32) - 256));
    assert_eq!((figures["tiny"].used_ratio, figures["tiny"].clash_odds), (0.25, 0.25));
    assert!(figures["tiny"].unchecked_clash_odds > 0.999, "64 of 256, as birthdays go");
}
