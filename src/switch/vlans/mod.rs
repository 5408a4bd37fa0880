//! The VLANs of ports and the subnets of VLANs, from the configuration. Pure; both dialects. What is inactive counts nowhere.
//!
//! Statements: `interfaces I unit U family ethernet-switching vlan members V` with `port-mode` (non-ELS) or
//! `interface-mode` (ELS), `access` where neither is set; `native-vlan-id`; the older `vlans V interface I`; `vlans V
//! l3-interface L` with `interfaces L unit family inet address` or `family inet6 address` (JNPR "port-mode", "interface-mode",
//! "l3-interface"). Ranges and groups are asked for spelled out; `interface-range` is followed here where they are not.

mod interface_range;

use std::collections::BTreeSet;

use crate::domain::plan::{PortVlan, PortVlans, PresentBinding};
use crate::domain::{InterfaceName, VlanName};
use crate::switch::dialect;
use crate::switch::netconf::Element;
use interface_range::Ranges;

/// Where ports are that no VLAN is named for.
const DEFAULT: &str = "default";

/// The subtree to ask for: these ports, the layer-3 interfaces of both dialects, the VLANs, and the places of bindings.
pub(in crate::switch) fn filter<'a>(ports: impl Iterator<Item = &'a InterfaceName>) -> String {
    let ports: BTreeSet<&InterfaceName> = ports.collect();
    let names: BTreeSet<&str> = ports.iter().map(|port| port.physical()).chain(["vlan", "irb"]).collect();
    let named = |name: &str| format!("<interface><name>{name}</name></interface>");
    let interfaces: String = names.iter().map(|name| named(name)).collect();
    let entries: String = entry_names(ports.iter().copied()).iter().map(|form| named(form)).collect();
    format!(
        "<interfaces>{interfaces}<interface-range/></interfaces><vlans/><ethernet-switching-options><secure-access-port>{entries}\
         </secure-access-port></ethernet-switching-options>"
    )
}

/// The subtree with the same of every port, and with every binding.
pub(in crate::switch) const ALL_PLACES: &str =
    "<interfaces/><vlans/><ethernet-switching-options><secure-access-port/></ethernet-switching-options>";

/// The ports that a configuration names, and those of the bindings.
pub(in crate::switch) fn ports(configuration: &Element, bindings: &[PresentBinding]) -> BTreeSet<InterfaceName> {
    let mut ports: BTreeSet<InterfaceName> = bindings.iter().map(|binding| binding.interface.clone()).collect();
    for interface in configuration.child("interfaces").into_iter().flat_map(|all| all.all("interface")) {
        let Some(name) = interface.text_of("name") else { continue };
        let units = interface.all("unit").filter_map(|unit| unit.text_of("name"));
        let units = units.map(|unit| format!("{name}.{unit}")).chain([name.to_owned()]);
        ports.extend(units.filter_map(|port| port.parse().ok()));
    }
    ports
}

/// The names that the ports' entries may have: one may leave unit 0 out.
pub(in crate::switch) fn entry_names<'a>(ports: impl Iterator<Item = &'a InterfaceName>) -> BTreeSet<String> {
    ports.flat_map(|port| [port.as_str().to_owned(), port.port().to_owned(), format!("{}.0", port.port())]).collect()
}

/// What a reply says of these ports.
pub(in crate::switch) fn read<'a>(
    configuration: &Element,
    ports: impl Iterator<Item = &'a InterfaceName>,
) -> PortVlans {
    let vlans: Vec<Vlan<'_>> = configuration.active_child("vlans").into_iter().flat_map(vlans).collect();
    let interfaces = configuration.active_child("interfaces");
    let ranges = Ranges::of(interfaces);
    let (inactive, groups) = dialect::places(configuration);
    let mut known: Vec<VlanName> = vlans.iter().map(|vlan| vlan.name.clone()).collect();
    known.extend(DEFAULT.parse::<VlanName>().ok().filter(|name| !known.contains(name)));
    let mut read = PortVlans { known: Some(known), inactive, groups, ..PortVlans::default() };
    let asked: BTreeSet<&InterfaceName> = ports.collect();
    read.ports = asked
        .into_iter()
        .filter_map(|port| Some((port.clone(), of_port(port, interfaces, &ranges, &vlans)?)))
        .collect();
    for unit in interfaces.into_iter().flat_map(units) {
        let owner = vlans.iter().find(|vlan| vlan.element.text_of("l3-interface") == Some(&unit.name));
        let subnets = owner.into_iter().flat_map(|vlan| unit.subnets().map(|subnet| (subnet, vlan.name.clone())));
        read.subnets.extend(subnets);
    }
    read
}

