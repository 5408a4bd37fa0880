//! The tables of bindings that a switch itself goes by. Pure; both dialects.
//!
//! Non-ELS answers `get-dhcp-snoop-binding` with `dhcp-snooping` and `get-ip-source-guard-information` with `ip-source-guard`
//! (Juniper's method list for JUNOScript); ELS `get-dhcp-security-binding` with `dhcp-security-entry` elements, and
//! `get-dhcp-security-ip-source-guard` and `get-dhcpv6-security-binding` beside it (Juniper/yang, junos-ex-rpc-dhcp-security).
//! The names within an entry differ between them and are not known of all, so an entry is whatever has an address, a MAC and
//! a port.

use std::str::FromStr;

use crate::domain::Dialect;
use crate::domain::evidence::{EvidenceTable, TableEntry};
use crate::switch::netconf::Element;

/// Each table of the dialect with the request for it: what IP source guard goes by, the bindings of IPv4 addresses, and,
/// where there is one, those of IPv6 addresses.
pub(super) struct Requests {
    pub source_guard: &'static str,
    pub bindings: (EvidenceTable, &'static str),
    pub bindings_v6: Option<&'static str>,
}

pub(super) const fn requests(dialect: Dialect) -> Requests {
    match dialect {
        Dialect::Els => Requests {
            source_guard: "<get-dhcp-security-ip-source-guard/>",
            bindings: (EvidenceTable::DhcpSecurity, "<get-dhcp-security-binding/>"),
            bindings_v6: Some("<get-dhcpv6-security-binding/>"),
        },
        Dialect::NonEls => Requests {
            source_guard: "<get-ip-source-guard-information/>",
            bindings: (EvidenceTable::DhcpSnooping, "<get-dhcp-snoop-binding/>"),
            bindings_v6: None,
        },
    }
}

/// What the reply holds; entries that cannot be read prove nothing and are passed over.
pub(super) fn read(reply: &Element) -> Vec<TableEntry> {
    let mut entries = Vec::new();
    reply.walk(&mut |element| entries.extend(entry(element)));
    entries
}

fn entry(element: &Element) -> Option<TableEntry> {
    let mac = text_ending(element, &["mac", "mac-address", "hw-address"])?;
    let ip = text_ending(element, &["ip", "ip-address", "ipv6-address", "address"])?;
    Some(TableEntry { ip, mac, interface: text_ending(element, &["interface", "interface-name", "intf-name"])? })
}

/// The first child whose name ends with one of these and whose text parses as `T`.
fn text_ending<T: FromStr>(element: &Element, ends: &[&str]) -> Option<T> {
    let is_named = |name: &str| {
        ends.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('-')))
    };
    element.children.iter().filter(|child| is_named(&child.name)).find_map(|child| child.text.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(xml: &str) -> Vec<String> {
        let reply = Element::read(xml).expect("a reply");
        read(&reply).iter().map(|entry| format!("{} {} {}", entry.ip, entry.mac, entry.interface)).collect()
    }

    #[test]
    fn all_tables_are_read_and_what_is_no_entry_is_passed_over() {
        let non_els = "<dhcp-snooping><dhcp-snooping-information><dhcp-vlan>VLAN.13</dhcp-vlan>
            <dhcp-mac>02:5E:10:00:00:01</dhcp-mac><dhcp-ip>10.0.0.6</dhcp-ip><dhcp-lease>-</dhcp-lease>
            <dhcp-type>static</dhcp-type><dhcp-interface>ge-0/0/1.0</dhcp-interface></dhcp-snooping-information>
            <dhcp-snooping-information><dhcp-mac>?</dhcp-mac></dhcp-snooping-information></dhcp-snooping>";
        assert_eq!(shown(non_els), ["10.0.0.6 02:5e:10:00:00:01 ge-0/0/1.0"]);
        let els = "<dhcp-security-binding><dhcp-security-entries><dhcp-security-entry><ip-address>10.0.0.6</ip-address>
            <hw-address>02:5e:10:00:00:01</hw-address><vlan-name>VLAN13</vlan-name><lease-expiry>0</lease-expiry>
            <state>STATIC</state><intf-name>ge-0/0/1.0</intf-name></dhcp-security-entry></dhcp-security-entries></dhcp-security-binding>";
        assert_eq!(shown(els), ["10.0.0.6 02:5e:10:00:00:01 ge-0/0/1.0"]);
        let guard = "<ip-source-guard><ip-source-guard-entry><interface-name>ge-0/0/1.0</interface-name><vlan-tag>0</vlan-tag>
            <ip-address>10.0.0.6</ip-address><mac-address>02:5e:10:00:00:01</mac-address><vlan-name>V</vlan-name></ip-source-guard-entry>
            <ip-source-guard-entry><interface-name>ge-0/0/2.0</interface-name><ip-address>*</ip-address><mac-address>*</mac-address>
            </ip-source-guard-entry></ip-source-guard>";
        assert_eq!(shown(guard), ["10.0.0.6 02:5e:10:00:00:01 ge-0/0/1.0"]);
        assert_eq!(shown("<dhcp-security-binding/>"), Vec::<String>::new());
    }
}
