//! An address is bound on one port of a switch, on more only where its row says so.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::PORT;
use super::*;
use crate::domain::{Code, Dialect, DuplicateChoice};

/// The MAC of a row; those below 100 are vmacd's, others nobody knows.
fn vmac(number: u8) -> Mac {
    Mac::new([0x02, 0xa0, 0, 0, 0, number])
}

/// The own MAC of the server on a port.
fn pxe(port: u8) -> Mac {
    Mac::new([0xaa, 0xbb, 0xcc, 0, 0, port])
}

fn interface(port: u8) -> InterfaceName {
    format!("ge-0/0/{port}.0").parse().expect("an interface")
}

fn ip(host: u8) -> BindableAddress {
    format!("10.0.48.{host}").parse().expect("an address")
}

fn vlan(name: &str) -> Option<VlanName> {
    Some(name.parse().expect("a VLAN"))
}

fn held(port: u8, host: u8, mac: Mac) -> PresentBinding {
    PresentBinding::new(interface(port), ip(host), vlan("VLAN.13"), mac)
}

fn wish(row: u8, desired: Desired, port: u8, host: u8) -> Wish {
    Wish {
        vmac_id: i64::from(row),
        desired,
        leaving: false,
        interface: interface(port),
        ip: ip(host),
        mac: vmac(row),
        pxe_mac: pxe(port),
        primary_ip: None,
        vlan: vlan("VLAN.13"),
    }
}

fn bind(row: u8, port: u8, host: u8) -> Wish {
    wish(row, Desired::Bound, port, host)
}

fn unbind(row: u8, port: u8, host: u8) -> Wish {
    wish(row, Desired::Unbound, port, host)
}

fn leave(row: u8, port: u8, host: u8) -> Wish {
    Wish { leaving: true, ..unbind(row, port, host) }
}

fn owned(left: &[(u8, u8, Mac)]) -> Ownership {
    let left = left.iter().map(|(port, host, mac)| LeftPort { ip: ip(*host), interface: interface(*port), mac: *mac });
    Ownership { macs: (0..100).map(vmac).collect(), left: left.collect() }
}

/// What the wishes come to: the switch afterwards, and the code of each that failed.
fn carried_out(
    wishes: &[Wish],
    before: &[PresentBinding],
    owned: &Ownership,
) -> (Vec<PresentBinding>, Vec<Option<Code>>) {
    carried_out_under(PORT, wishes, before, owned)
}

fn carried_out_under(
    rule: Duplicates,
    wishes: &[Wish],
    before: &[PresentBinding],
    owned: &Ownership,
) -> (Vec<PresentBinding>, Vec<Option<Code>>) {
    let mut after = before.to_vec();
    let planned = plan(wishes, before, &PortVlans::default(), owned, rule);
    planned.iter().flatten().flat_map(|step| &step.changes).for_each(|change| apply(change, &mut after));
    let codes = planned.iter().map(|step| step.as_ref().err().map(|(_, failure)| failure.code));
    (after, codes.collect())
}

fn text(of: Planned) -> String {
    of.expect_err("it is refused").1.text
}

#[test]
fn an_address_that_another_port_holds_is_refused_with_that_port_its_mac_and_its_vlan() {
    let stranger = held(2, 6, vmac(200));
    let planned = plan(&[bind(6, 1, 6)], &[stranger], &PortVlans::default(), &owned(&[]), PORT).remove(0);
    insta::assert_snapshot!(text(planned), @"10.0.48.6 is bound to 02:a0:00:00:00:c8 on ge-0/0/2.0 in VLAN.13 of the same switch, and no row of vmacd accounts for that, so ge-0/0/1.0 must not have it too: find out who has the address, then remove that binding, or revoke this one");
}

#[test]
fn neither_the_vlan_nor_whose_mac_it_is_nor_how_it_is_spelled_makes_a_difference() {
    let v6 = |text: &str| text.parse::<BindableAddress>().expect("an address");
    let in_another_vlan = PresentBinding { vlan: vlan("VLAN.14"), ..held(2, 6, vmac(200)) };
    let in_a_group = PresentBinding { group: Some("servers".to_owned()), ..held(2, 6, vmac(200)) };
    let other_unit = PresentBinding { interface: "ge-0/0/1.100".parse().expect("a name"), ..held(1, 6, vmac(200)) };
    // The row's own MAC on a port that it does not have: the rows are older than the switch.
    for there in [in_another_vlan, in_a_group, other_unit, held(2, 6, vmac(6)), held(2, 6, vmac(9)), held(2, 6, pxe(2))]
    {
        let (after, codes) = carried_out(&[bind(6, 1, 6)], std::slice::from_ref(&there), &owned(&[]));
        assert_eq!((after, codes), (vec![there], vec![Some(Code::AddressElsewhere)]));
    }
    let spelled = PresentBinding { ip: v6("2001:DB8:0:0::6"), ..held(2, 6, vmac(200)) };
    let wanted = Wish { ip: v6("2001:db8::6"), ..bind(6, 1, 6) };
    assert_eq!(carried_out(&[wanted], &[spelled], &owned(&[])).1, [Some(Code::AddressElsewhere)]);
}

