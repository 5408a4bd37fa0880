//! The plan: what must change on a switch so that it holds what the rows desire.
//!
//! Pure. [`plan`] compares the wishes with the bindings that the committed configuration holds and
//! answers with one [`Step`] per wish. Carrying a plan out and planning again gives no change at
//! all: that is the idempotence of a push.

mod compare;
mod families;
#[cfg(test)]
mod tests;
mod vlans;

use serde::{Deserialize, Serialize};

use super::{BindableAddress, Desired, Failure, InterfaceName, Mac, VlanName};
pub use families::unsupported;
pub use vlans::{PortVlans, wants_port_vlans};

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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase")]
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
/// never overwritten or removed. `port_vlans` may be empty unless [`wants_port_vlans`].
///
/// A row that goes from one port to another is taken off the one only where it can be bound on the other: its wishes to
/// bind, which stand together with its others, are planned first, and share their failure with the rest.
///
/// # Errors
/// Per wish a permanent [`Failure`]: [`super::Code::ForeignBinding`] or [`super::Code::VlanUnresolved`].
pub fn plan(
    wishes: &[Wish],
    present: &[PresentBinding],
    port_vlans: &PortVlans,
    is_ours: impl Fn(Mac) -> bool,
) -> Vec<Result<Step, (Wish, Failure)>> {
    let mut present = present.to_vec();
    let mut steps = Vec::with_capacity(wishes.len());
    for row in wishes.chunk_by(|one, next| one.vmac_id == next.vmac_id) {
        let (binds, unbinds): (Vec<_>, Vec<_>) = row.iter().partition(|wish| wish.desired == Desired::Bound);
        let mut failed: Option<Failure> = None;
        for wish in binds.into_iter().chain(unbinds) {
            let step = match &failed {
                Some(failure) if wish.desired == Desired::Unbound => Err(failure.clone()),
                _ => compare::plan_wish(wish, &present, port_vlans, &is_ours),
            };
            match &step {
                Ok(step) => step.changes.iter().for_each(|change| apply(change, &mut present)),
                Err(failure) => failed = Some(failure.clone()),
            }
            steps.push(step.map_err(|failure| (wish.clone(), failure)));
        }
    }
    steps
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

impl Change {
    /// True when a switch with these bindings holds what the change makes.
    pub fn is_held_by(&self, present: &[PresentBinding]) -> bool {
        match self {
            Self::Set { interface, ip, mac, .. } => present
                .iter()
                .any(|binding| binding.interface.same_interface(interface) && binding.ip == *ip && binding.mac == *mac),
            Self::Remove { interface, vlan, ip, group } => !present.iter().any(|binding| {
                binding.interface == *interface
                    && binding.ip == *ip
                    && (group.is_none() || (binding.vlan == *vlan && binding.group == *group))
            }),
        }
    }
}
