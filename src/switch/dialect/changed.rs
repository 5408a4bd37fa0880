//! The subtree of the places that changes are made in, so that a switch shows no others.

use std::collections::BTreeSet;

use quick_xml::escape::escape;

use super::els;
use crate::domain::Dialect;
use crate::domain::plan::Change;

/// The subtree to ask for so that the reply holds every binding on the ports that are changed.
pub(in crate::switch) fn filter_of(dialect: Dialect, changes: &[Change]) -> String {
    match dialect {
        Dialect::NonEls => {
            let ports: BTreeSet<&str> = changes.iter().map(|change| place(change).2).collect();
            let ports = ports.iter().map(|port| named("interface", port, "")).collect::<String>();
            format!(
                "<ethernet-switching-options><secure-access-port>{ports}</secure-access-port></ethernet-switching-options>"
            )
        }
        Dialect::Els => {
            let places: BTreeSet<_> = changes.iter().map(place).collect();
            let places = places.iter().map(|(vlan, group, port)| {
                let group = named("group", group, &named("interface", port, ""));
                let security =
                    format!("<forwarding-options><dhcp-security>{group}</dhcp-security></forwarding-options>");
                named("vlan", vlan, &security)
            });
            format!("<vlans>{}</vlans>", places.collect::<String>())
        }
    }
}

/// VLAN, group and port.
fn place(change: &Change) -> (&str, &str, &str) {
    let (vlan, group, interface) = match change {
        Change::Set { vlan, group, interface, .. } => (vlan.as_str(), group, interface),
        Change::Remove { vlan, group, interface, .. } => {
            (vlan.as_ref().map_or("", |vlan| vlan.as_str()), group, interface)
        }
    };
    (vlan, group.as_deref().unwrap_or(els::GROUP), interface.as_str())
}

fn named(element: &str, name: &str, inside: &str) -> String {
    format!("<{element}><name>{}</name>{inside}</{element}>", escape(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_changed_places_are_asked_for_and_each_once() {
        let set = |port: &str, ip: &str| Change::Set {
            interface: port.parse().expect("a name"),
            vlan: "LAN".parse().expect("a name"),
            ip: ip.parse().expect("an address"),
            mac: "02:a1:00:00:00:01".parse().expect("a MAC"),
            group: None,
            activates: false,
        };
        let changes = [set("ge-0/0/1.0", "10.0.0.1"), set("ge-0/0/1.0", "10.0.0.2"), set("ge-0/0/2.0", "10.0.0.3")];
        insta::assert_snapshot!(filter_of(Dialect::NonEls, &changes), @"<ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name></interface><interface><name>ge-0/0/2.0</name></interface></secure-access-port></ethernet-switching-options>");
        insta::assert_snapshot!(filter_of(Dialect::Els, &changes[..2]), @"<vlans><vlan><name>LAN</name><forwarding-options><dhcp-security><group><name>vmacd</name><interface><name>ge-0/0/1.0</name></interface></group></dhcp-security></forwarding-options></vlan></vlans>");
    }
}
