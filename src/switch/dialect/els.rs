//! `vlans NAME forwarding-options dhcp-security group G interface I static-ip A mac M`, and `static-ipv6 A mac M` beside
//! it for IPv6.
//!
//! The schema (YANG of 17.4R1 for EX, the same in 24.4R0: <https://github.com/Juniper/yang>): the VLAN is the container,
//! `static-ip` and `static-ipv6` are two lists keyed by the address, `mac` is mandatory in both, a group's name has 1 to 64
//! characters. Releases older than the statement refuse it at load.

use std::collections::BTreeMap;

use quick_xml::escape::escape;

use super::GroupOfPort;
use super::statement::Statement;
use crate::domain::plan::{Change, Inactivity, PresentBinding};
use crate::domain::{BindableAddress, InterfaceName, VlanName};
use crate::switch::netconf::Element;

pub(super) const FILTER: &str =
    "<vlans><vlan><name/><forwarding-options><dhcp-security/></forwarding-options></vlan></vlans>";

/// The group that new bindings go into where the port has none in the VLAN.
pub(super) const GROUP: &str = "vmacd";

const SECURITY: [&str; 2] = ["forwarding-options", "dhcp-security"];

pub(super) fn bindings(configuration: &Element) -> Vec<PresentBinding> {
    let mut bindings = Vec::new();
    each_group(configuration, |at, vlan, group| {
        for interface in group.all("interface") {
            let at = at.below(interface);
            let entries = interface.all("static-ip").chain(interface.all("static-ipv6"));
            bindings.extend(entries.filter_map(|entry| binding(&at, vlan, group, interface, entry)));
        }
    });
    bindings
}

fn each_group<'a>(configuration: &'a Element, mut visit: impl FnMut(&Statement, &'a Element, &'a Element)) {
    let Some((at, vlans)) = Statement::default().down(configuration, &["vlans"]) else { return };
    for vlan in vlans.all("vlan") {
        let security = at.below(vlan).down(vlan, &SECURITY);
        for (at, group) in
            security.iter().flat_map(|(at, security)| security.all("group").map(move |group| (at, group)))
        {
            visit(&at.below(group), vlan, group);
        }
    }
}

fn binding(
    at: &Statement,
    vlan: &Element,
    group: &Element,
    interface: &Element,
    entry: &Element,
) -> Option<PresentBinding> {
    let (port, ip) = (interface.text_of("name")?.parse().ok()?, entry.text_of("name")?.parse().ok()?);
    let (vlan, mac) = (vlan.text_of("name")?.parse().ok(), entry.text_of("mac")?.parse().ok()?);
    Some(PresentBinding {
        group: group.text_of("name").map(str::to_owned),
        inactive: at.inactive_entry(entry),
        inherited: at.below(entry).inherited,
        ..PresentBinding::new(port, ip, vlan, mac)
    })
}

/// The groups that ports are in; also those that are inactive, so that nothing is written beside them.
pub(super) fn groups(configuration: &Element) -> Vec<GroupOfPort> {
    let mut groups = Vec::new();
    each_group(configuration, |_, vlan, group| {
        let ports = group.all("interface").filter_map(|port| {
            let vlan = vlan.text_of("name")?.parse().ok()?;
            Some((vlan, port.text_of("name")?.parse().ok()?, group.text_of("name")?.to_owned()))
        });
        groups.extend(ports);
    });
    groups
}

/// What is inactive on the way to a port's entries; an inactive VLAN does not exist for the switch.
pub(super) fn inactive(configuration: &Element) -> Vec<Inactivity> {
    let mut found = Vec::new();
    let Some((at, vlans)) = Statement::default().down(configuration, &["vlans"]) else { return found };
    for vlan in vlans.all("vlan") {
        let of = at.below(vlan).down(vlan, &SECURITY);
        let name = vlan.text_of("name").and_then(|name| name.parse::<VlanName>().ok());
        if let Some(path) = of.and_then(|(at, _)| at.inactive) {
            found.push(Inactivity { path, interface: None, vlan: name, group: None });
        }
    }
    each_group(configuration, |at, vlan, group| {
        let (vlan, group_name) = (vlan.text_of("name").and_then(|name| name.parse().ok()), group.text_of("name"));
        let place =
            |path, interface| Inactivity { path, interface, vlan: vlan.clone(), group: group_name.map(str::to_owned) };
        if let Some(path) = &at.inactive {
            return found.push(place(path.clone(), None));
        }
        let ignored = group.all("interface").filter(|port| port.is_inactive());
        let named = ignored.filter_map(|port| Some((at.below(port).path, port.text_of("name")?.parse().ok()?)));
        found.extend(named.map(|(path, port)| place(path, Some(port))));
    });
    found
}

pub(super) fn render(changes: &[Change]) -> String {
    // VLAN, group, interface: the containers of an entry.
    let mut places: BTreeMap<(&str, &str, &str), String> = BTreeMap::new();
    for change in changes {
        let (interface, vlan, group, entry) = entry(change);
        let place = (vlan, group.as_deref().unwrap_or(GROUP), interface.as_str());
        places.entry(place).or_default().push_str(&entry);
    }
    let places = places.iter().map(|((vlan, group, interface), entries)| {
        format!(
            "<vlan><name>{}</name><forwarding-options><dhcp-security><group><name>{}</name>\
             <interface><name>{}</name>{entries}</interface></group></dhcp-security></forwarding-options></vlan>",
            escape(*vlan),
            escape(*group),
            escape(*interface)
        )
    });
    format!("<vlans>{}</vlans>", places.collect::<String>())
}

