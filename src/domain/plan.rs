//! The plan: what must change on a switch so that it holds what the rows desire.
//!
//! Pure. [`plan`] compares the wishes with the bindings that the committed configuration holds and
//! answers with one [`Step`] per wish. Carrying a plan out and planning again gives no change at
//! all: that is the idempotence of a push.

use super::{BindableAddress, Code, Desired, Failure, InterfaceName, Mac, VlanName};

/// A static binding as a switch's committed configuration holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PresentBinding {
    /// The interface in the form the switch uses.
    pub interface: InterfaceName,
    /// The address.
    pub ip: BindableAddress,
    /// The VLAN: a leaf in the non-ELS dialect, the container in ELS.
    pub vlan: Option<VlanName>,
    /// The MAC.
    pub mac: Mac,
    /// The `dhcp-security` group it stands in (ELS only).
    pub group: Option<String>,
}

/// What a row wants on one port of one switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The row.
    pub vmac_id: i64,
    /// What it wants.
    pub desired: Desired,
    /// The port, in the inventory's form.
    pub interface: InterfaceName,
    /// The address.
    pub ip: BindableAddress,
    /// The virtual MAC.
    pub mac: Mac,
    /// The server's physical MAC.
    pub pxe_mac: Mac,
    /// The server's primary address, whose binding tells the VLAN where nothing else does.
    pub primary_ip: Option<BindableAddress>,
    /// The VLAN named by the message, else by the inventory.
    pub vlan: Option<VlanName>,
}

/// One change of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// Bind the address to the MAC; overwrites what is bound to it on the port and VLAN.
    Set {
        /// The interface in the form the switch uses.
        interface: InterfaceName,
        /// The VLAN.
        vlan: VlanName,
        /// The address.
        ip: BindableAddress,
        /// The MAC.
        mac: Mac,
        /// The ELS group to use where the switch has one for the port already.
        group: Option<String>,
    },
    /// Remove the address's binding.
    Remove {
        /// The interface in the form the switch uses.
        interface: InterfaceName,
        /// The VLAN the binding stands in, needed in the ELS dialect.
        vlan: Option<VlanName>,
        /// The address.
        ip: BindableAddress,
        /// The ELS group it stands in.
        group: Option<String>,
    },
}

/// How a wish ends once its changes are on the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndState {
    /// The virtual MAC is bound.
    Bound,
    /// The PXE MAC is bound again.
    Restored,
    /// Nothing of ours is bound to the address on the port.
    Removed,
}

/// What a wish needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The wish, with interface and VLAN as the switch has them.
    pub wish: Wish,
    /// The changes to push, in order; empty when the switch holds what is wanted already.
    pub changes: Vec<Change>,
    /// How it ends.
    pub end: EndState,
    /// The MAC bound to the address before.
    pub previous_mac: Option<Mac>,
}

/// Plans every wish against the bindings present on the switch.
///
/// Wishes are taken in order and each sees the effect of those before it, because two revokes on one
/// port must not both restore the one PXE MAC. `is_ours` tells whether a MAC is a virtual MAC of
/// vmacd: a binding with any other MAC than ours or the server's PXE MAC is somebody else's and is
/// never overwritten or removed.
///
/// # Errors
/// Per wish a permanent [`Failure`]: [`Code::ForeignBinding`] or [`Code::VlanUnresolved`].
pub fn plan(
    wishes: &[Wish],
    present: &[PresentBinding],
    is_ours: impl Fn(Mac) -> bool,
) -> Vec<Result<Step, (Wish, Failure)>> {
    let mut present = present.to_vec();
    let mut plan_one = |wish: &Wish| {
        let step = plan_wish(wish, &present, &is_ours);
        if let Ok(step) = &step {
            step.changes.iter().for_each(|change| apply(change, &mut present));
        }
        step.map_err(|failure| (wish.clone(), failure))
    };
    wishes.iter().map(&mut plan_one).collect()
}

