//! In which VLAN an address is bound.

use ipnet::IpNet;

use super::{PresentBinding, Wish};
use crate::domain::{BindableAddress, Code, Desired, Failure, InterfaceName, VlanName};

/// What a switch's committed configuration says of VLANs beside its bindings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortVlans {
    /// The VLAN of each access port.
    pub access: Vec<(InterfaceName, VlanName)>,
    /// The subnets of the VLANs' layer-3 interfaces.
    pub subnets: Vec<(IpNet, VlanName)>,
}

impl PortVlans {
    fn of_port(&self, port: &InterfaceName) -> Option<VlanName> {
        self.access.iter().find(|(name, _)| name.same_interface(port)).map(|(_, vlan)| vlan.clone())
    }

    /// Of several subnets that hold the address the narrowest; none holds one of the other family.
    fn of_address(&self, ip: BindableAddress) -> Option<VlanName> {
        let holding = self.subnets.iter().filter(|(subnet, _)| subnet.contains(&ip.ip()));
        holding.max_by_key(|(subnet, _)| subnet.prefix_len()).map(|(_, vlan)| vlan.clone())
    }
}

/// True when bindings, messages and inventory do not tell every VLAN, so that the ports must be asked for.
pub fn wants_port_vlans(wishes: &[Wish], present: &[PresentBinding]) -> bool {
    let unknown = |wish: &Wish| {
        let on_port = present.iter().filter(|binding| binding.interface.same_interface(&wish.interface));
        wish.desired == Desired::Bound && known(wish, on_port).is_none()
    };
    wishes.iter().any(unknown)
}

/// The VLAN: named by the message, else by the inventory (both stand in the wish), else that of the primary
/// address's binding on the port, if it is of the same family (a trunk may carry IPv4 and IPv6 in different VLANs), else the
/// port's access VLAN, else the one whose subnet holds the address.
pub(super) fn resolve(wish: &Wish, on_port: &[&PresentBinding], vlans: &PortVlans) -> Result<VlanName, Failure> {
    known(wish, on_port.iter().copied())
        .or_else(|| vlans.of_port(&wish.interface))
        .or_else(|| vlans.of_address(wish.ip))
        .ok_or_else(|| {
            let text = format!(
                "no VLAN for {} on {}: neither message nor inventory names one, the port has no binding of the primary \
                 address (of the same family) and no single access VLAN, and no VLAN's subnet holds the address; name it in the message or \
                 in the inventory",
                wish.ip, wish.interface
            );
            Failure::new(Code::VlanUnresolved, text)
        })
}

fn known<'a>(wish: &Wish, mut on_port: impl Iterator<Item = &'a PresentBinding>) -> Option<VlanName> {
    let of_primary = || {
        let primary = wish.primary_ip.filter(|primary| primary.same_family(wish.ip))?;
        on_port.find(|binding| binding.ip == primary)?.vlan.clone()
    };
    wish.vlan.clone().or_else(of_primary)
}