/// What is said of a port; none where nothing is.
fn of_port(
    port: &InterfaceName,
    interfaces: Option<&Element>,
    ranges: &Ranges<'_>,
    vlans: &[Vlan<'_>],
) -> Option<PortVlan> {
    let unclear = |text: String| Some(PortVlan::Unclear(text));
    let listed = vlans.iter().filter(|vlan| vlan.lists(port, ranges)).map(|vlan| vlan.name.clone());
    let mut carried: BTreeSet<VlanName> = listed.collect();
    let own = interfaces.and_then(|all| all.all("interface").find(|its| its.text_of("name") == Some(port.physical())));
    if own.is_some_and(Element::is_inactive) {
        return unclear(format!("`interfaces {}` is inactive", port.physical()));
    }
    let unit_of = |of: &Element| of.all("unit").find(|unit| unit.text_of("name") == Some(unit_number(port))).cloned();
    let own_unit = own.and_then(unit_of);
    if own_unit.as_ref().is_some_and(Element::is_inactive) {
        return unclear(format!("`interfaces {} unit {}` is inactive", port.physical(), unit_number(port)));
    }
    let own_switching = own_unit.as_ref().and_then(switching);
    let of_range = ranges.covering(port.physical()).filter_map(|range| switching(&unit_of(range)?).cloned());
    let mut sources: Vec<Element> = own_switching.into_iter().cloned().collect();
    if sources.iter().all(|switching| members(switching).next().is_none()) {
        sources.extend(of_range);
    }
    if sources.is_empty() {
        let family =
            own_unit.as_ref().and_then(|unit| unit.active("family").flat_map(|family| &family.children).next());
        return match (carried.len(), family) {
            (0, Some(family)) => unclear(format!("the port is no switching port (family {})", family.name)),
            (0, None) => None,
            _ => Some(one_of(carried, port)),
        };
    }
    let mode =
        sources.iter().find_map(|its| its.active_child("port-mode").or_else(|| its.active_child("interface-mode")));
    let mode = mode.map_or("access", |mode| mode.text.trim());
    let mut strange = Vec::new();
    for member in sources.iter().flat_map(members) {
        match called(member, vlans) {
            names if names.is_empty() => strange.push(member.to_owned()),
            names => carried.extend(names),
        }
    }
    if mode == "trunk" {
        let native = own.and_then(|own| own.active_child("native-vlan-id"));
        let native = native.or_else(|| sources.iter().find_map(|its| its.active_child("native-vlan-id")));
        carried.extend(native.into_iter().flat_map(|native| called(native.text.trim(), vlans)));
        return match carried.len() {
            0 => unclear("the port is a trunk of no VLAN that the switch has".to_owned()),
            1 => carried.into_iter().next().map(PortVlan::One),
            _ => Some(PortVlan::Trunk(carried.into_iter().collect())),
        };
    }
    if mode != "access" {
        return unclear(format!("the port's mode `{mode}` is not known"));
    }
    if let Some(member) = strange.first() {
        return unclear(format!("the port is in `{member}`, which names no VLAN in force on the switch"));
    }
    if carried.is_empty() {
        if has_unspelled_groups(own, own_unit.as_ref(), interfaces) {
            return unclear("the port's `apply-groups` are not spelled out by the switch".to_owned());
        }
        return DEFAULT.parse().ok().map(PortVlan::One);
    }
    Some(one_of(carried, port))
}

/// The mode of a port as its own unit says, else a range that it is in: `trunk`, and `access` where nothing is said.
pub(in crate::switch) fn mode(interfaces: Option<&Element>, port: &InterfaceName) -> String {
    let is_port = |its: &&Element| its.text_of("name") == Some(port.physical());
    let own = interfaces.into_iter().flat_map(|all| all.active("interface")).find(is_port);
    let ranges = Ranges::of(interfaces);
    let mut modes = own.into_iter().chain(ranges.covering(port.physical())).filter_map(|of| {
        let unit = of.active("unit").find(|unit| unit.text_of("name") == Some(unit_number(port)))?;
        let switching = switching(unit)?;
        switching.active_child("port-mode").or_else(|| switching.active_child("interface-mode"))
    });
    modes.next().map_or("access", |mode| mode.text.trim()).to_owned()
}

fn one_of(carried: BTreeSet<VlanName>, port: &InterfaceName) -> PortVlan {
    let names = carried.iter().map(VlanName::as_str).collect::<Vec<_>>().join(", ");
    match carried.into_iter().collect::<Vec<_>>() {
        vlans if vlans.len() == 1 => PortVlan::One(vlans[0].clone()),
        _ => PortVlan::Unclear(format!("the access port {port} is in several VLANs ({names})")),
    }
}

/// Groups that could give the port a VLAN, in a reply that names none of what it inherits.
fn has_unspelled_groups(port: Option<&Element>, unit: Option<&Element>, interfaces: Option<&Element>) -> bool {
    let above = [interfaces, port, unit];
    let has_groups = above.into_iter().flatten().any(|element| element.child("apply-groups").is_some());
    let mut spelled_out = false;
    if let Some(port) = port {
        port.walk(&mut |element| spelled_out |= element.attribute("group").is_some());
    }
    has_groups && !spelled_out
}

fn unit_number(port: &InterfaceName) -> &str {
    port.as_str().split_once('.').map_or("0", |(_, unit)| unit)
}

fn switching(unit: &Element) -> Option<&Element> {
    unit.active_child("family")?.active_child("ethernet-switching")
}

fn members(switching: &Element) -> impl Iterator<Item = &str> {
    let vlan = switching.active_child("vlan");
    vlan.into_iter()
        .flat_map(|vlan| vlan.active("members"))
        .map(|member| member.text.trim())
        .filter(|text| !text.is_empty())
}

/// The VLANs that a member names: by its name, its number, a range of numbers, or all.
fn called(member: &str, vlans: &[Vlan<'_>]) -> Vec<VlanName> {
    let with = |holds: &dyn Fn(&Vlan<'_>) -> bool| -> Vec<VlanName> {
        vlans.iter().filter(|vlan| holds(vlan)).map(|vlan| vlan.name.clone()).collect()
    };
    let by_name = with(&|vlan| vlan.name.as_str() == member);
    if !by_name.is_empty() {
        return by_name;
    }
    if member == "all" {
        return with(&|_| true);
    }
    if member == DEFAULT || (member == "1" && with(&|vlan| vlan.id() == Some(1)).is_empty()) {
        return DEFAULT.parse().into_iter().collect();
    }
    let (from, to) = member.split_once('-').unwrap_or((member, member));
    match (from.trim().parse::<u16>(), to.trim().parse::<u16>()) {
        (Ok(from), Ok(to)) => with(&|vlan| vlan.id().is_some_and(|id| (from..=to).contains(&id))),
        _ => Vec::new(),
    }
}

struct Vlan<'a> {
    name: VlanName,
    element: &'a Element,
}

fn vlans(element: &Element) -> impl Iterator<Item = Vlan<'_>> {
    element.active("vlan").filter_map(|element| Some(Vlan { name: element.text_of("name")?.parse().ok()?, element }))
}

