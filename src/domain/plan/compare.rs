//! One wish against the bindings present: what is there already, what is somebody else's, what must change.

use super::elsewhere::{Elsewhere, is_bound_elsewhere, is_kept};
use super::{
    Around, Change, EndState, Inactive, Ownership, PresentBinding, Step, Wish, apply, duplicates, force, vlans,
};
use crate::domain::{Code, Desired, Failure, InterfaceName, Mac, VlanName};

/// One wish against what the switch holds; `siblings` are all wishes for its address.
pub(super) fn plan_wish(
    wish: &Wish,
    siblings: &[&Wish],
    present: &[PresentBinding],
    around: &Around<'_>,
) -> Result<Step, Failure> {
    let owned = around.owned;
    let on_port: Vec<_> = present.iter().filter(|b| b.interface.same_interface(&wish.interface)).collect();
    let (on_port, inactive): (Vec<_>, Vec<_>) = on_port.into_iter().partition(|binding| binding.is_active());
    let of_address = |held: &&&PresentBinding| held.ip == wish.ip;
    let standing: Vec<_> = on_port.iter().filter(of_address).copied().collect();
    let inactive: Vec<_> = inactive.iter().filter(of_address).copied().collect();
    match wish.desired {
        Desired::Bound => {
            let elsewhere = Elsewhere::of(wish, siblings, present, owned);
            check_fixed(wish, &standing, &inactive)?;
            let here = Here { on_port: &on_port, standing: &standing, inactive: &inactive };
            bind(wish, &here, &elsewhere, around)
        }
        Desired::Unbound => {
            // What another row has on this port by now is for that row's own wish to say.
            let not_kept = |held: &&PresentBinding| !is_kept(held, siblings);
            let standing: Vec<_> = standing.into_iter().filter(not_kept).collect();
            let inactive: Vec<_> = inactive.into_iter().filter(not_kept).collect();
            let restores = !wish.leaving && !is_bound_elsewhere(wish, siblings, present);
            let stands = |at: &PresentBinding| duplicates::pxe_stands(wish, at, present, around.duplicates.rule);
            let here = Here { on_port: &on_port, standing: &standing, inactive: &inactive };
            unbind(wish, &here, |at| restores && !stands(at), owned)
        }
    }
}

/// What the wish's port holds.
struct Here<'a> {
    /// What is in force there.
    on_port: &'a [&'a PresentBinding],
    /// Of that, what is for the address.
    standing: &'a [&'a PresentBinding],
    /// What is there for the address, and inactive.
    inactive: &'a [&'a PresentBinding],
}

fn bind(wish: &Wish, here: &Here<'_>, elsewhere: &Elsewhere<'_>, around: &Around<'_>) -> Result<Step, Failure> {
    let Here { on_port, standing, inactive } = *here;
    check_foreign(wish, standing.iter().chain(inactive), around.owned)?;
    let also_elsewhere = elsewhere.failure(wish);
    if let Some(failure) = &also_elsewhere
        && standing.iter().all(|binding| binding.mac != wish.mac)
    {
        return Err(failure.clone());
    }
    let port_vlans = around.port_vlans;
    let vlan = vlans::resolve(wish, on_port, port_vlans)?;
    let interface = form_on_switch(wish, on_port, standing, inactive);
    let group = group_of_port(inactive.iter().chain(on_port), &vlan)
        .or_else(|| port_vlans.group_of(&wish.interface, &vlan).map(str::to_owned));
    if let Some(path) = port_vlans.inactive_above(&interface, &vlan, group.as_deref()) {
        return Err(force::inactive(path, &interface));
    }
    let previous_mac = standing.first().map(|binding| binding.mac);
    let holds = |b: &PresentBinding| b.mac == wish.mac && b.vlan.as_ref() == Some(&vlan);
    let mut changes: Vec<Change> = elsewhere.left_behind.iter().map(|binding| removal(binding)).collect();
    let mut wish = Wish { interface: interface.clone(), vlan: Some(vlan.clone()), ..wish.clone() };
    if let [only] = standing
        && holds(only)
        && inactive.is_empty()
    {
        wish.interface = only.interface.clone();
    } else {
        let set = Change::Set { interface, vlan, ip: wish.ip, mac: wish.mac, group, activates: false };
        let set = activating(set, inactive);
        changes.extend(removals_beside(&set, standing.iter().chain(inactive).copied()));
        changes.push(set);
    }
    Ok(Step { wish, changes, end: EndState::Bound, previous_mac, instead: Vec::new(), also_elsewhere })
}

/// What comes from a group, and what stands under something inactive, is not for vmacd to change.
fn check_fixed(wish: &Wish, standing: &[&PresentBinding], inactive: &[&PresentBinding]) -> Result<(), Failure> {
    for held in standing.iter().chain(inactive).filter(|held| held.mac != wish.mac) {
        if let Some(group) = &held.inherited {
            return Err(force::inherited(held, group));
        }
    }
    let under = inactive.iter().find_map(|held| Some((held, held.inactive.as_ref()?)));
    match under {
        Some((held, Inactive::Under(path))) => Err(force::inactive(path, &held.interface)),
        _ => Ok(()),
    }
}

