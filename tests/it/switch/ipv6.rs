//! IPv6 bindings: beside those of IPv4 on ELS switches, refused on the others.

use std::net::Ipv6Addr;

use proptest::prelude::*;
use vmacd::domain::plan::{EndState, Wish};
use vmacd::domain::{Code, Desired};
use vmacd::switch::PushReport;

use super::bench::{Bench, Notes, codes, mac, whole};

/// A wish for the IPv6 address of that number.
fn wish(bench: &Bench, desired: Desired, port: usize, number: u8) -> Wish {
    let ip = format!("2001:db8:48::{number:x}").parse().expect("an address");
    Wish { ip, ..bench.wish(desired, port, number) }
}

fn create(bench: &Bench, port: usize, number: u8) -> Wish {
    wish(bench, Desired::Bound, port, number)
}

async fn push(bench: &Bench, wishes: &[Wish]) -> PushReport {
    let report = bench.push(&mut Notes::of(wishes.to_vec())).await;
    assert_eq!(whole(&report), None, "{report:?}");
    report
}

#[tokio::test]
async fn both_families_of_a_server_are_one_commit_and_each_goes_again_by_itself() {
    let bench = Bench::els().await;
    let (old, new) = (bench.create(0, 4), create(&bench, 0, 6));
    let before = bench.sim().commits();
    let report = push(&bench, &[old.clone(), new.clone()]).await;
    assert_eq!(codes(&report), [(4, None), (6, None)]);
    assert_eq!(bench.sim().commits() - before, 2, "commit confirmed, and its confirmation");
    assert_eq!(bench.extra(), Bench::bound(&[old.clone(), new.clone()]));
    let set = bench.sim().committed_set();
    assert!(set.contains(" static-ipv6 2001:db8:48::6 mac 02:aa:00:00:00:06"), "{set}");
    let text = bench.sim().committed_text();
    push(&bench, &[old.clone(), new]).await;
    assert_eq!(bench.sim().committed_text(), text, "pushing again changes nothing");
    let report = push(&bench, &[wish(&bench, Desired::Unbound, 0, 6)]).await;
    // The server's own MAC stands for its primary address, and stands once on a port, whatever the family.
    assert_eq!(report.results[0].end.as_ref().expect("reached").end, EndState::Removed);
    assert_eq!(bench.extra(), Bench::bound(&[old]));
    bench.assert_tidy();
}

#[tokio::test]
async fn the_servers_own_mac_comes_back_where_it_stands_for_no_address_of_either_family() {
    let bench = Bench::els().await;
    bench.operator_removes(&bench.server(0).primary_ip);
    let bound = Wish { vlan: Some("VLAN.13".parse().expect("a name")), ..create(&bench, 0, 6) };
    push(&bench, &[bound]).await;
    let report = push(&bench, &[wish(&bench, Desired::Unbound, 0, 6)]).await;
    assert_eq!(report.results[0].end.as_ref().expect("reached").end, EndState::Restored);
    let expected = ("2001:db8:48::6".to_owned(), bench.server(0).pxe_mac.clone());
    assert!(bench.extra().contains(&expected), "{:?}", bench.extra());
}

#[tokio::test]
async fn one_mac_for_both_families_on_a_port_is_refused_by_the_switch() {
    let bench = Bench::els().await;
    push(&bench, &[bench.create(0, 4)]).await;
    let twice = Wish { mac: mac(0, 4), ..create(&bench, 0, 6) };
    let report = push(&bench, &[twice, create(&bench, 0, 7)]).await;
    assert_eq!(codes(&report), [(6, Some(Code::DuplicateMac)), (7, None)]);
    bench.assert_tidy();
}

#[tokio::test]
async fn a_switch_of_the_older_dialect_is_not_even_asked_and_the_others_of_the_group_go_on() {
    let bench = Bench::non_els().await;
    let old = bench.create(0, 4);
    let report = push(&bench, &[create(&bench, 0, 6), old.clone()]).await;
    assert_eq!(codes(&report), [(4, None), (6, Some(Code::Ipv6Unsupported))]);
    let failed = report.results.iter().find_map(|result| result.end.as_ref().err()).expect("a failure");
    insta::assert_snapshot!(failed.text, @"sw-001 uses the dialect non-els, which cannot bind IPv6 addresses such as 2001:db8:48::6; use an ELS switch for them, or set `dialect` in the inventory if sw-001 is one");
    assert_eq!(bench.extra(), Bench::bound(&[old]));
    assert_eq!(bench.sim().rpc_counts().get("load-configuration"), Some(&1), "nothing was tried in vain");
    let report = push(&bench, &[wish(&bench, Desired::Unbound, 0, 6)]).await;
    assert_eq!(codes(&report), [(6, None)], "what was never there is gone");
}

#[tokio::test]
async fn a_release_that_does_not_know_the_statement_fails_that_change_alone() {
    let bench = Bench::els().await;
    bench.sim().set_fault("ipv6_refused").expect("a fault");
    let (first, second) = (bench.create(0, 4), bench.create(1, 5));
    let report = push(&bench, &[first.clone(), create(&bench, 0, 6), second.clone()]).await;
    assert_eq!(codes(&report), [(4, None), (5, None), (6, Some(Code::RefusedBySwitch))]);
    assert_eq!(bench.extra(), Bench::bound(&[first, second]));
    bench.assert_tidy();
}

#[tokio::test]
async fn the_vlan_of_an_ipv6_address_is_found_without_help_of_the_other_family() {
    let bench = Bench::els().await;
    bench.operator_sets(&[
        "delete interfaces ge-0/0/0 unit 0 family ethernet-switching vlan",
        "set interfaces ge-0/0/0 unit 0 family ethernet-switching interface-mode trunk",
        "set interfaces ge-0/0/0 unit 0 family ethernet-switching vlan members v4",
        "set interfaces ge-0/0/0 unit 0 family ethernet-switching vlan members v6",
        "set vlans v4 vlan-id 704 l3-interface irb.704",
        "set vlans v6 vlan-id 706 l3-interface irb.706",
        "set interfaces irb unit 704 family inet address 10.0.0.1/8",
        "set interfaces irb unit 706 family inet6 address 2001:db8:48::1/64",
    ]);
    let report = push(&bench, &[create(&bench, 0, 6)]).await;
    assert_eq!(codes(&report), [(6, None)]);
    assert_eq!(report.results[0].wish.vlan.as_ref().map(ToString::to_string).as_deref(), Some("v6"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_bound_is_what_the_switch_holds_and_what_is_read_back(
        addresses in prop::collection::btree_set(any::<u64>(), 1..40),
        shift in 0_u32..60,
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let bench = Bench::els().await;
            // Zero groups at one end or in the middle.
            let ip = |bits: u64| Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(bits) << shift);
            let texts: std::collections::BTreeSet<_> = addresses.iter().map(|bits| ip(*bits).to_string()).collect();
            let wish = |(number, text): (usize, &String)| {
                Wish { ip: text.parse().expect("an address"), ..create(&bench, number % 3, u8::try_from(number).expect("few")) }
            };
            let wishes: Vec<Wish> = texts.iter().enumerate().map(wish).collect();
            let report = push(&bench, &wishes).await;
            assert!(codes(&report).iter().all(|(_, code)| code.is_none()), "{report:?}");
            assert_eq!(bench.extra(), Bench::bound(&wishes));
            let text = bench.sim().committed_text();
            push(&bench, &wishes).await;
            assert_eq!(bench.sim().committed_text(), text, "each is found again in what is read");
        });
    }
}