/// Brings a list of bindings to what it is after the change, as the switch would.
pub fn apply(change: &Change, present: &mut Vec<PresentBinding>) {
    match change.clone() {
        Change::Set { interface, vlan, ip, mac, group } => {
            present.retain(|binding| {
                !(binding.interface == interface
                    && binding.ip == ip
                    && binding.group == group
                    && (group.is_none() || binding.vlan.as_ref() == Some(&vlan)))
            });
            present.push(PresentBinding { interface, ip, vlan: Some(vlan), mac, group });
        }
        Change::Remove { interface, vlan, ip, group } => present.retain(|binding| {
            !(binding.interface == interface
                && binding.ip == ip
                && (group.is_none() || (binding.vlan == vlan && binding.group == group)))
        }),
    }
}

fn plan_wish(wish: &Wish, present: &[PresentBinding], is_ours: &impl Fn(Mac) -> bool) -> Result<Step, Failure> {
    let on_port: Vec<_> = present.iter().filter(|b| b.interface.same_interface(&wish.interface)).collect();
    let standing: Vec<_> = on_port.iter().copied().filter(|binding| binding.ip == wish.ip).collect();
    match wish.desired {
        Desired::Bound => bind(wish, &on_port, &standing, is_ours),
        Desired::Unbound => Ok(unbind(wish, &on_port, &standing)),
    }
}

fn bind(
    wish: &Wish,
    on_port: &[&PresentBinding],
    standing: &[&PresentBinding],
    is_ours: &impl Fn(Mac) -> bool,
) -> Result<Step, Failure> {
    let foreign = |b: &&&PresentBinding| b.mac != wish.mac && b.mac != wish.pxe_mac && !is_ours(b.mac);
    if let Some(binding) = standing.iter().find(foreign) {
        return Err(Failure::new(
            Code::ForeignBinding,
            format!(
                "{} is bound to {} on {}, which vmacd did not put there; remove that binding or adopt it",
                wish.ip, binding.mac, binding.interface
            ),
        ));
    }
    let vlan = resolve_vlan(wish, on_port)?;
    let interface = form_on_switch(wish, on_port, standing);
    let group = group_of_port(on_port, &vlan);
    let previous_mac = standing.first().map(|binding| binding.mac);
    let holds = |b: &PresentBinding| b.mac == wish.mac && b.vlan.as_ref() == Some(&vlan);
    let mut wish = Wish { interface: interface.clone(), vlan: Some(vlan.clone()), ..wish.clone() };
    if let [only] = standing
        && holds(only)
    {
        wish.interface = only.interface.clone();
        return Ok(Step { wish, changes: Vec::new(), end: EndState::Bound, previous_mac });
    }
    let set = Change::Set { interface, vlan, ip: wish.ip, mac: wish.mac, group };
    let mut changes = removals_beside(&set, standing);
    changes.push(set);
    Ok(Step { wish, changes, end: EndState::Bound, previous_mac })
}

fn unbind(wish: &Wish, on_port: &[&PresentBinding], standing: &[&PresentBinding]) -> Step {
    let ours: Vec<_> = standing.iter().copied().filter(|binding| binding.mac == wish.mac).collect();
    let pxe_stands = on_port.iter().any(|binding| binding.mac == wish.pxe_mac);
    let previous_mac = standing.first().map(|binding| binding.mac);
    let mut wish = wish.clone();
    if let Some(first) = ours.first() {
        wish.interface = first.interface.clone();
        wish.vlan = first.vlan.clone().or(wish.vlan);
    }
    let restorable = ours.first().and_then(|binding| Some((*binding, binding.vlan.clone()?)));
    let (changes, end) = match restorable {
        Some((binding, vlan)) if !pxe_stands => {
            let set = set_at(binding, vlan, wish.pxe_mac);
            let mut changes = removals_beside(&set, &ours);
            changes.push(set);
            (changes, EndState::Restored)
        }
        _ if ours.is_empty() && standing.iter().any(|b| b.mac == wish.pxe_mac) => (Vec::new(), EndState::Restored),
        _ => (ours.iter().map(|binding| removal(binding)).collect(), EndState::Removed),
    };
    Step { wish, changes, end, previous_mac }
}

