//! The plan: what must change on a switch so that it holds what the rows desire.
//!
//! Pure. [`plan`] compares the wishes with the bindings that the committed configuration holds and
//! answers with one [`Step`] per wish. Carrying a plan out and planning again gives no change at
//! all: that is the idempotence of a push.

mod compare;
mod duplicates;
#[cfg(test)]
mod duplicates_tests;
mod elsewhere;
#[cfg(test)]
mod elsewhere_tests;
mod families;
mod force;
mod ownership;
mod result;
#[cfg(test)]
mod tests;
mod vlans;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{BindableAddress, Desired, Duplicates, Failure, InterfaceName, Mac, VlanName};
pub use duplicates::{fall_back, of_macs};
pub use families::unsupported;
pub use force::{Inactive, Inactivity};
pub use ownership::{LeftPort, Ownership, addresses_elsewhere, macs_at, unaccounted};
pub use result::{Reached, WishResult};
pub use vlans::{PortVlan, PortVlans, wants_port_vlans};

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
    /// What of it is inactive, so that the switch keeps it and ignores it.
    pub inactive: Option<Inactive>,
    /// The configuration group (`apply-groups`) that it comes from: it does not stand at the port, and cannot be changed there.
    pub inherited: Option<String>,
}

impl PresentBinding {
    /// One that stands at the port itself, active and in no group.
    pub const fn new(interface: InterfaceName, ip: BindableAddress, vlan: Option<VlanName>, mac: Mac) -> Self {
        Self { interface, ip, vlan, mac, group: None, inactive: None, inherited: None }
    }
}

/// What a row wants on one port of one switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The row.
    pub vmac_id: i64,
    /// What it wants.
    pub desired: Desired,
    /// The row leaves this port and keeps others, so nothing takes the binding's place here.
    pub leaving: bool,
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
        /// The statement stands there inactive, and is made active.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        activates: bool,
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
    /// What to push instead where the switch refuses the PXE MAC: the removal of what is ours.
    pub instead: Vec<Change>,
    /// The port holds the address already, but so does another one, for which no row accounts.
    pub also_elsewhere: Option<Failure>,
}

/// What a wish needs, or why it cannot be.
pub type Planned = Result<Step, (Wish, Failure)>;

/// Plans every wish against the bindings present on the switch; one answer a wish, in their order.
///
/// Addresses are taken in order and each sees the effect of those before it, because two revokes on one port must not both
/// restore the one PXE MAC where the switch takes it once (`duplicates`). A binding with any other MAC than one of vmacd's or
/// the server's PXE MAC is somebody else's and is never overwritten or removed. What is inactive counts nowhere as bound.
/// `port_vlans` may be empty unless [`wants_port_vlans`].
///
/// No plan binds an address on a second port of the switch, in whatever VLAN, unless one row wants it on both. What vmacd left
/// on another port for a row that does not want it there any more is removed by the step that binds the address.
///
/// A row that goes from one port to another is taken off the one only where it can be bound on the other: of the wishes for
/// an address those to bind are planned first, and a row's share their failure with its others.
///
/// # Errors
/// Per wish a permanent [`Failure`]: [`super::Code::ForeignBinding`], [`super::Code::AddressElsewhere`],
/// [`super::Code::InactiveStatement`], [`super::Code::InheritedBinding`], [`super::Code::UnknownVlan`],
/// [`super::Code::VlanUnresolved`], or [`super::Code::DuplicateMac`] where it is known that the switch would refuse the MAC.
pub fn plan(
    wishes: &[Wish],
    present: &[PresentBinding],
    port_vlans: &PortVlans,
    owned: &Ownership,
    duplicates: Duplicates,
) -> Vec<Planned> {
    let around = Around { port_vlans, owned, duplicates };
    let groups = by_address(wishes);
    let mut clashing = HashMap::new();
    let mut planned = loop {
        let (planned, after) = plan_all(&groups, present, &around, &clashing);
        // What fails stays as it is, which others may clash with: until nothing more does.
        let found = duplicates::clashing(&planned, &after, duplicates);
        if found.is_empty() {
            break planned;
        }
        clashing.extend(found);
    };
    planned.sort_by_key(|(at, _)| *at);
    planned.into_iter().unzip::<usize, Planned, Vec<_>, Vec<_>>().1
}