fn entry(change: &Change) -> (&InterfaceName, &str, &Option<String>, String) {
    match change {
        Change::Set { interface, vlan, ip, mac, group, activates } => {
            let (keyword, active) = (keyword(*ip), super::active(*activates));
            let entry = format!("<{keyword}{active}><name>{ip}</name><mac>{mac}</mac></{keyword}>");
            (interface, vlan.as_str(), group, entry)
        }
        Change::Remove { interface, vlan, ip, group } => {
            let keyword = keyword(*ip);
            let entry = format!("<{keyword} delete=\"delete\"><name>{ip}</name></{keyword}>");
            (interface, vlan.as_ref().map_or("", |vlan| vlan.as_str()), group, entry)
        }
    }
}

/// The list that an address is in.
pub(super) const fn keyword(ip: BindableAddress) -> &'static str {
    if ip.is_v6() { "static-ipv6" } else { "static-ip" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_stands_in_its_own_list() {
        let set = |ip: &str| Change::Set {
            interface: "ge-0/0/1.0".parse().expect("a name"),
            vlan: "VLAN13".parse().expect("a name"),
            ip: ip.parse().expect("an address"),
            mac: "02:a1:00:00:00:01".parse().expect("a MAC"),
            group: None,
            activates: false,
        };
        let remove = Change::Remove {
            interface: "ge-0/0/1.0".parse().expect("a name"),
            vlan: Some("VLAN13".parse().expect("a name")),
            ip: "2001:db8::7".parse().expect("an address"),
            group: None,
        };
        let changes = [set("10.0.48.6"), set("2001:DB8::6"), remove];
        let rendered = render(&changes);
        insta::assert_snapshot!(rendered, @r#"<vlans><vlan><name>VLAN13</name><forwarding-options><dhcp-security><group><name>vmacd</name><interface><name>ge-0/0/1.0</name><static-ip><name>10.0.48.6</name><mac>02:a1:00:00:00:01</mac></static-ip><static-ipv6><name>2001:db8::6</name><mac>02:a1:00:00:00:01</mac></static-ipv6><static-ipv6 delete="delete"><name>2001:db8::7</name></static-ipv6></interface></group></dhcp-security></forwarding-options></vlan></vlans>"#);
        let configuration = format!("<configuration>{}</configuration>", render(&changes[..2]));
        let read = bindings(&Element::read(&configuration).expect("readable"));
        assert!(changes.iter().all(|change| change.is_held_by(&read)), "{read:?}");
    }

    #[test]
    fn the_group_of_a_port_and_what_is_inactive_above_it_are_read() {
        let text = "<configuration><vlans><vlan><name>cust a/1</name><forwarding-options><dhcp-security>\
             <group><name>servers</name><overrides><trusted/></overrides><interface><name>ge-0/0/1.0</name></interface></group>\
             <group inactive=\"inactive\"><name>old</name><interface><name>ge-0/0/2.0</name><static-ip><name>10.0.48.6</name>\
             <mac>02:00:00:00:00:01</mac></static-ip></interface></group></dhcp-security></forwarding-options></vlan></vlans>\
             </configuration>";
        let configuration = Element::read(text).expect("readable");
        let groups: Vec<_> = groups(&configuration).iter().map(|(v, i, g)| format!("{v}: {i} in {g}")).collect();
        assert_eq!(groups, ["cust a/1: ge-0/0/1.0 in servers", "cust a/1: ge-0/0/2.0 in old"]);
        let path = "vlans \"cust a/1\" forwarding-options dhcp-security group old";
        let read = bindings(&configuration);
        assert_eq!(read[0].inactive.as_ref().map(ToString::to_string), Some(format!("`{path}` is inactive")));
        let found = inactive(&configuration);
        assert!(matches!(&found[..], [only] if only.path == path), "{found:?}");
    }

    #[test]
    fn what_is_rendered_reads_back() {
        let change = Change::Set {
            interface: "ge-0/0/1.0".parse().expect("a name"),
            vlan: "VLAN13".parse().expect("a name"),
            ip: "10.0.48.6".parse().expect("an address"),
            mac: "02:a1:00:00:00:01".parse().expect("a MAC"),
            group: Some("a<b".to_owned()),
            activates: false,
        };
        insta::assert_snapshot!(render(std::slice::from_ref(&change)), @"<vlans><vlan><name>VLAN13</name><forwarding-options><dhcp-security><group><name>a&lt;b</name><interface><name>ge-0/0/1.0</name><static-ip><name>10.0.48.6</name><mac>02:a1:00:00:00:01</mac></static-ip></interface></group></dhcp-security></forwarding-options></vlan></vlans>");
        let configuration = format!("<configuration>{}</configuration>", render(std::slice::from_ref(&change)));
        let read = bindings(&Element::read(&configuration).expect("readable"));
        assert!(change.is_held_by(&read) && read[0].group.as_deref() == Some("a<b"), "{read:?}");
    }
}