fn check_foreign<'a>(
    wish: &Wish,
    mut held: impl Iterator<Item = &'a &'a PresentBinding>,
    owned: &Ownership,
) -> Result<(), Failure> {
    let foreign = |b: &&&PresentBinding| b.mac != wish.mac && b.mac != wish.pxe_mac && !owned.is_ours(b.mac);
    let Some(binding) = held.find(foreign) else { return Ok(()) };
    let inactive = if binding.is_active() { "" } else { " (inactive)" };
    let text = format!(
        "{} is bound to {} on {}{inactive}, which vmacd did not put there; remove that binding, or revoke this and adopt it",
        wish.ip, binding.mac, binding.interface
    );
    Err(Failure::new(Code::ForeignBinding, text))
}

/// Also a MAC that the row had before, whose successor was never pushed. The PXE MAC comes back where `restores` allows it.
fn unbind(
    wish: &Wish,
    here: &Here<'_>,
    restores: impl Fn(&PresentBinding) -> bool,
    owned: &Ownership,
) -> Result<Step, Failure> {
    let Here { standing, inactive, .. } = *here;
    let is_ours = |mac: Mac| mac == wish.mac || (mac != wish.pxe_mac && owned.is_ours(mac));
    let ours: Vec<_> = standing.iter().copied().filter(|binding| is_ours(binding.mac)).collect();
    if let Some((held, group)) = ours.iter().find_map(|held| Some((held, held.inherited.as_deref()?))) {
        return Err(force::inherited(held, group));
    }
    // Nothing of ours stays for somebody to activate by mistake.
    let ignored = || inactive.iter().filter(|held| held.inherited.is_none() && is_ours(held.mac)).copied();
    let previous_mac = standing.first().map(|binding| binding.mac);
    let mut wish = wish.clone();
    if let Some(first) = ours.first() {
        wish.interface = first.interface.clone();
        wish.vlan = first.vlan.clone().or(wish.vlan);
    }
    let restorable = ours.first().and_then(|binding| Some((*binding, binding.vlan.clone()?)));
    let removals = || ours.iter().copied().chain(ignored()).map(removal).collect::<Vec<_>>();
    let mut instead = Vec::new();
    let (changes, end) = match restorable {
        Some((binding, vlan)) if restores(binding) => {
            instead = removals();
            let set = set_at(binding, vlan, wish.pxe_mac);
            let mut changes = removals_beside(&set, ours.iter().copied().chain(ignored()));
            changes.push(set);
            (changes, EndState::Restored)
        }
        _ if ours.is_empty() && standing.iter().any(|b| b.mac == wish.pxe_mac) => {
            (ignored().map(removal).collect(), EndState::Restored)
        }
        _ => (removals(), EndState::Removed),
    };
    Ok(Step { wish, changes, end, previous_mac, instead, also_elsewhere: None })
}

fn set_at(binding: &PresentBinding, vlan: VlanName, mac: Mac) -> Change {
    let (interface, group) = (binding.interface.clone(), binding.group.clone());
    Change::Set { interface, vlan, ip: binding.ip, mac, group, activates: false }
}

/// The change, which also makes the statement active where it stands inactive.
fn activating(mut set: Change, inactive: &[&PresentBinding]) -> Change {
    let stands = inactive.iter().any(|held| is_overwritten(&set, held));
    if let Change::Set { activates, .. } = &mut set {
        *activates = stands;
    }
    set
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
fn removals_beside<'a>(set: &Change, held: impl Iterator<Item = &'a PresentBinding>) -> Vec<Change> {
    let beside = held.filter(|binding| binding.inherited.is_none() && !is_overwritten(set, binding));
    beside.map(removal).collect()
}

fn is_overwritten(set: &Change, binding: &PresentBinding) -> bool {
    let mut after = vec![binding.clone()];
    apply(set, &mut after);
    after.len() == 1
}

/// The interface's name in the form the port's entries use, the inventory's where there is none.
fn form_on_switch(
    wish: &Wish,
    on_port: &[&PresentBinding],
    standing: &[&PresentBinding],
    inactive: &[&PresentBinding],
) -> InterfaceName {
    let found = standing.first().or_else(|| inactive.first()).or_else(|| on_port.first());
    found.map_or_else(|| wish.interface.clone(), |binding| binding.interface.clone())
}

/// The ELS group that holds bindings of the port in that VLAN, so that the port stays in one group.
fn group_of_port<'a>(mut held: impl Iterator<Item = &'a &'a PresentBinding>, vlan: &VlanName) -> Option<String> {
    held.find(|binding| binding.vlan.as_ref() == Some(vlan)).and_then(|binding| binding.group.clone())
}
