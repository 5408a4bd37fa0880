//! The plan's rules, one by one, and its law.

use proptest::prelude::*;

use super::*;
use crate::domain::{Code, Dialect, DuplicateChoice};

const PXE: Mac = Mac::new([0xaa, 0xbb, 0xcc, 0, 0, 1]);

/// The rule that most of these tests are made under.
pub(super) const PORT: Duplicates = Duplicates::of(DuplicateChoice::Port, None, Dialect::NonEls);

fn vmac(number: u8) -> Mac {
    Mac::new([0x02, 0xa0, 0, 0, 0, number])
}

fn ip(host: u8) -> BindableAddress {
    format!("10.0.48.{host}").parse().expect("an address")
}

fn present(interface: &str, host: u8, mac: Mac) -> PresentBinding {
    PresentBinding::new(
        interface.parse().expect("an interface"),
        ip(host),
        Some("VLAN.13".parse().expect("a VLAN")),
        mac,
    )
}

fn wish(desired: Desired, host: u8) -> Wish {
    Wish {
        vmac_id: i64::from(host),
        desired,
        leaving: false,
        interface: "ge-0/0/1.0".parse().expect("an interface"),
        ip: ip(host),
        mac: vmac(host),
        pxe_mac: PXE,
        primary_ip: Some(ip(1)),
        vlan: None,
    }
}

fn steps(wishes: &[Wish], on_switch: &[PresentBinding]) -> Vec<Planned> {
    plan(wishes, on_switch, &PortVlans::default(), &owned(on_switch), PORT)
}

/// Every local MAC is vmacd's, and no row left anything behind.
fn owned(on_switch: &[PresentBinding]) -> Ownership {
    let macs = on_switch.iter().map(|binding| binding.mac).filter(|mac| mac.octets()[0] == 0x02);
    Ownership { macs: macs.collect(), left: Vec::new() }
}

#[test]
fn a_create_is_bound_in_the_vlan_of_the_primary_address_and_in_the_form_of_the_switch() {
    let on_switch = [present("ge-0/0/1", 1, PXE)];
    let step = steps(&[wish(Desired::Bound, 6)], &on_switch).remove(0).expect("a step");
    let [Change::Set { interface, vlan, .. }] = &step.changes[..] else { panic!("{step:?}") };
    assert_eq!((interface.as_str(), vlan.as_str()), ("ge-0/0/1", "VLAN.13"));
}

#[test]
fn a_create_without_any_hint_of_a_vlan_fails_for_good() {
    let (_, failure) = steps(&[wish(Desired::Bound, 6)], &[]).remove(0).expect_err("no VLAN");
    assert_eq!(failure.code, Code::VlanUnresolved);
}

#[test]
fn the_vlan_is_looked_for_in_its_order() {
    let vlan = |name: &str| name.parse::<VlanName>().expect("a VLAN");
    let port = |name: &str| name.parse::<InterfaceName>().expect("an interface");
    let all = PortVlans {
        ports: vec![(port("ge-0/0/1.0"), PortVlan::One(vlan("access")))],
        subnets: vec![
            ("10.0.0.0/16".parse().expect("a subnet"), vlan("wide")),
            ("10.0.48.0/24".parse().expect("a subnet"), vlan("narrow")),
        ],
        ..PortVlans::default()
    };
    let subnets_only = PortVlans { ports: vec![(port("ge-0/0/2.0"), PortVlan::One(vlan("other")))], ..all.clone() };
    let named = Wish { vlan: Some(vlan("named")), ..wish(Desired::Bound, 6) };
    let plain = wish(Desired::Bound, 6);
    let bound = [present("ge-0/0/1.0", 1, PXE)];
    let elsewhere = [present("ge-0/0/2.0", 1, PXE)];
    let table: [(&Wish, &[PresentBinding], &PortVlans, &str, bool); 5] = [
        (&named, &bound, &all, "named", true),
        (&plain, &bound, &all, "VLAN.13", true),
        (&plain, &elsewhere, &all, "access", true),
        (&plain, &[], &subnets_only, "narrow", true),
        (&plain, &[], &all, "access", true),
    ];
    for (wish, on_switch, port_vlans, expected, asks) in table {
        let wishes = std::slice::from_ref(wish);
        assert_eq!(wants_port_vlans(wishes, on_switch), asks, "{expected}");
        let step = plan(wishes, on_switch, port_vlans, &owned(on_switch), PORT).remove(0).expect("a step");
        assert_eq!(step.wish.vlan, Some(vlan(expected)));
    }
}

