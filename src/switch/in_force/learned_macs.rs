//! The MACs that a switch has learned. Pure; both dialects.
//!
//! Non-ELS answers `get-ethernet-switching-table-information` with `mac-table-entry` elements (Juniper/py-junos-eznc,
//! op/ethernetswitchingtable.yml), where `*` stands for what floods; ELS with `l2ng-l2ald-mac-entry-vlan` or, briefly,
//! with `l2ng-mac-entry` in them (Juniper/yang, junos-ex-rpc-ethernet-switching).

use crate::domain::audit::LearnedMac;
use crate::switch::netconf::Element;

/// Where each dialect's entries have the MAC and the port.
const ENTRIES: &[(&str, &str, &[&str])] = &[
    ("mac-table-entry", "mac-address", &["mac-interface", "mac-interfaces"]),
    ("l2ng-l2ald-mac-entry-vlan", "l2ng-l2-mac-address", &["l2ng-l2-mac-logical-interface"]),
    ("l2ng-mac-entry", "l2ng-l2-mac-address", &["l2ng-l2-mac-logical-interface"]),
];
/// Where they say that the MAC stays (`persistent-learning`): in full, or by a letter among the flags.
const KINDS: [&str; 2] = ["mac-type", "l2ng-l2-mac-flags"];

/// What the reply holds; entries that are no MAC on a port are passed over.
pub(super) fn read(reply: &Element) -> Vec<LearnedMac> {
    let mut learned = Vec::new();
    reply.walk(&mut |element| {
        let form = ENTRIES.iter().find(|(name, ..)| *name == element.name);
        learned.extend(form.and_then(|(_, mac, ports)| entry(element, mac, ports)));
    });
    learned
}

fn entry(element: &Element, mac: &str, ports: &[&str]) -> Option<LearnedMac> {
    let port = ports.iter().find_map(|name| element.find(name)).map(|port| port.text.trim())?;
    let kept = KINDS.into_iter().filter_map(|kind| element.text_of(kind)).any(is_persistent);
    Some(LearnedMac { mac: element.text_of(mac)?.parse().ok()?, interface: port.parse().ok()?, kept })
}

fn is_persistent(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("persistent") || kind.split(',').any(|flag| flag.trim() == "P")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(xml: &str) -> Vec<String> {
        let reply = Element::read(xml).expect("a reply");
        read(&reply).iter().map(|learned| format!("{} {}", learned.mac, learned.interface)).collect()
    }

    #[test]
    fn the_older_table_is_read_without_what_floods() {
        let xml = "<ethernet-switching-table-information><ethernet-switching-table>
            <mac-table-entry><mac-vlan>VLAN.13</mac-vlan><mac-address>*</mac-address><mac-type>Flood</mac-type>
                <mac-interfaces-list><mac-interfaces>All-members</mac-interfaces></mac-interfaces-list></mac-table-entry>
            <mac-table-entry><mac-vlan>VLAN.13</mac-vlan><mac-address>02:5e:10:00:00:01</mac-address><mac-type>Learn</mac-type>
                <mac-interfaces-list><mac-interfaces>ge-0/0/1.0</mac-interfaces></mac-interfaces-list></mac-table-entry>
            <mac-table-entry><mac-address>00:11:22:33:44:55</mac-address><mac-interface>Router</mac-interface></mac-table-entry>
            </ethernet-switching-table></ethernet-switching-table-information>";
        assert_eq!(shown(xml), ["02:5e:10:00:00:01 ge-0/0/1.0"]);
    }

    #[test]
    fn the_newer_table_is_read_in_both_of_its_forms() {
        let flat = "<l2ng-l2ald-rtb-macdb><l2ng-l2ald-mac-entry-vlan><l2ng-l2-mac-address>02:5e:10:00:00:01</l2ng-l2-mac-address>
            <l2ng-l2-mac-logical-interface>ge-0/0/1.0</l2ng-l2-mac-logical-interface></l2ng-l2ald-mac-entry-vlan></l2ng-l2ald-rtb-macdb>";
        let nested =
            "<l2ng-l2ald-rtb-macdb><l2ng-l2ald-mac-entry-vlan><mac-count-global>1</mac-count-global><l2ng-mac-entry>
            <l2ng-l2-mac-address>02:5e:10:00:00:01</l2ng-l2-mac-address><l2ng-l2-mac-logical-interface>ge-0/0/1.0
            </l2ng-l2-mac-logical-interface></l2ng-mac-entry></l2ng-l2ald-mac-entry-vlan></l2ng-l2ald-rtb-macdb>";
        assert_eq!(shown(flat), ["02:5e:10:00:00:01 ge-0/0/1.0"]);
        assert_eq!(shown(nested), ["02:5e:10:00:00:01 ge-0/0/1.0"]);
    }
}
