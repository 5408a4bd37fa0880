//! One wish against the bindings present: what is there already, what is somebody else's, what must change.

use super::elsewhere::{Elsewhere, is_bound_elsewhere, is_kept};
use super::{Change, EndState, Ownership, PortVlans, PresentBinding, Step, Wish, apply, vlans};
use crate::domain::{Code, Desired, Failure, InterfaceName, Mac, VlanName};

/// One wish against what the switch holds; `siblings` are all wishes for its address.
pub(super) fn plan_wish(
    wish: &Wish,
    siblings: &[&Wish],
    present: &[PresentBinding],
    port_vlans: &PortVlans,
    owned: &Ownership,
) -> Result<Step, Failure> {
    let on_port: Vec<_> = present.iter().filter(|b| b.interface.same_interface(&wish.interface)).collect();
    let standing: Vec<_> = on_port.iter().copied().filter(|binding| binding.ip == wish.ip).collect();
    match wish.desired {
        Desired::Bound => {
            let elsewhere = Elsewhere::of(wish, siblings, present, owned);
            bind(wish, &on_port, &standing, &elsewhere, port_vlans, owned)
        }
        Desired::Unbound => {
            // What another row has on this port by now is for that row's own wish to say.
            let standing: Vec<_> = standing.into_iter().filter(|held| !is_kept(held, siblings)).collect();
            let restores = !wish.leaving && !is_bound_elsewhere(wish, siblings, present);
            Ok(unbind(wish, &on_port, &standing, restores, owned))
        }
    }
}

fn bind(
    wish: &Wish,
    on_port: &[&PresentBinding],
    standing: &[&PresentBinding],
    elsewhere: &Elsewhere<'_>,
    port_vlans: &PortVlans,
    owned: &Ownership,
) -> Result<Step, Failure> {
    check_foreign(wish, standing, owned)?;
    let also_elsewhere = elsewhere.failure(wish);
    if let Some(failure) = &also_elsewhere
        && standing.iter().all(|binding| binding.mac != wish.mac)
    {
        return Err(failure.clone());
    }
    let vlan = vlans::resolve(wish, on_port, port_vlans)?;
    let interface = form_on_switch(wish, on_port, standing);
    let group = group_of_port(on_port, &vlan);
    let previous_mac = standing.first().map(|binding| binding.mac);
    let holds = |b: &PresentBinding| b.mac == wish.mac && b.vlan.as_ref() == Some(&vlan);
    let mut changes: Vec<Change> = elsewhere.left_behind.iter().map(|binding| removal(binding)).collect();
    let mut wish = Wish { interface: interface.clone(), vlan: Some(vlan.clone()), ..wish.clone() };
    if let [only] = standing
        && holds(only)
    {
        wish.interface = only.interface.clone();
    } else {
        let set = Change::Set { interface, vlan, ip: wish.ip, mac: wish.mac, group };
        changes.extend(removals_beside(&set, standing));
        changes.push(set);
    }
    Ok(Step { wish, changes, end: EndState::Bound, previous_mac, also_elsewhere })
}

fn check_foreign(wish: &Wish, standing: &[&PresentBinding], owned: &Ownership) -> Result<(), Failure> {
    let foreign = |b: &&&PresentBinding| b.mac != wish.mac && b.mac != wish.pxe_mac && !owned.is_ours(b.mac);
    let Some(binding) = standing.iter().find(foreign) else { return Ok(()) };
    let text = format!(
        "{} is bound to {} on {}, which vmacd did not put there; remove that binding, or revoke this and adopt it",
        wish.ip, binding.mac, binding.interface
    );
    Err(Failure::new(Code::ForeignBinding, text))
}

/// Also a MAC that the row had before, whose successor was never pushed. The PXE MAC comes back where `restores` allows it.
fn unbind(
    wish: &Wish,
    on_port: &[&PresentBinding],
    standing: &[&PresentBinding],
    restores: bool,
    owned: &Ownership,
) -> Step {
    let is_ours = |mac: Mac| mac == wish.mac || (mac != wish.pxe_mac && owned.is_ours(mac));
    let ours: Vec<_> = standing.iter().copied().filter(|binding| is_ours(binding.mac)).collect();
    let pxe_stands = on_port.iter().any(|binding| binding.mac == wish.pxe_mac);
    let previous_mac = standing.first().map(|binding| binding.mac);
    let mut wish = wish.clone();
    if let Some(first) = ours.first() {
        wish.interface = first.interface.clone();
        wish.vlan = first.vlan.clone().or(wish.vlan);
    }
    let restorable = ours.first().and_then(|binding| Some((*binding, binding.vlan.clone()?)));
    let (changes, end) = match restorable {
        Some((binding, vlan)) if restores && !pxe_stands => {
            let set = set_at(binding, vlan, wish.pxe_mac);
            let mut changes = removals_beside(&set, &ours);
            changes.push(set);
            (changes, EndState::Restored)
        }
        _ if ours.is_empty() && standing.iter().any(|b| b.mac == wish.pxe_mac) => (Vec::new(), EndState::Restored),
        _ => (ours.iter().map(|binding| removal(binding)).collect(), EndState::Removed),
    };
    Step { wish, changes, end, previous_mac, also_elsewhere: None }
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

/// The interface's name in the form the port's entries use, the inventory's where there is none.
fn form_on_switch(wish: &Wish, on_port: &[&PresentBinding], standing: &[&PresentBinding]) -> InterfaceName {
    let found = standing.first().or_else(|| on_port.first());
    found.map_or_else(|| wish.interface.clone(), |binding| binding.interface.clone())
}

/// The ELS group that holds bindings of the port in that VLAN, so that the port stays in one group.
fn group_of_port(on_port: &[&PresentBinding], vlan: &VlanName) -> Option<String> {
    on_port.iter().find(|binding| binding.vlan.as_ref() == Some(vlan)).and_then(|binding| binding.group.clone())
}