#[test]
fn the_vlan_of_the_other_family_is_no_hint() {
    let vlan = |name: &str| name.parse::<VlanName>().expect("a VLAN");
    let v6 = |text: &str| text.parse::<BindableAddress>().expect("an address");
    let on_switch = [present("ge-0/0/1.0", 1, PXE)];
    let wanted = Wish { ip: v6("2001:db8::6"), ..wish(Desired::Bound, 6) };
    let subnets = vec![
        ("0.0.0.0/0".parse().expect("a subnet"), vlan("v4")),
        ("2001:db8::/64".parse().expect("a subnet"), vlan("v6")),
    ];
    let of = |wish: &Wish, subnets| {
        let port_vlans = PortVlans { subnets, ..PortVlans::default() };
        let step = plan(std::slice::from_ref(wish), &on_switch, &port_vlans, &owned(&on_switch), PORT).remove(0);
        step.map(|step| step.wish.vlan).map_err(|(_, failure)| failure.code)
    };
    assert!(wants_port_vlans(std::slice::from_ref(&wanted), &on_switch));
    assert_eq!(of(&wanted, subnets.clone()), Ok(Some(vlan("v6"))));
    assert_eq!(of(&wanted, subnets[..1].to_vec()), Err(Code::VlanUnresolved));
    let primary = PresentBinding { ip: v6("2001:db8::1"), vlan: Some(vlan("of-primary")), ..on_switch[0].clone() };
    let wanted = Wish { primary_ip: Some(primary.ip), ..wanted };
    let step =
        plan(&[wanted], &[primary], &PortVlans::default(), &Ownership::default(), PORT).remove(0).expect("a step");
    assert_eq!(step.wish.vlan, Some(vlan("of-primary")));
}

fn inactive(host: u8, mac: Mac, why: Inactive) -> PresentBinding {
    PresentBinding { inactive: Some(why), ..present("ge-0/0/1.0", host, mac) }
}

#[test]
fn an_inactive_binding_of_ours_is_made_active_by_a_create_and_removed_by_a_revoke() {
    let on_switch = [present("ge-0/0/1.0", 1, PXE), inactive(6, vmac(6), Inactive::Itself)];
    let step = steps(&[wish(Desired::Bound, 6)], &on_switch).remove(0).expect("a step");
    assert!(matches!(&step.changes[..], [Change::Set { activates: true, .. }]), "{step:?}");
    let step = steps(&[wish(Desired::Unbound, 6)], &on_switch).remove(0).expect("a step");
    assert!(matches!(&step.changes[..], [Change::Remove { .. }]), "{step:?}");
    let foreign = [inactive(6, Mac::new([0, 0x11, 0x22, 0, 0, 9]), Inactive::Itself)];
    let named = Wish { vlan: "VLAN.13".parse().ok(), ..wish(Desired::Bound, 6) };
    let (_, failure) = steps(&[named], &foreign).remove(0).expect_err("somebody's");
    assert_eq!(failure.code, Code::ForeignBinding);
}

#[test]
fn nothing_is_bound_under_what_is_inactive_nor_changed_that_comes_from_a_group() {
    let named = Wish { vlan: "VLAN.13".parse().ok(), ..wish(Desired::Bound, 6) };
    let code = |wish: &Wish, on_switch: &[PresentBinding], port_vlans: &PortVlans| {
        plan(std::slice::from_ref(wish), on_switch, port_vlans, &owned(on_switch), PORT)
            .remove(0)
            .map_err(|(_, failure)| failure.code)
    };
    let under = inactive(6, vmac(6), Inactive::Under("the port".into()));
    assert_eq!(code(&named, &[under], &PortVlans::default()), Err(Code::InactiveStatement));
    let above = Inactivity { path: "a".into(), interface: Some(named.interface.clone()), vlan: None, group: None };
    let port_vlans = PortVlans { inactive: vec![above], ..PortVlans::default() };
    assert_eq!(code(&named, &[], &port_vlans), Err(Code::InactiveStatement));
    let inherited = |mac| PresentBinding { inherited: Some("g".into()), ..present("ge-0/0/1.0", 6, mac) };
    assert_eq!(code(&named, &[inherited(vmac(9))], &PortVlans::default()), Err(Code::InheritedBinding));
    let unbind = Wish { desired: Desired::Unbound, ..named };
    assert_eq!(code(&unbind, &[inherited(vmac(6))], &PortVlans::default()), Err(Code::InheritedBinding));
}