impl Vlan<'_> {
    fn id(&self) -> Option<u16> {
        self.element.active_child("vlan-id")?.text.trim().parse().ok()
    }

    /// True when the VLAN lists the port, by its name or by that of a range.
    fn lists(&self, port: &InterfaceName, ranges: &Ranges<'_>) -> bool {
        let mut listed = self.element.active("interface").filter_map(|entry| entry.text_of("name"));
        listed.any(|name| {
            let is_port = name.parse::<InterfaceName>().is_ok_and(|name| name.same_interface(port));
            is_port || ranges.holds(name.split('.').next().unwrap_or(name), port.physical())
        })
    }
}

struct Unit<'a> {
    /// With the interface, such as `ge-0/0/1.0`.
    name: String,
    element: &'a Element,
}

fn units(interfaces: &Element) -> impl Iterator<Item = Unit<'_>> {
    interfaces.active("interface").flat_map(|interface| {
        let of = interface.text_of("name").unwrap_or_default();
        interface
            .active("unit")
            .filter_map(move |element| Some(Unit { name: format!("{of}.{}", element.text_of("name")?), element }))
    })
}

impl Unit<'_> {
    fn subnets(&self) -> impl Iterator<Item = ipnet::IpNet> {
        let family = self.element.active_child("family");
        let inets = ["inet", "inet6"].into_iter().filter_map(move |name| family?.active_child(name));
        let addresses = inets.flat_map(|inet| inet.active("address"));
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

    fn ports(numbers: std::ops::RangeInclusive<u8>) -> Vec<InterfaceName> {
        numbers.map(|number| format!("ge-0/0/{number}.0").parse().expect("a name")).collect()
    }

    fn described(configuration: &str, numbers: std::ops::RangeInclusive<u8>) -> String {
        let read = read(&Element::read(configuration).expect("well-formed"), ports(numbers).iter());
        let line = |(port, vlan): &(InterfaceName, PortVlan)| match vlan {
            PortVlan::One(vlan) => format!("{port}: {vlan}"),
            PortVlan::Trunk(vlans) => {
                format!("{port}: trunk of {}", vlans.iter().map(VlanName::as_str).collect::<Vec<_>>().join(", "))
            }
            PortVlan::Unclear(text) => format!("{port}: ? {text}"),
        };
        read.ports.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn access_ports_trunks_and_subnets_are_read() {
        insta::assert_snapshot!(described(CONFIGURATION, 1..=7), @"
        ge-0/0/1.0: VLAN.13
        ge-0/0/2.0: VLAN.14
        ge-0/0/3.0: VLAN.13
        ge-0/0/4.0: ? the access port ge-0/0/4.0 is in several VLANs (VLAN.13, VLAN.14)
        ge-0/0/5.0: ? the port is in `unknown`, which names no VLAN in force on the switch
        ge-0/0/6.0: VLAN.13
        ");
        let read = read(&Element::read(CONFIGURATION).expect("well-formed"), ports(1..=2).iter());
        let subnets: Vec<_> = read.subnets.iter().map(|(subnet, vlan)| format!("{subnet} {vlan}")).collect();
        assert_eq!(subnets, ["10.0.48.0/24 VLAN.14", "10.1.0.0/30 VLAN.14", "2001:db8:48::/64 VLAN.14"]);
        let known: Vec<_> = read.known.iter().flatten().map(VlanName::as_str).collect();
        assert_eq!(known, ["VLAN.13", "VLAN.14", "default"]);
    }

    /// Ports with these insides of `family ethernet-switching`, on a switch with three VLANs of which one is inactive.
    fn switch(ports: &[&str], more: &str) -> String {
        let port = |(at, inside): (usize, &&str)| {
            format!(
                "<interface><name>ge-0/0/{}</name><unit><name>0</name><family><ethernet-switching>{inside}\
                 </ethernet-switching></family></unit></interface>",
                at + 1
            )
        };
        let ports: String = ports.iter().enumerate().map(port).collect();
        format!(
            "<configuration><interfaces>{ports}{more}</interfaces><vlans><vlan><name>A</name><vlan-id>10</vlan-id>\
             <interface><name>ge-0/0/1.0</name></interface></vlan><vlan><name>b c</name><vlan-id>11</vlan-id>\
             <interface><name>ge-0/0/1.0</name></interface></vlan><vlan inactive=\"inactive\"><name>OFF</name>\
             <vlan-id>12</vlan-id></vlan></vlans></configuration>"
        )
    }

    #[test]
    fn members_are_names_numbers_ranges_and_all_and_what_is_inactive_is_none() {
        let configuration = switch(
            &[
                "<port-mode>trunk</port-mode>",
                "<port-mode>trunk</port-mode><vlan><members>9-11</members></vlan>",
                "<interface-mode>trunk</interface-mode><vlan><members>all</members></vlan>",
                "<vlan><members>b c</members></vlan>",
                "<vlan><members>OFF</members></vlan>",
                "<vlan><members inactive=\"inactive\">A</members></vlan>",
                "",
                "<port-mode>trunk</port-mode><vlan><members>12</members></vlan>",
            ],
            "",
        );
        insta::assert_snapshot!(described(&configuration, 1..=9), @"
        ge-0/0/1.0: trunk of A, b c
        ge-0/0/2.0: trunk of A, b c
        ge-0/0/3.0: trunk of A, b c
        ge-0/0/4.0: b c
        ge-0/0/5.0: ? the port is in `OFF`, which names no VLAN in force on the switch
        ge-0/0/6.0: default
        ge-0/0/7.0: default
        ge-0/0/8.0: ? the port is a trunk of no VLAN that the switch has
        ");
    }

    #[test]
    fn a_port_has_what_its_interface_range_says() {
        let inside = "<unit><name>0</name><family><ethernet-switching><vlan><members>A</members></vlan>\
             </ethernet-switching></family></unit>";
        let ranges = format!(
            "<interface-range><name>r</name><member-range><name>ge-0/0/2</name><end-range>ge-0/0/3</end-range></member-range>\
             <member>ge-0/0/[6-7]</member>{inside}</interface-range>"
        );
        insta::assert_snapshot!(described(&switch(&[], &ranges), 2..=8), @"
        ge-0/0/2.0: A
        ge-0/0/3.0: A
        ge-0/0/6.0: A
        ge-0/0/7.0: A
        ");
    }

    #[test]
    fn what_is_inactive_or_not_spelled_out_or_routed_is_not_guessed() {
        let more = "<interface inactive=\"inactive\"><name>ge-0/0/3</name></interface><interface><name>ge-0/0/4</name>\
             <unit><name>0</name><family><inet/></family></unit></interface><interface><name>ge-0/0/5</name>\
             <apply-groups>g</apply-groups><unit><name>0</name><family><ethernet-switching/></family></unit></interface>";
        insta::assert_snapshot!(described(&switch(&[], more), 3..=6), @"
        ge-0/0/3.0: ? `interfaces ge-0/0/3` is inactive
        ge-0/0/4.0: ? the port is no switching port (family inet)
        ge-0/0/5.0: ? the port's `apply-groups` are not spelled out by the switch
        ");
    }
}
