//! An address that another port of the switch holds, in both dialects.

use vmacd::domain::plan::{EndState, LeftPort, Wish};
use vmacd::domain::{Code, Dialect};
use vmacd::sim::{DuplicateScope, Options};
use vmacd::switch::preview_changes;

use super::bench::{Bench, Notes, codes, mac, ours, whole};

const STRANGER: &str = "0c:c4:7a:99:99:99";

/// The statement that binds an address on a port.
fn statement(bench: &Bench, dialect: Dialect, port: usize, vlan: &str, ip: &str, mac: &str) -> String {
    let interface = &bench.server(port).interface;
    match dialect {
        Dialect::NonEls => format!(
            "set ethernet-switching-options secure-access-port interface {interface} static-ip {ip} vlan {vlan} mac {mac}"
        ),
        Dialect::Els => {
            let keyword = if ip.contains(':') { "static-ipv6" } else { "static-ip" };
            format!(
                "set vlans {vlan} forwarding-options dhcp-security group servers interface {interface} {keyword} {ip} mac {mac}"
            )
        }
    }
}

async fn both() -> [(Bench, Dialect); 2] {
    // Both take one MAC on two ports.
    let non_els = Options { duplicates: Some(DuplicateScope::Interface), ..Options::default() };
    [(Bench::with(non_els).await, Dialect::NonEls), (Bench::els().await, Dialect::Els)]
}

/// Addresses with their ports, of what is beside the primaries.
fn places(bench: &Bench) -> Vec<(String, String)> {
    let primaries: Vec<String> = (0..3).map(|port| bench.server(port).primary_ip.clone()).collect();
    let held = bench.sim().bindings().into_iter().filter(|binding| !primaries.contains(&binding.ip));
    let mut places: Vec<_> = held.map(|binding| (binding.ip, binding.interface)).collect();
    places.sort();
    places
}

#[tokio::test]
async fn an_address_that_another_port_holds_is_not_bound_again() {
    for (bench, dialect) in both().await {
        for vlan in ["VLAN.13", "VLAN.77"] {
            let (taken, free) = (bench.create(0, 1), bench.create(0, 2));
            let line = statement(&bench, dialect, 1, vlan, &taken.ip.to_string(), STRANGER);
            bench.operator_sets(&["set vlans VLAN.77 vlan-id 77", &line]);
            let report = bench.push(&mut Notes::of(vec![taken.clone(), free.clone()])).await;
            assert_eq!(codes(&report), [(1, Some(Code::AddressElsewhere)), (2, None)], "{vlan}");
            let failure = report.results.iter().find_map(|result| result.end.as_ref().err()).expect("a failure");
            for word in [&taken.ip.to_string(), STRANGER, &bench.server(1).interface, vlan] {
                assert!(failure.text.contains(word), "{word}: {}", failure.text);
            }
            let kept = (taken.ip.to_string(), STRANGER.to_owned());
            assert_eq!(bench.extra(), Bench::bound(&[free]).into_iter().chain([kept]).collect());
            bench.assert_tidy();
            bench.operator_removes(&taken.ip.to_string());
        }
    }
}

#[tokio::test]
async fn an_ipv6_address_is_found_however_the_switch_spells_it() {
    let bench = Bench::els().await;
    let wanted = Wish { ip: "2001:db8:48::6".parse().expect("an address"), ..bench.create(0, 6) };
    bench.operator_sets(&[&statement(&bench, Dialect::Els, 1, "VLAN.13", "2001:DB8:48:0:0:0:0:6", STRANGER)]);
    let report = bench.push(&mut Notes::of(vec![wanted])).await;
    assert_eq!(codes(&report), [(6, Some(Code::AddressElsewhere))], "{}", bench.sim().committed_set());
}

#[tokio::test]
async fn a_preview_says_it_too() {
    for (bench, dialect) in both().await {
        let wanted = vec![bench.create(0, 1)];
        bench.operator_sets(&[&statement(&bench, dialect, 1, "VLAN.13", &wanted[0].ip.to_string(), STRANGER)]);
        let owned = ours(&wanted, &[]);
        let preview = preview_changes(&mut bench.client().await, wanted, &owned).await.expect("a preview");
        let codes: Vec<_> = preview.planned.iter().map(|planned| planned.as_ref().err().map(|(_, f)| f.code)).collect();
        assert_eq!((preview.difference.as_str(), codes), ("", vec![Some(Code::AddressElsewhere)]));
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn one_row_binds_its_address_on_two_ports_and_moves_it_in_one_commit() {
    for (bench, _) in both().await {
        let first = bench.create(0, 1);
        let second =
            Wish { interface: bench.create(1, 1).interface, pxe_mac: bench.create(1, 1).pxe_mac, ..first.clone() };
        let report = bench.push(&mut Notes::of(vec![first.clone(), second.clone()])).await;
        assert_eq!(codes(&report), [(1, None), (1, None)]);
        assert_eq!(places(&bench).len(), 2);
        // The first port is left, the third is new; nothing takes the place of what goes, though the PXE MAC is free there.
        bench.operator_removes(&bench.server(0).primary_ip);
        let gone = Wish { leaving: true, desired: vmacd::domain::Desired::Unbound, ..first.clone() };
        let third = Wish { interface: bench.create(2, 1).interface, pxe_mac: bench.create(2, 1).pxe_mac, ..first };
        let commits = bench.sim().commits();
        let report = bench.push(&mut Notes::of(vec![gone, second, third])).await;
        assert_eq!(codes(&report), [(1, None); 3]);
        assert_eq!(bench.sim().commits() - commits, 2, "one commit confirmed and its confirmation");
        let ports: Vec<String> = places(&bench).into_iter().map(|(_, port)| port).collect();
        assert_eq!(ports, [bench.server(1).interface.clone(), bench.server(2).interface.clone()]);
    }
}

#[tokio::test]
async fn what_a_revoke_restored_goes_in_the_commit_that_binds_the_address_elsewhere() {
    for (bench, _) in both().await {
        bench.push(&mut Notes::of(vec![bench.create(0, 1)])).await;
        bench.operator_removes(&bench.server(0).primary_ip);
        let report = bench.push(&mut Notes::of(vec![bench.revoke(0, 1)])).await;
        let revoked = &report.results[0];
        assert_eq!(revoked.end.as_ref().expect("reached").end, EndState::Restored);
        let next = Wish { ip: revoked.wish.ip, ..bench.create(1, 9) };
        let report = bench.push(&mut Notes::of(vec![next.clone()])).await;
        assert_eq!(codes(&report), [(9, Some(Code::AddressElsewhere))], "nobody remembers the revoke");
        let left = LeftPort { ip: next.ip, interface: revoked.wish.interface.clone(), mac: revoked.wish.pxe_mac };
        let report = bench.push(&mut Notes { left: vec![left], ..Notes::of(vec![next.clone()]) }).await;
        assert_eq!((whole(&report), codes(&report)), (None, vec![(9, None)]));
        assert_eq!(places(&bench), [(next.ip.to_string(), bench.server(1).interface.clone())]);
        assert_eq!(bench.extra(), [(next.ip.to_string(), mac(1, 9).to_string())].into());
        bench.assert_tidy();
    }
}