#[test]
fn a_subnet_chooses_only_among_what_a_trunk_carries_and_a_vlan_that_is_not_there_is_refused() {
    let vlan = |name: &str| name.parse::<VlanName>().expect("a VLAN");
    let port = wish(Desired::Bound, 6).interface;
    let subnets = vec![
        ("10.0.48.0/24".parse().expect("a subnet"), vlan("NARROW")),
        ("10.0.0.0/16".parse().expect("a subnet"), vlan("WIDE")),
    ];
    let with = |says: PortVlan| PortVlans {
        ports: vec![(port.clone(), says)],
        subnets: subnets.clone(),
        known: Some(vec![vlan("NARROW"), vlan("WIDE"), vlan("OTHER")]),
        ..PortVlans::default()
    };
    let of = |wish: &Wish, port_vlans: &PortVlans| {
        let step = plan(std::slice::from_ref(wish), &[], port_vlans, &Ownership::default(), PORT).remove(0);
        step.map(|step| step.wish.vlan).map_err(|(_, failure)| failure.code)
    };
    let plain = wish(Desired::Bound, 6);
    assert_eq!(of(&plain, &with(PortVlan::Trunk(vec![vlan("OTHER"), vlan("WIDE")]))), Ok(Some(vlan("WIDE"))));
    assert_eq!(of(&plain, &with(PortVlan::Trunk(vec![vlan("OTHER")]))), Err(Code::VlanUnresolved));
    assert_eq!(of(&plain, &with(PortVlan::Unclear("it is not".into()))), Err(Code::VlanUnresolved));
    let named = Wish { vlan: Some(vlan("NOPE")), ..plain };
    assert_eq!(of(&named, &with(PortVlan::One(vlan("WIDE")))), Err(Code::UnknownVlan));
}

#[test]
fn what_is_bound_already_needs_no_change() {
    let on_switch = [present("ge-0/0/1.0", 1, PXE), present("ge-0/0/1.0", 6, vmac(6))];
    let step = steps(&[wish(Desired::Bound, 6)], &on_switch).remove(0).expect("a step");
    assert_eq!((step.changes, step.end), (vec![], EndState::Bound));
}

#[test]
fn a_binding_that_is_not_ours_is_neither_overwritten_nor_removed() {
    let foreign = present("ge-0/0/1.0", 6, Mac::new([0, 0x11, 0x22, 0, 0, 9]));
    let on_switch = [present("ge-0/0/1.0", 1, PXE), foreign];
    let (_, failure) = steps(&[wish(Desired::Bound, 6)], &on_switch).remove(0).expect_err("foreign");
    assert_eq!(failure.code, Code::ForeignBinding);
    let step = steps(&[wish(Desired::Unbound, 6)], &on_switch).remove(0).expect("a step");
    assert_eq!((step.changes, step.end), (vec![], EndState::Removed));
}

#[test]
fn a_revoke_removes_where_the_pxe_mac_stands_for_another_address() {
    let on_switch = [present("ge-0/0/1.0", 1, PXE), present("ge-0/0/1.0", 6, vmac(6))];
    let step = steps(&[wish(Desired::Unbound, 6)], &on_switch).remove(0).expect("a step");
    assert!(matches!(step.changes[..], [Change::Remove { .. }]), "{step:?}");
    assert_eq!(step.end, EndState::Removed);
}

#[test]
fn of_two_revokes_on_one_port_only_the_first_restores_the_pxe_mac() {
    let on_switch = [present("ge-0/0/1.0", 6, vmac(6)), present("ge-0/0/1.0", 7, vmac(7))];
    let ends: Vec<_> = steps(&[wish(Desired::Unbound, 6), wish(Desired::Unbound, 7)], &on_switch)
        .into_iter()
        .map(|step| step.expect("a step").end)
        .collect();
    assert_eq!(ends, [EndState::Restored, EndState::Removed]);
}

#[test]
fn an_entry_under_the_other_form_of_the_name_is_cleaned_up() {
    let on_switch = [present("ge-0/0/1.0", 6, vmac(9)), present("ge-0/0/1", 6, vmac(6))];
    let step = steps(&[Wish { vlan: "VLAN.13".parse().ok(), ..wish(Desired::Bound, 6) }], &on_switch);
    let changes = step.into_iter().next().expect("one").expect("a step").changes;
    assert!(matches!(changes[..], [Change::Remove { .. }, Change::Set { .. }]), "{changes:?}");
}

proptest! {
    /// Carrying a plan out and planning again changes nothing, and no MAC stands twice on a port.
    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do(
        desired in proptest::collection::vec(any::<bool>(), 1..8),
        bound in proptest::collection::vec((2u8..10, 0u8..3), 0..8),
    ) {
        let mut on_switch = vec![present("ge-0/0/1.0", 1, PXE)];
        for (host, kind) in bound {
            if on_switch.iter().all(|binding| binding.ip != ip(host)) {
                on_switch.push(present("ge-0/0/1.0", host, if kind == 0 { vmac(host + 100) } else { vmac(host) }));
            }
        }
        let wishes: Vec<_> = desired
            .iter()
            .zip(2u8..)
            .map(|(bound, host)| wish(if *bound { Desired::Bound } else { Desired::Unbound }, host))
            .collect();
        for step in steps(&wishes, &on_switch) {
            step.expect("a step").changes.iter().for_each(|change| apply(change, &mut on_switch));
        }
        for step in steps(&wishes, &on_switch) {
            prop_assert_eq!(step.expect("a step").changes, vec![]);
        }
        let mut macs: Vec<_> = on_switch.iter().map(|binding| binding.mac).collect();
        macs.sort();
        macs.dedup();
        prop_assert_eq!(macs.len(), on_switch.len());
    }
}