#[test]
fn the_ports_of_one_row_hold_its_address_together() {
    let two = [bind(6, 1, 6), bind(6, 2, 6)];
    for before in
        [vec![], vec![held(2, 6, vmac(6))], vec![held(2, 6, pxe(2))], vec![held(1, 6, pxe(1)), held(2, 6, vmac(9))]]
    {
        let (after, codes) = carried_out(&two, &before, &owned(&[]));
        assert_eq!((after.len(), codes), (2, vec![None, None]), "{before:?}");
        assert!(after.iter().all(|binding| binding.mac == vmac(6)), "{after:?}");
    }
    let (after, codes) = carried_out(&two, &[held(2, 6, vmac(200))], &owned(&[]));
    assert_eq!(after, [held(2, 6, vmac(200))], "not beside somebody else's, though it is a port of the row");
    assert_eq!(codes, [Some(Code::AddressElsewhere), Some(Code::ForeignBinding)]);
    let (after, _) =
        carried_out(&two.map(|wish| Wish { desired: Desired::Unbound, ..wish }), &after_both(), &owned(&[]));
    assert_eq!(after, [held(1, 6, pxe(1)), held(2, 6, pxe(2))], "a revoke restores both");
}

fn after_both() -> Vec<PresentBinding> {
    vec![held(1, 6, vmac(6)), held(2, 6, vmac(6))]
}

#[test]
fn the_port_that_a_move_leaves_holds_nothing_in_place_of_the_address() {
    for wishes in [[leave(6, 1, 6), bind(6, 2, 6)], [bind(6, 2, 6), leave(6, 1, 6)]] {
        let (after, codes) = carried_out(&wishes, &[held(1, 6, vmac(6))], &owned(&[]));
        assert_eq!((after, codes), (vec![held(2, 6, vmac(6))], vec![None, None]));
    }
    let (after, _) = carried_out(&[leave(6, 1, 6)], &[held(1, 6, vmac(6))], &owned(&[]));
    assert_eq!(after, [], "nor where it has gone to another switch");
    let stranger = held(3, 6, vmac(200));
    let before = [held(1, 6, vmac(6)), stranger];
    let (after, codes) = carried_out(&[leave(6, 1, 6), bind(6, 2, 6)], &before, &owned(&[]));
    assert_eq!(after, before, "refused as a whole");
    assert_eq!(codes, [Some(Code::AddressElsewhere); 2]);
}

#[test]
fn what_a_revoke_restored_or_somebody_put_back_gives_way_to_the_address_s_new_port() {
    for left in [pxe(1), vmac(5)] {
        let before = [held(1, 6, left), held(1, 1, vmac(77))];
        let (after, codes) = carried_out(&[bind(6, 2, 6)], &before, &owned(&[(1, 6, pxe(1))]));
        assert_eq!((after, codes), (vec![held(1, 1, vmac(77)), held(2, 6, vmac(6))], vec![None]));
    }
    let (_, codes) = carried_out(&[bind(6, 2, 6)], &[held(1, 6, vmac(200))], &owned(&[(1, 6, pxe(1))]));
    assert_eq!(codes, [Some(Code::AddressElsewhere)], "not what somebody else bound there since");
}

#[test]
fn a_revoke_and_a_create_of_one_address_in_one_push_leave_it_on_the_new_port_alone() {
    for wishes in [[unbind(5, 1, 6), bind(6, 2, 6)], [bind(6, 2, 6), unbind(5, 1, 6)]] {
        for before in [held(1, 6, vmac(5)), held(1, 6, pxe(1))] {
            let (after, codes) = carried_out(&wishes, &[before], &owned(&[(1, 6, pxe(1))]));
            assert_eq!((after, codes), (vec![held(2, 6, vmac(6))], vec![None, None]));
        }
    }
    let (after, _) = carried_out(&[unbind(5, 1, 6), bind(6, 1, 6)], &[held(1, 6, vmac(6))], &owned(&[]));
    assert_eq!(after, [held(1, 6, vmac(6))], "the revoked row does not take off what its successor has");
}

#[test]
fn a_revoke_does_not_restore_what_another_port_holds() {
    let before = [held(1, 6, vmac(6)), held(2, 6, vmac(200))];
    assert_eq!(carried_out(&[unbind(6, 1, 6)], &before, &owned(&[])).0, [held(2, 6, vmac(200))]);
}

