//! The address plan of an estate: which server stands on which port, with which addresses.
//!
//! Counting switches `s` and ports `p` from 0: the port has the addresses 10.s.p.1 to 10.s.p.254 to itself. Its server
//! has the id `1001 + s * ports + p`, the primary address 10.s.p.1 and the PXE MAC 0c:c4:7a:00:ss:pp; 10.s.p.2 to
//! 10.s.p.254 are free for extra addresses. From the 257th switch on counting begins anew under 11, then 12 and 13, and
//! 0c:c4:7a:01, 02 and 03. The port is `ge-M/0/P.0` with 48 ports to a member. Twenty-four ports share a VLAN, VLAN.13
//! the first of them, and its subnet.

use crate::sim::device::commit_check::SimBinding;

/// The most switches and ports the plan has room for.
pub(crate) const SWITCHES_MAX: usize = 1024;
pub(crate) const PORTS_MAX: usize = 254;
/// The extra addresses of each port.
pub(crate) const EXTRA_ADDRESSES: usize = 253;

/// A server and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimServer {
    /// The server's number in the inventory.
    pub id: u64,
    /// The switch's name.
    pub switch: String,
    /// The port, with its unit.
    pub interface: String,
    /// The VLAN's name.
    pub vlan: String,
    /// The primary address.
    pub primary_ip: String,
    /// The MAC the server boots with, which its primary address is bound to.
    pub pxe_mac: String,
    /// `10.s.p.`, to put numbers from 2 to 254 behind.
    prefix: String,
}

impl SimServer {
    /// The server on port `port` of switch `switch` in an estate with `ports` ports a switch.
    pub(crate) fn at(switch: usize, port: usize, ports: usize) -> SimServer {
        let (block, switch_in_block) = (switch / 256, switch % 256);
        let prefix = format!("{}.{switch_in_block}.{port}.", 10 + block);
        SimServer {
            id: (1001 + switch * ports + port) as u64,
            switch: switch_name(switch),
            interface: format!("{}.0", interface(port)),
            vlan: format!("VLAN.{}", vlan_id(port)),
            primary_ip: format!("{prefix}1"),
            pxe_mac: format!("0c:c4:7a:{block:02x}:{switch_in_block:02x}:{port:02x}"),
            prefix,
        }
    }

    /// The `number`th extra address of the port, from 0 to 252.
    pub fn extra_ip(&self, number: u8) -> Option<String> {
        (number <= 252).then(|| format!("{}{}", self.prefix, number + 2))
    }

    /// The binding the switch starts with.
    pub fn primary_binding(&self) -> SimBinding {
        SimBinding {
            interface: self.interface.clone(),
            vlan: self.vlan.clone(),
            ip: self.primary_ip.clone(),
            mac: self.pxe_mac.clone(),
        }
    }
}

/// `sw-001` and so on.
pub(crate) fn switch_name(switch: usize) -> String {
    format!("sw-{:03}", switch + 1)
}

/// The physical interface of a port.
pub(crate) fn interface(port: usize) -> String {
    format!("ge-{}/0/{}", port / 48, port % 48)
}

/// The VLAN of a port.
pub(crate) fn vlan_id(port: usize) -> usize {
    13 + port / 24
}
