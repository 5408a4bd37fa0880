//! The VLANs of access ports and the subnets of VLANs, from the configuration. Pure; both dialects.
//!
//! Statements: `interfaces I unit U family ethernet-switching vlan members V` with `port-mode` (non-ELS) or
//! `interface-mode` (ELS), `access` where neither is set; the older `vlans V interface I`; `vlans V
//! l3-interface L` with `interfaces L unit family inet address` or `family inet6 address` (JNPR "port-mode", "interface-mode",
//! "l3-interface").

use std::collections::BTreeSet;

use super::netconf::Element;
use crate::domain::plan::PortVlans;
use crate::domain::{InterfaceName, VlanName};

/// The subtree to ask for: these ports, the layer-3 interfaces of both dialects, and the VLANs.
pub(super) fn filter<'a>(ports: impl Iterator<Item = &'a InterfaceName>) -> String {
    let names: BTreeSet<&str> = ports.map(InterfaceName::physical).chain(["vlan", "irb"]).collect();
    let interfaces = names.iter().map(|name| format!("<interface><name>{name}</name></interface>"));
    format!("<interfaces>{}</interfaces><vlans/>", interfaces.collect::<String>())
}

pub(super) fn read(configuration: &Element) -> PortVlans {
    let vlans: Vec<Vlan<'_>> = configuration.child("vlans").into_iter().flat_map(vlans).collect();
    let units: Vec<Unit<'_>> = configuration.child("interfaces").into_iter().flat_map(units).collect();
    let mut port_vlans = PortVlans::default();
    for unit in &units {
        port_vlans.access.extend(unit.access_vlan(&vlans).and_then(|vlan| Some((unit.name.parse().ok()?, vlan))));
        let owner = vlans.iter().find(|vlan| vlan.element.text_of("l3-interface") == Some(&unit.name));
        let subnets = owner.into_iter().flat_map(|vlan| unit.subnets().map(|subnet| (subnet, vlan.name.clone())));
        port_vlans.subnets.extend(subnets);
    }
    for vlan in &vlans {
        port_vlans.access.extend(vlan.ports().map(|port| (port, vlan.name.clone())));
    }
    port_vlans
}

struct Vlan<'a> {
    name: VlanName,
    element: &'a Element,
}

fn vlans(element: &Element) -> impl Iterator<Item = Vlan<'_>> {
    element.all("vlan").filter_map(|element| Some(Vlan { name: element.text_of("name")?.parse().ok()?, element }))
}

impl Vlan<'_> {
    /// Ports may name their VLAN by its number.
    fn is_called(&self, member: &str) -> bool {
        self.name.as_str() == member || self.element.text_of("vlan-id") == Some(member)
    }

    fn ports(&self) -> impl Iterator<Item = InterfaceName> {
        self.element.all("interface").filter_map(|port| port.text_of("name")?.parse().ok())
    }
}

struct Unit<'a> {
    /// With the interface, such as `ge-0/0/1.0`.
    name: String,
    element: &'a Element,
}

fn units(interfaces: &Element) -> impl Iterator<Item = Unit<'_>> {
    interfaces.all("interface").flat_map(|interface| {
        let of = interface.text_of("name").unwrap_or_default();
        interface
            .all("unit")
            .filter_map(move |element| Some(Unit { name: format!("{of}.{}", element.text_of("name")?), element }))
    })
}

impl Unit<'_> {
    /// The only VLAN of an access port.
    fn access_vlan(&self, vlans: &[Vlan<'_>]) -> Option<VlanName> {
        let switching = self.element.child("family")?.child("ethernet-switching")?;
        let mode = switching.text_of("port-mode").or_else(|| switching.text_of("interface-mode"));
        let mut members = switching.child("vlan")?.all("members").map(|member| member.text.trim());
        let (member, others) = (members.next()?, members.next());
        let is_access = mode.is_none_or(|mode| mode == "access") && others.is_none();
        let known = vlans.iter().find(|vlan| vlan.is_called(member)).map(|vlan| vlan.name.clone());
        known.filter(|_| is_access)
    }

    fn subnets(&self) -> impl Iterator<Item = ipnet::IpNet> {
        let family = self.element.child("family");
        let inets = ["inet", "inet6"].into_iter().filter_map(move |name| family?.child(name));
        let addresses = inets.flat_map(|inet| inet.all("address"));
        addresses.filter_map(|address| address.text_of("name")?.parse::<ipnet::IpNet>().ok()).map(|net| net.trunc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = "<configuration><interfaces>
        <interface><name>ge-0/0/1</name><unit><name>0</name><family><ethernet-switching>
            <port-mode>access</port-mode><vlan><members>VLAN.13</members></vlan></ethernet-switching></family></unit></interface>
        <interface><name>ge-0/0/2</name><unit><name>0</name><family><ethernet-switching>
            <interface-mode>access</interface-mode><vlan><members>14</members></vlan></ethernet-switching></family></unit></interface>
        <interface><name>ge-0/0/3</name><unit><name>0</name><family><ethernet-switching>
            <port-mode>trunk</port-mode><vlan><members>VLAN.13</members></vlan></ethernet-switching></family></unit></interface>
        <interface><name>ge-0/0/4</name><unit><name>0</name><family><ethernet-switching>
            <vlan><members>VLAN.13</members><members>VLAN.14</members></vlan></ethernet-switching></family></unit></interface>
        <interface><name>ge-0/0/5</name><unit><name>0</name><family><ethernet-switching>
            <vlan><members>unknown</members></vlan></ethernet-switching></family></unit></interface>
        <interface><name>irb</name><unit><name>14</name><family><inet>
            <address><name>10.0.48.1/24</name></address><address><name>10.1.0.1/30</name></address></inet>
            <inet6><address><name>2001:db8:48::1/64</name></address></inet6></family></unit></interface>
        </interfaces><vlans>
        <vlan><name>VLAN.13</name><vlan-id>13</vlan-id><interface><name>ge-0/0/6.0</name></interface></vlan>
        <vlan><name>VLAN.14</name><vlan-id>14</vlan-id><l3-interface>irb.14</l3-interface></vlan>
        </vlans></configuration>";

    #[test]
    fn access_ports_and_subnets_are_read_and_trunks_are_not() {
        let read = read(&Element::read(CONFIGURATION).expect("well-formed"));
        let access: Vec<_> = read.access.iter().map(|(port, vlan)| format!("{port} {vlan}")).collect();
        assert_eq!(access, ["ge-0/0/1.0 VLAN.13", "ge-0/0/2.0 VLAN.14", "ge-0/0/6.0 VLAN.13"]);
        let subnets: Vec<_> = read.subnets.iter().map(|(subnet, vlan)| format!("{subnet} {vlan}")).collect();
        assert_eq!(subnets, ["10.0.48.0/24 VLAN.14", "10.1.0.0/30 VLAN.14", "2001:db8:48::/64 VLAN.14"]);
    }

    #[test]
    fn an_empty_configuration_tells_nothing() {
        assert_eq!(read(&Element::default()), PortVlans::default());
    }
}
