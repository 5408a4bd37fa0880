//! `vlans NAME forwarding-options dhcp-security group G interface I static-ip A mac M`, and `static-ipv6 A mac M` beside
//! it for IPv6.
//!
//! The schema (YANG of 17.4R1 for EX, the same in 24.4R0: <https://github.com/Juniper/yang>): the VLAN is the container,
//! `static-ip` and `static-ipv6` are two lists keyed by the address, `mac` is mandatory in both, a group's name has 1 to 64
//! characters. Releases older than the statement refuse it at load.

use std::collections::BTreeMap;

use quick_xml::escape::escape;

use crate::domain::plan::{Change, PresentBinding};
use crate::domain::{BindableAddress, InterfaceName};
use crate::switch::netconf::Element;

pub(super) const FILTER: &str =
    "<vlans><vlan><name/><forwarding-options><dhcp-security/></forwarding-options></vlan></vlans>";

/// The group that new bindings go into where the port has none in the VLAN.
const GROUP: &str = "vmacd";

pub(super) fn bindings(configuration: &Element) -> Vec<PresentBinding> {
    let mut bindings = Vec::new();
    for vlan in configuration.child("vlans").into_iter().flat_map(|vlans| vlans.all("vlan")) {
        let security = vlan.child("forwarding-options").and_then(|options| options.child("dhcp-security"));
        for group in security.into_iter().flat_map(|security| security.all("group")) {
            for interface in group.all("interface") {
                let entries = interface.all("static-ip").chain(interface.all("static-ipv6"));
                bindings.extend(entries.filter_map(|entry| binding(vlan, group, interface, entry)));
            }
        }
    }
    bindings
}

fn binding(vlan: &Element, group: &Element, interface: &Element, entry: &Element) -> Option<PresentBinding> {
    Some(PresentBinding {
        interface: interface.text_of("name")?.parse().ok()?,
        ip: entry.text_of("name")?.parse().ok()?,
        vlan: vlan.text_of("name")?.parse().ok(),
        mac: entry.text_of("mac")?.parse().ok()?,
        group: group.text_of("name").map(str::to_owned),
    })
}

pub(super) fn render(changes: &[Change]) -> String {
    // VLAN, group, interface: the containers that an entry stands in.
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
        Change::Set { interface, vlan, ip, mac, group } => {
            let keyword = keyword(*ip);
            let entry = format!("<{keyword}><name>{ip}</name><mac>{mac}</mac></{keyword}>");
            (interface, vlan.as_str(), group, entry)
        }
        Change::Remove { interface, vlan, ip, group } => {
            let keyword = keyword(*ip);
            let entry = format!("<{keyword} delete=\"delete\"><name>{ip}</name></{keyword}>");
            (interface, vlan.as_ref().map_or("", |vlan| vlan.as_str()), group, entry)
        }
    }
}

/// The list that an address stands in.
const fn keyword(ip: BindableAddress) -> &'static str {
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
    fn what_is_rendered_reads_back() {
        let change = Change::Set {
            interface: "ge-0/0/1.0".parse().expect("a name"),
            vlan: "VLAN13".parse().expect("a name"),
            ip: "10.0.48.6".parse().expect("an address"),
            mac: "02:a1:00:00:00:01".parse().expect("a MAC"),
            group: Some("a<b".to_owned()),
        };
        insta::assert_snapshot!(render(std::slice::from_ref(&change)), @"<vlans><vlan><name>VLAN13</name><forwarding-options><dhcp-security><group><name>a&lt;b</name><interface><name>ge-0/0/1.0</name><static-ip><name>10.0.48.6</name><mac>02:a1:00:00:00:01</mac></static-ip></interface></group></dhcp-security></forwarding-options></vlan></vlans>");
        let configuration = format!("<configuration>{}</configuration>", render(std::slice::from_ref(&change)));
        let read = bindings(&Element::read(&configuration).expect("readable"));
        assert!(change.is_held_by(&read) && read[0].group.as_deref() == Some("a<b"), "{read:?}");
    }
}
