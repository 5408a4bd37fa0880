//! In which VLAN an address is bound.

use ipnet::IpNet;

use super::{Inactivity, PresentBinding, Wish};
use crate::domain::{BindableAddress, Code, Desired, Failure, InterfaceName, VlanName};

/// What a switch's committed configuration says of VLANs beside its bindings, and of the places where bindings stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortVlans {
    /// What it says of each port that it names.
    pub ports: Vec<(InterfaceName, PortVlan)>,
    /// The VLANs that it has; none where it was not asked.
    pub known: Option<Vec<VlanName>>,
    /// The subnets of the VLANs' layer-3 interfaces.
    pub subnets: Vec<(IpNet, VlanName)>,
    /// The ELS groups that ports are in, by VLAN.
    pub groups: Vec<(VlanName, InterfaceName, String)>,
    /// What is inactive of the statements that bindings stand under.
    pub inactive: Vec<Inactivity>,
}

/// What a port carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortVlan {
    /// One VLAN.
    One(VlanName),
    /// These, tagged: the address tells which.
    Trunk(Vec<VlanName>),
    /// What is said cannot be made out: a sentence.
    Unclear(String),
}

impl PortVlans {
    fn of_port(&self, port: &InterfaceName) -> Option<&PortVlan> {
        self.ports.iter().find(|(name, _)| name.same_interface(port)).map(|(_, vlan)| vlan)
    }

    /// Of several subnets that hold the address the narrowest, where that is one VLAN's; none holds one of the other family.
    fn of_address(&self, ip: BindableAddress, among: impl Fn(&VlanName) -> bool) -> Option<VlanName> {
        let holding = || self.subnets.iter().filter(|(net, vlan)| net.contains(&ip.ip()) && among(vlan));
        let narrowest = holding().map(|(subnet, _)| subnet.prefix_len()).max()?;
        let mut vlans = holding().filter(|(subnet, _)| subnet.prefix_len() == narrowest).map(|(_, vlan)| vlan);
        let first = vlans.next()?;
        vlans.all(|vlan| vlan == first).then(|| first.clone())
    }

    /// The group that the port is in within that VLAN: it can be in one only.
    pub(super) fn group_of(&self, port: &InterfaceName, vlan: &VlanName) -> Option<&str> {
        let mut groups = self.groups.iter().filter(|(of, name, _)| of == vlan && name.same_interface(port));
        groups.next().map(|(_, _, group)| group.as_str())
    }

    /// The inactive statement that a binding at that place would stand under.
    pub(super) fn inactive_above(&self, port: &InterfaceName, vlan: &VlanName, group: Option<&str>) -> Option<&str> {
        self.inactive.iter().find(|above| above.covers(port, vlan, group)).map(|above| above.path.as_str())
    }
}

/// True when something is to be bound, so that the ports and VLANs must be asked for. What stands as it is wished for in a
/// VLAN that is known needs no look at them.
pub fn wants_port_vlans(wishes: &[Wish], present: &[PresentBinding]) -> bool {
    let is_open = |wish: &Wish| {
        let on_port = || {
            let on_port = present.iter().filter(|binding| binding.interface.same_interface(&wish.interface));
            on_port.filter(|binding| binding.is_active())
        };
        let Some(vlan) = known(wish, on_port()) else { return true };
        let holds =
            |held: &PresentBinding| held.ip == wish.ip && held.mac == wish.mac && held.vlan.as_ref() == Some(&vlan);
        !on_port().any(holds)
    };
    wishes.iter().any(|wish| wish.desired == Desired::Bound && is_open(wish))
}

/// The VLAN: named by the message, else by the inventory (both stand in the wish), else that of the primary address's
/// binding on the port, if it is of the same family (a trunk may carry IPv4 and IPv6 in different VLANs), else the one that
/// the port carries; where it carries several, that of them whose subnet holds the address. Only where the configuration
/// says nothing of the port do the subnets decide alone.
pub(super) fn resolve(wish: &Wish, on_port: &[&PresentBinding], vlans: &PortVlans) -> Result<VlanName, Failure> {
    let vlan = match known(wish, on_port.iter().copied()) {
        Some(vlan) => vlan,
        None => of_configuration(wish, vlans)?,
    };
    match &vlans.known {
        Some(all) if !all.contains(&vlan) => Err(unknown(wish, &vlan, all)),
        _ => Ok(vlan),
    }
}

fn of_configuration(wish: &Wish, vlans: &PortVlans) -> Result<VlanName, Failure> {
    match vlans.of_port(&wish.interface) {
        Some(PortVlan::One(vlan)) => Ok(vlan.clone()),
        Some(PortVlan::Trunk(carried)) => vlans.of_address(wish.ip, |vlan| carried.contains(vlan)).ok_or_else(|| {
            let names = named(carried);
            unresolved(wish, &format!("the port is a trunk of {names}, and not exactly one of these has a subnet with the address"))
        }),
        Some(PortVlan::Unclear(what)) => Err(unresolved(wish, what)),
        None => vlans.of_address(wish.ip, |_| true).ok_or_else(|| {
            let text = "the configuration says nothing of the port, and no VLAN's subnet holds the address (or those of several do)";
            unresolved(wish, text)
        }),
    }
}

fn unresolved(wish: &Wish, looked_at: &str) -> Failure {
    let text = format!(
        "no VLAN for {} on {}: neither message nor inventory names one, the port has no binding of the primary address (of \
         the same family), and {looked_at}; name it in the message or in the inventory",
        wish.ip, wish.interface
    );
    Failure::new(Code::VlanUnresolved, text)
}

fn unknown(wish: &Wish, vlan: &VlanName, all: &[VlanName]) -> Failure {
    let text = format!(
        "{} cannot be bound in VLAN {vlan} on {}: the switch has no such VLAN in force, it has {}; name one of these, or make \
         that VLAN on the switch and replay this",
        wish.ip,
        wish.interface,
        named(all)
    );
    Failure::new(Code::UnknownVlan, text)
}

/// As many names as can be read.
fn named(vlans: &[VlanName]) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<&str> = vlans.iter().map(VlanName::as_str).collect();
    names.sort_unstable();
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN),
        _ => names.join(", "),
    }
}

fn known<'a>(wish: &Wish, mut on_port: impl Iterator<Item = &'a PresentBinding>) -> Option<VlanName> {
    let of_primary = || {
        let primary = wish.primary_ip.filter(|primary| primary.same_family(wish.ip))?;
        on_port.find(|binding| binding.ip == primary)?.vlan.clone()
    };
    wish.vlan.clone().or_else(of_primary)
}
