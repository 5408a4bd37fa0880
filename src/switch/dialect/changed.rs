//! The subtrees that read back what was changed, so that a switch shows nothing else.
//!
//! Both dialects keep bindings in lists keyed by the address, within a port that is keyed by its name. A request may name
//! keys at each level (JNPR "Requesting an Individual Configuration Object"): the reply then has these entries and what
//! is above them, with the attributes `inactive` and `group` of both.

use std::collections::BTreeMap;

use quick_xml::escape::escape;

use super::els;
use crate::domain::plan::Change;
use crate::domain::{BindableAddress, Dialect};

/// VLAN, group and port: the containers of entries. Without ELS only the port counts.
type Place<'a> = (&'a str, &'a str, &'a str);

/// The subtree to ask for so that the reply holds the changed entries.
pub(in crate::switch) fn entries_filter(dialect: Dialect, changes: &[Change]) -> String {
    let mut places: BTreeMap<Place<'_>, String> = BTreeMap::new();
    for change in changes {
        let (Change::Set { ip, .. } | Change::Remove { ip, .. }) = change;
        let entry = named(keyword(dialect, *ip), &ip.to_string(), "");
        let entries = places.entry(place(dialect, change)).or_default();
        // An address that leaves one MAC for another is removed and set.
        if !entries.contains(&entry) {
            entries.push_str(&entry);
        }
    }
    filter(dialect, &places)
}

/// The subtree to ask for so that the reply holds every binding on the ports that are changed.
pub(in crate::switch) fn ports_filter(dialect: Dialect, changes: &[Change]) -> String {
    filter(dialect, &changes.iter().map(|change| (place(dialect, change), String::new())).collect())
}

fn filter(dialect: Dialect, places: &BTreeMap<Place<'_>, String>) -> String {
    match dialect {
        Dialect::NonEls => {
            let ports = places.iter().map(|((_, _, port), entries)| named("interface", port, entries));
            let ports = ports.collect::<String>();
            format!(
                "<ethernet-switching-options><secure-access-port>{ports}</secure-access-port></ethernet-switching-options>"
            )
        }
        Dialect::Els => {
            let places = places.iter().map(|((vlan, group, port), entries)| {
                let group = named("group", group, &named("interface", port, entries));
                let security =
                    format!("<forwarding-options><dhcp-security>{group}</dhcp-security></forwarding-options>");
                named("vlan", vlan, &security)
            });
            format!("<vlans>{}</vlans>", places.collect::<String>())
        }
    }
}

fn place(dialect: Dialect, change: &Change) -> Place<'_> {
    let (vlan, group, interface) = match change {
        Change::Set { vlan, group, interface, .. } => (vlan.as_str(), group, interface),
        Change::Remove { vlan, group, interface, .. } => {
            (vlan.as_ref().map_or("", |vlan| vlan.as_str()), group, interface)
        }
    };
    match dialect {
        Dialect::NonEls => ("", "", interface.as_str()),
        Dialect::Els => (vlan, group.as_deref().unwrap_or(els::GROUP), interface.as_str()),
    }
}

/// The list that an address is in; only ELS has one for IPv6.
const fn keyword(dialect: Dialect, ip: BindableAddress) -> &'static str {
    match dialect {
        Dialect::NonEls => "static-ip",
        Dialect::Els => els::keyword(ip),
    }
}

fn named(element: &str, name: &str, inside: &str) -> String {
    format!("<{element}><name>{}</name>{inside}</{element}>", escape(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(port: &str, ip: &str) -> Change {
        Change::Set {
            interface: port.parse().expect("a name"),
            vlan: "LAN".parse().expect("a name"),
            ip: ip.parse().expect("an address"),
            mac: "02:a1:00:00:00:01".parse().expect("a MAC"),
            group: None,
            activates: false,
        }
    }

    #[test]
    fn only_the_changed_entries_are_asked_for_and_each_once() {
        let removed = Change::Remove {
            interface: "ge-0/0/1.0".parse().expect("a name"),
            vlan: Some("LAN".parse().expect("a name")),
            ip: "10.0.0.1".parse().expect("an address"),
            group: None,
        };
        let changes = [removed, set("ge-0/0/1.0", "10.0.0.1"), set("ge-0/0/2.0", "10.0.0.3")];
        insta::assert_snapshot!(entries_filter(Dialect::NonEls, &changes), @"<ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name><static-ip><name>10.0.0.1</name></static-ip></interface><interface><name>ge-0/0/2.0</name><static-ip><name>10.0.0.3</name></static-ip></interface></secure-access-port></ethernet-switching-options>");
        let changes = [set("ge-0/0/1.0", "10.0.0.1"), set("ge-0/0/1.0", "2001:db8::1")];
        insta::assert_snapshot!(entries_filter(Dialect::Els, &changes), @"<vlans><vlan><name>LAN</name><forwarding-options><dhcp-security><group><name>vmacd</name><interface><name>ge-0/0/1.0</name><static-ip><name>10.0.0.1</name></static-ip><static-ipv6><name>2001:db8::1</name></static-ipv6></interface></group></dhcp-security></forwarding-options></vlan></vlans>");
    }

    #[test]
    fn of_the_ports_each_is_asked_for_once() {
        let changes = [set("ge-0/0/1.0", "10.0.0.1"), set("ge-0/0/1.0", "10.0.0.2"), set("ge-0/0/2.0", "10.0.0.3")];
        insta::assert_snapshot!(ports_filter(Dialect::NonEls, &changes), @"<ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name></interface><interface><name>ge-0/0/2.0</name></interface></secure-access-port></ethernet-switching-options>");
        insta::assert_snapshot!(ports_filter(Dialect::Els, &changes[..2]), @"<vlans><vlan><name>LAN</name><forwarding-options><dhcp-security><group><name>vmacd</name><interface><name>ge-0/0/1.0</name></interface></group></dhcp-security></forwarding-options></vlan></vlans>");
    }
}
