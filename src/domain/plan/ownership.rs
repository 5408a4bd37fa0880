//! What the rows know of the bindings on a switch, beside what they wish for there.

use std::collections::HashSet;

use super::{PresentBinding, Wish};
use crate::domain::{BindableAddress, Desired, InterfaceName, Mac};

/// Which bindings on a switch are vmacd's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// The MACs that are or were virtual MACs of vmacd.
    pub macs: HashSet<Mac>,
    /// Ports that rows had for an address and do not want any more.
    pub left: Vec<LeftPort>,
}

/// A port that a row had for an address, and which it left or on which it was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftPort {
    /// The address.
    pub ip: BindableAddress,
    /// The port.
    pub interface: InterfaceName,
    /// The MAC that vmacd bound the address to there last: the server's own, where a revoke brought that back.
    pub mac: Mac,
}

impl Ownership {
    pub(super) fn is_ours(&self, mac: Mac) -> bool {
        self.macs.contains(&mac)
    }

    /// True for a binding that vmacd made for a row that no longer wants it there.
    pub(super) fn is_left_behind(&self, binding: &PresentBinding) -> bool {
        let made_here = |port: &LeftPort| {
            port.ip == binding.ip
                && port.interface.same_interface(&binding.interface)
                && (port.mac == binding.mac || self.is_ours(binding.mac))
        };
        self.left.iter().any(made_here)
    }
}

/// The MACs that are bound to the wishes' addresses, on whatever port: those that [`Ownership::macs`] is asked about.
pub fn macs_at(wishes: &[Wish], present: &[PresentBinding]) -> Vec<Mac> {
    let addresses: HashSet<_> = wishes.iter().map(|wish| wish.ip).collect();
    present.iter().filter(|binding| addresses.contains(&binding.ip)).map(|binding| binding.mac).collect()
}

/// The addresses that are to be bound and are on other ports too: those that [`Ownership::left`] is asked about.
pub fn addresses_elsewhere(wishes: &[Wish], present: &[PresentBinding]) -> HashSet<BindableAddress> {
    let to_bind = || wishes.iter().filter(|wish| wish.desired == Desired::Bound);
    let addresses: HashSet<_> = to_bind().map(|wish| wish.ip).collect();
    let places: HashSet<_> = to_bind().map(|wish| (wish.ip, wish.interface.port())).collect();
    let elsewhere = |held: &&PresentBinding| !places.contains(&(held.ip, held.interface.port()));
    present.iter().filter(|held| addresses.contains(&held.ip)).filter(elsewhere).map(|held| held.ip).collect()
}

/// MACs that are bound on the rows' own ports to their addresses, each with its row, and that no row has or had: somebody
/// else's, unless a command of the row drew them.
pub fn unaccounted(wishes: &[Wish], present: &[PresentBinding], owned: &Ownership) -> Vec<(i64, Mac)> {
    let mut found = Vec::new();
    for wish in wishes {
        let here = |held: &&PresentBinding| held.ip == wish.ip && held.interface.same_interface(&wish.interface);
        let strange = |held: &&PresentBinding| {
            let known = held.mac == wish.mac || held.mac == wish.pxe_mac || owned.is_ours(held.mac);
            !known && held.is_active() && held.inherited.is_none()
        };
        found.extend(present.iter().filter(here).filter(strange).map(|held| (wish.vmac_id, held.mac)));
    }
    found.sort_unstable();
    found.dedup();
    found
}