fn set_at(binding: &PresentBinding, vlan: VlanName, mac: Mac) -> Change {
    Change::Set { interface: binding.interface.clone(), vlan, ip: binding.ip, mac, group: binding.group.clone() }
}

fn removal(binding: &PresentBinding) -> Change {
    Change::Remove {
        interface: binding.interface.clone(),
        vlan: binding.vlan.clone(),
        ip: binding.ip,
        group: binding.group.clone(),
    }
}

/// Removals of the address's other entries on the port: those under another form of the interface's
/// name, and in ELS those in another VLAN or group, which a `Set` does not overwrite.
fn removals_beside(set: &Change, standing: &[&PresentBinding]) -> Vec<Change> {
    let overwritten = |binding: &PresentBinding| {
        let mut after = vec![binding.clone()];
        apply(set, &mut after);
        after.len() == 1
    };
    standing.iter().filter(|binding| !overwritten(binding)).map(|binding| removal(binding)).collect()
}

/// The VLAN: named by message or inventory, else that of the primary address's binding on the port.
fn resolve_vlan(wish: &Wish, on_port: &[&PresentBinding]) -> Result<VlanName, Failure> {
    let of_primary = || {
        let primary = wish.primary_ip?;
        on_port.iter().find(|binding| binding.ip == primary)?.vlan.clone()
    };
    wish.vlan.clone().or_else(of_primary).ok_or_else(|| {
        Failure::new(
            Code::VlanUnresolved,
            format!(
                "no VLAN for {} on {}: looked at the message, the inventory and the primary address's binding on the port; \
                 name it in the message or in the inventory",
                wish.ip, wish.interface
            ),
        )
    })
}

/// The interface's name in the form the port's entries use, the inventory's where there is none.
fn form_on_switch(wish: &Wish, on_port: &[&PresentBinding], standing: &[&PresentBinding]) -> InterfaceName {
    let found = standing.first().or_else(|| on_port.first());
    found.map_or_else(|| wish.interface.clone(), |binding| binding.interface.clone())
}

/// The ELS group that holds bindings of the port in that VLAN, so that the port stays in one group.
fn group_of_port(on_port: &[&PresentBinding], vlan: &VlanName) -> Option<String> {
    on_port.iter().find(|binding| binding.vlan.as_ref() == Some(vlan)).and_then(|binding| binding.group.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PXE: Mac = Mac::new([0xaa, 0xbb, 0xcc, 0, 0, 1]);

    fn vmac(number: u8) -> Mac {
        Mac::new([0x02, 0xa0, 0, 0, 0, number])
    }

    fn ip(host: u8) -> BindableAddress {
        format!("10.0.48.{host}").parse().expect("an address")
    }

    fn present(interface: &str, host: u8, mac: Mac) -> PresentBinding {
        PresentBinding {
            interface: interface.parse().expect("an interface"),
            ip: ip(host),
            vlan: Some("VLAN.13".parse().expect("a VLAN")),
            mac,
            group: None,
        }
    }

    fn wish(desired: Desired, host: u8) -> Wish {
        Wish {
            vmac_id: i64::from(host),
            desired,
            interface: "ge-0/0/1.0".parse().expect("an interface"),
            ip: ip(host),
            mac: vmac(host),
            pxe_mac: PXE,
            primary_ip: Some(ip(1)),
            vlan: None,
        }
    }

    fn steps(wishes: &[Wish], on_switch: &[PresentBinding]) -> Vec<Result<Step, (Wish, Failure)>> {
        plan(wishes, on_switch, |mac| mac.octets()[0] == 0x02)
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
}
