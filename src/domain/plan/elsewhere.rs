//! An address on other ports of its switch: what rows say of that, and what must not be.
//!
//! The VLAN makes no difference. A row has one address in the whole estate, so the same address in another VLAN is either
//! the same customer's, moved by mistake, or another customer's; neither is bound twice by vmacd.

use super::{PresentBinding, Wish};
use crate::domain::plan::Ownership;
use crate::domain::{Code, Desired, Failure};

/// The bindings of a wish's address on other ports than its own that no wish for that address takes care of.
pub(super) struct Elsewhere<'a> {
    /// Made by vmacd for rows that do not want them any more.
    pub left_behind: Vec<&'a PresentBinding>,
    /// Nobody knows why it is there: the first of them.
    pub unknown: Option<&'a PresentBinding>,
}

impl<'a> Elsewhere<'a> {
    /// `siblings` are all wishes for the address.
    pub fn of(wish: &Wish, siblings: &[&Wish], present: &'a [PresentBinding], owned: &Ownership) -> Self {
        let others =
            present.iter().filter(|held| held.ip == wish.ip && !held.interface.same_interface(&wish.interface));
        let others = others.filter(|held| held.is_active());
        let (left_behind, others): (Vec<_>, Vec<_>) =
            others.filter(|held| !is_wished_away(held, siblings, owned)).partition(|held| owned.is_left_behind(held));
        Self { left_behind, unknown: others.first().copied() }
    }

    /// Why the address cannot be bound on the wish's port.
    pub fn failure(&self, wish: &Wish) -> Option<Failure> {
        let PresentBinding { interface, ip, mac, vlan, .. } = self.unknown?;
        let vlan = vlan.as_ref().map(|vlan| format!(" in {vlan}")).unwrap_or_default();
        let text = format!(
            "{ip} is bound to {mac} on {interface}{vlan} of the same switch, and no row of vmacd accounts for that, so {} \
             must not have it too: find out who has the address, then remove that binding, or revoke this one",
            wish.interface
        );
        Some(Failure::new(Code::AddressElsewhere, text))
    }
}

/// True when a wish for the binding's port keeps it, replaces it or removes it.
fn is_wished_away(held: &PresentBinding, siblings: &[&Wish], owned: &Ownership) -> bool {
    let mut there = siblings.iter().filter(|wish| wish.interface.same_interface(&held.interface));
    there.any(|wish| {
        let own = wish.desired == Desired::Bound && held.mac == wish.pxe_mac;
        own || held.mac == wish.mac || owned.is_ours(held.mac)
    })
}

/// True when a wish to bind has what is held here.
pub(super) fn is_kept(held: &PresentBinding, siblings: &[&Wish]) -> bool {
    let mut binds = siblings.iter().filter(|wish| wish.desired == Desired::Bound);
    binds.any(|wish| wish.mac == held.mac && wish.interface.same_interface(&held.interface))
}

/// True when the address is on a port where its row does not end it together with this wish.
pub(super) fn is_bound_elsewhere(wish: &Wish, siblings: &[&Wish], present: &[PresentBinding]) -> bool {
    let ends_at = |held: &PresentBinding| {
        let ends = |sibling: &&&Wish| sibling.vmac_id == wish.vmac_id && sibling.desired == Desired::Unbound;
        siblings.iter().filter(ends).any(|sibling| sibling.interface.same_interface(&held.interface))
    };
    let mut active = present.iter().filter(|held| held.is_active() && held.ip == wish.ip);
    active.any(|held| is_kept(held, siblings) || !ends_at(held))
}