#[test]
fn what_the_port_holds_already_stays_and_the_double_is_said() {
    let before = [held(1, 6, vmac(6)), held(2, 6, vmac(200))];
    let step = plan(&[bind(6, 1, 6)], &before, &PortVlans::default(), &owned(&[]), PORT).remove(0).expect("a step");
    assert_eq!((step.changes, step.also_elsewhere.map(|failure| failure.code)), (vec![], Some(Code::AddressElsewhere)));
}

/// The ports on which each address is.
fn ports_of(bindings: &[PresentBinding]) -> BTreeMap<BindableAddress, BTreeSet<String>> {
    let mut ports: BTreeMap<BindableAddress, BTreeSet<String>> = BTreeMap::new();
    for binding in bindings {
        ports.entry(binding.ip).or_default().insert(binding.interface.port().to_owned());
    }
    ports
}

/// Rows with their wishes: an address each, on any ports, kept, left or revoked, and revoked rows of the same addresses.
fn rows() -> impl Strategy<Value = Vec<Wish>> {
    let one = |row: u8| {
        let ports = proptest::collection::btree_map(0_u8..4, 0_u8..3, 1..4);
        (0_u8..3, any::<bool>(), ports).prop_map(move |(host, revoked, ports)| {
            let wish = |(port, kind): (u8, u8)| match (revoked, kind) {
                (true, _) => unbind(row, port, host),
                (false, 0) => leave(row, port, host),
                (false, _) => bind(row, port, host),
            };
            ports.into_iter().map(wish).collect::<Vec<_>>()
        })
    };
    let all = (one(1), one(2), one(3), one(4)).prop_map(|(a, b, c, d)| [a, b, c, d]);
    all.prop_map(|rows| {
        // One row at most may want an address, as in the database.
        let mut taken = BTreeSet::new();
        let may = |row: &Vec<Wish>| {
            row.iter().all(|wish| wish.desired == Desired::Unbound && !wish.leaving) || taken.insert(row[0].ip)
        };
        rows.into_iter().filter(may).flatten().collect()
    })
}

const CHOICES: [DuplicateChoice; 5] = [
    DuplicateChoice::Auto,
    DuplicateChoice::None,
    DuplicateChoice::Port,
    DuplicateChoice::Vlan,
    DuplicateChoice::Switch,
];

/// What a plan made new and the rule forbids, where that is known.
fn clashes(
    rule: Duplicates,
    before: &[PresentBinding],
    after: &[PresentBinding],
) -> Vec<(PresentBinding, PresentBinding)> {
    let made = after.iter().filter(|held| rule.is_sure() && !before.contains(held));
    let forbidden = |made: &PresentBinding| {
        after.iter().find(|held| rule.rule.forbids(held, made) && held.mac == made.mac).cloned()
    };
    made.filter_map(|made| Some((made.clone(), forbidden(made)?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever a switch holds and rows wish: no plan makes an address stand on more ports than before, unless one row wants
    /// it on each of them, and carrying it out and planning again changes nothing.
    #[test]
    fn no_plan_binds_an_address_on_a_second_port(
        wishes in rows(),
        before in proptest::collection::btree_map((0_u8..4, 0_u8..3), 0_u8..7, 0..8),
        left in proptest::collection::vec((0_u8..4, 0_u8..3), 0..4),
        choice in proptest::sample::select(&CHOICES[..]),
    ) {
        let rule = Duplicates::of(choice, None, Dialect::NonEls);
        let mac = |port, kind| match kind { 0 => vmac(200 + port), 1 => pxe(port), number => vmac(number) };
        let before: Vec<_> = before.into_iter().map(|((port, host), kind)| held(port, host, mac(port, kind))).collect();
        let left: Vec<_> = left.into_iter().map(|(port, host)| (port, host, pxe(port))).collect();
        let owned = owned(&left);
        let (after, _) = carried_out_under(rule, &wishes, &before, &owned);
        let (was, is) = (ports_of(&before), ports_of(&after));
        for (address, ports) in is {
            let bound = |port: &String| {
                let mut there = wishes.iter().filter(|wish| wish.ip == address && wish.interface.port() == port);
                there.any(|wish| wish.desired == Desired::Bound)
            };
            let others: BTreeSet<_> = ports.iter().filter(|port| !bound(port)).cloned().collect();
            let new: BTreeSet<_> = ports.difference(was.get(&address).unwrap_or(&BTreeSet::new())).cloned().collect();
            prop_assert!(new.is_empty() || others.is_empty(), "{} is new on {:?} beside {:?}", address, new, others);
        }
        for (made, held) in clashes(rule, &before, &after) {
            prop_assert!(false, "{made:?} is made where {held:?} is under {rule:?}");
        }
        let (again, _) = carried_out_under(rule, &wishes, &after, &owned);
        prop_assert_eq!(sorted(again), sorted(after));
    }
}

fn sorted(mut bindings: Vec<PresentBinding>) -> Vec<PresentBinding> {
    bindings.sort();
    bindings
}