/// Plans address by address; also what the switch holds then.
fn plan_all(
    groups: &[Vec<(usize, &Wish)>],
    present: &[PresentBinding],
    around: &Around<'_>,
    clashing: &HashMap<i64, Failure>,
) -> (Vec<(usize, Planned)>, Vec<PresentBinding>) {
    let mut after = present.to_vec();
    let planned = groups.iter().flat_map(|of_address| plan_address(of_address, &mut after, around, clashing)).collect();
    (planned, after)
}

/// What a plan goes by beside the bindings.
struct Around<'a> {
    port_vlans: &'a PortVlans,
    owned: &'a Ownership,
    duplicates: Duplicates,
}

/// Plans the wishes for one address; `clashing` are rows of which nothing new may be bound.
fn plan_address(
    of_address: &[(usize, &Wish)],
    present: &mut Vec<PresentBinding>,
    around: &Around<'_>,
    clashing: &HashMap<i64, Failure>,
) -> Vec<(usize, Planned)> {
    let siblings: Vec<&Wish> = of_address.iter().map(|(_, wish)| *wish).collect();
    let mut failed: HashMap<i64, Failure> = HashMap::new();
    let mut planned = Vec::with_capacity(of_address.len());
    for (at, wish) in of_address {
        let step = match (failed.get(&wish.vmac_id), wish.desired) {
            (Some(failure), Desired::Unbound) => Err(failure.clone()),
            _ => compare::plan_wish(wish, &siblings, present, around),
        };
        let step = step.and_then(|step| match clashing.get(&wish.vmac_id) {
            Some(failure) if !step.changes.is_empty() => Err(failure.clone()),
            _ => Ok(step),
        });
        match &step {
            Ok(step) => step.changes.iter().for_each(|change| apply(change, present)),
            Err(failure) => drop(failed.insert(wish.vmac_id, failure.clone())),
        }
        planned.push((*at, step.map_err(|failure| ((*wish).clone(), failure))));
    }
    planned
}

/// The wishes with their places, those for one address together, and of these those to bind first.
fn by_address(wishes: &[Wish]) -> Vec<Vec<(usize, &Wish)>> {
    let mut group_of: HashMap<BindableAddress, usize> = HashMap::new();
    let mut groups: Vec<Vec<(usize, &Wish)>> = Vec::new();
    for (at, wish) in wishes.iter().enumerate() {
        let group = *group_of.entry(wish.ip).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push((at, wish));
    }
    groups.iter_mut().for_each(|group| group.sort_by_key(|(_, wish)| wish.desired == Desired::Unbound));
    groups
}

/// Brings a list of bindings to what it is after the change, as the switch would.
pub fn apply(change: &Change, present: &mut Vec<PresentBinding>) {
    match change.clone() {
        Change::Set { interface, vlan, ip, mac, group, .. } => {
            present.retain(|binding| {
                !(binding.interface == interface
                    && binding.ip == ip
                    && binding.inherited.is_none()
                    && binding.group == group
                    && (group.is_none() || binding.vlan.as_ref() == Some(&vlan)))
            });
            let (inactive, inherited) = (None, None);
            present.push(PresentBinding { interface, ip, vlan: Some(vlan), mac, group, inactive, inherited });
        }
        Change::Remove { interface, vlan, ip, group } => present.retain(|binding| {
            !(binding.interface == interface
                && binding.ip == ip
                && binding.inherited.is_none()
                && (group.is_none() || (binding.vlan == vlan && binding.group == group)))
        }),
    }
}

impl Change {
    /// True when a switch with these bindings holds what the change makes.
    pub fn is_held_by(&self, present: &[PresentBinding]) -> bool {
        match self {
            Self::Set { interface, ip, mac, .. } => present.iter().any(|binding| {
                binding.is_active()
                    && binding.interface.same_interface(interface)
                    && binding.ip == *ip
                    && binding.mac == *mac
            }),
            Self::Remove { interface, vlan, ip, group } => !present.iter().any(|binding| {
                binding.interface == *interface
                    && binding.ip == *ip
                    && binding.inherited.is_none()
                    && (group.is_none() || (binding.vlan == *vlan && binding.group == *group))
            }),
        }
    }
}
