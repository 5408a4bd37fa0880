//! The table of bindings that a switch has in force, static ones included. Pure; both dialects.
//!
//! Non-ELS answers `get-dhcp-snoop-binding` (`show dhcp snooping binding`; the method table of Juniper/netconf-perl) with
//! `dhcp-snooping-information` elements: `dhcp-ip`, `dhcp-mac`, `dhcp-vlan`, `dhcp-type`, `dhcp-interface`, as a public
//! PyEZ table for EX reads them. ELS answers `get-dhcp-security-binding` with `dhcp-security-entry` elements: `ip-address`,
//! `hw-address`, `vlan-name`, `state`, `intf-name` (Juniper/yang, junos-ex-rpc-dhcp-security; a reply of 24.4R2).

use super::netconf::Element;
use crate::domain::Dialect;
use crate::domain::evidence::{EvidenceTable, TableEntry};

/// The request for the table.
pub(super) const fn request(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Els => "<get-dhcp-security-binding/>",
        Dialect::NonEls => "<get-dhcp-snoop-binding/>",
    }
}

/// Each dialect's table, its entry, and where that has address, MAC and port.
const ENTRIES: &[(EvidenceTable, &str, [&str; 3])] = &[
    (EvidenceTable::DhcpSnooping, "dhcp-snooping-information", ["dhcp-ip", "dhcp-mac", "dhcp-interface"]),
    (EvidenceTable::DhcpSecurity, "dhcp-security-entry", ["ip-address", "hw-address", "intf-name"]),
];

/// What the reply holds; entries that cannot be read prove nothing and are passed over.
pub(super) fn read(reply: &Element) -> Vec<TableEntry> {
    let mut entries = Vec::new();
    reply.walk(&mut |element| {
        let form = ENTRIES.iter().find(|(_, name, _)| *name == element.name);
        entries.extend(form.and_then(|(table, _, names)| entry(element, *table, names)));
    });
    entries
}

fn entry(element: &Element, table: EvidenceTable, [ip, mac, interface]: &[&str; 3]) -> Option<TableEntry> {
    let text = |name: &str| element.text_of(name).map(str::trim);
    let ip = Some(text(ip)?.parse().ok()?);
    Some(TableEntry { table, ip, mac: text(mac)?.parse().ok()?, interface: text(interface)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(xml: &str) -> Vec<String> {
        let reply = Element::read(xml).expect("a reply");
        let line = |entry: &TableEntry| {
            let ip = entry.ip.expect("an address");
            format!("{} {ip} {} {}", entry.table.as_str(), entry.mac, entry.interface)
        };
        read(&reply).iter().map(line).collect()
    }

    #[test]
    fn both_tables_are_read_and_what_is_no_entry_is_passed_over() {
        let non_els = "<dhcp-snooping><dhcp-snooping-information><dhcp-vlan>VLAN.13</dhcp-vlan>
            <dhcp-mac>02:5E:10:00:00:01</dhcp-mac><dhcp-ip>10.0.0.6</dhcp-ip><dhcp-lease>-</dhcp-lease>
            <dhcp-type>static</dhcp-type><dhcp-interface>ge-0/0/1.0</dhcp-interface></dhcp-snooping-information>
            <dhcp-snooping-information><dhcp-mac>?</dhcp-mac></dhcp-snooping-information></dhcp-snooping>";
        assert_eq!(told(non_els), ["dhcp-snooping 10.0.0.6 02:5e:10:00:00:01 ge-0/0/1.0"]);
        let els = "<dhcp-security-binding><dhcp-security-entries><dhcp-security-entry><ip-address>10.0.0.6</ip-address>
            <hw-address>02:5e:10:00:00:01</hw-address><vlan-name>VLAN13</vlan-name><lease-expiry>0</lease-expiry>
            <state>STATIC</state><intf-name>ge-0/0/1.0</intf-name></dhcp-security-entry></dhcp-security-entries></dhcp-security-binding>";
        assert_eq!(told(els), ["dhcp-security 10.0.0.6 02:5e:10:00:00:01 ge-0/0/1.0"]);
        assert_eq!(told("<dhcp-security-binding/>"), Vec::<String>::new());
    }
}
