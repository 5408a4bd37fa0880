//! Whether a VLAN makes use of its bindings, from the configuration. Pure; both dialects.
//!
//! Statements: `ethernet-switching-options secure-access-port vlan V` (or `vlan all`) with `arp-inspection`,
//! `ip-source-guard` and `examine-dhcp`, each also with `no-` before it (non-ELS); `vlans V forwarding-options dhcp-security`
//! with the first two and, for IPv6, `neighbor-discovery-inspection` and `ipv6-source-guard`, where the hierarchy itself
//! turns DHCP snooping on (ELS; JNPR "dhcp-security").

use crate::domain::in_force::Guards;
use crate::domain::{BindableAddress, VlanName};
use crate::switch::netconf::Element;

/// What is said of one VLAN: of each guard none where nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VlanGuards {
    /// The VLAN, or `all`.
    pub vlan: String,
    /// ARP that contradicts a binding is dropped.
    pub arp_inspection: Option<bool>,
    /// Traffic from a source that contradicts a binding is dropped.
    pub ip_source_guard: Option<bool>,
    /// DHCP is watched, which also keeps the table of bindings.
    pub examine_dhcp: Option<bool>,
    /// As ARP inspection, for IPv6.
    pub neighbor_discovery_inspection: Option<bool>,
    /// As IP source guard, for IPv6.
    pub ipv6_source_guard: Option<bool>,
}

impl VlanGuards {
    /// What is said of this VLAN by its own entries, else by that for all VLANs.
    pub fn of(guards: &[Self], vlan: &VlanName) -> Self {
        let of = |name: &str| {
            let entries = guards.iter().filter(|entry| entry.vlan == name);
            entries.fold(Self::default(), |sum, entry| sum.or(entry))
        };
        Self { vlan: vlan.to_string(), ..of(vlan.as_str()).or(&of("all")) }
    }

    fn or(self, other: &Self) -> Self {
        Self {
            arp_inspection: self.arp_inspection.or(other.arp_inspection),
            ip_source_guard: self.ip_source_guard.or(other.ip_source_guard),
            examine_dhcp: self.examine_dhcp.or(other.examine_dhcp),
            neighbor_discovery_inspection: self.neighbor_discovery_inspection.or(other.neighbor_discovery_inspection),
            ipv6_source_guard: self.ipv6_source_guard.or(other.ipv6_source_guard),
            vlan: self.vlan,
        }
    }

    /// The statements that are on, and those that are off.
    pub fn sorted(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let all = [
            ("arp-inspection", self.arp_inspection),
            ("ip-source-guard", self.ip_source_guard),
            ("examine-dhcp", self.examine_dhcp),
        ];
        let (on, off): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, is_on)| *is_on == Some(true));
        let names = |list: Vec<(&'static str, Option<bool>)>| list.into_iter().map(|(name, _)| name).collect();
        (names(on), names(off))
    }

    /// The guards that go by the binding of such an address.
    pub(in crate::switch) fn for_address(&self, ip: BindableAddress) -> Guards {
        let (sources, inspection) = match ip.ip().is_ipv6() {
            true => (self.ipv6_source_guard, self.neighbor_discovery_inspection),
            false => (self.ip_source_guard, self.arp_inspection),
        };
        Guards { sources: sources == Some(true), inspection: inspection == Some(true) }
    }
}

pub(in crate::switch) const FILTER: &str =
    "<ethernet-switching-options><secure-access-port><vlan/></secure-access-port></ethernet-switching-options><vlans/>";

pub(in crate::switch) fn read(configuration: &Element) -> Vec<VlanGuards> {
    let non_els = configuration.active_child("ethernet-switching-options");
    let non_els = non_els.and_then(|options| options.active_child("secure-access-port"));
    let non_els = non_els.into_iter().flat_map(|ports| ports.active("vlan"));
    let non_els = non_els.filter_map(|vlan| guards(vlan, vlan, said(vlan, "examine-dhcp", "no-examine-dhcp")));
    let vlans = configuration.active_child("vlans");
    let els = vlans.into_iter().flat_map(|vlans| vlans.active("vlan")).filter_map(|vlan| {
        let security = vlan.active_child("forwarding-options")?.active_child("dhcp-security")?;
        guards(vlan, security, Some(security.active_child("no-dhcp-snooping").is_none()))
    });
    non_els.chain(els).collect()
}

fn guards(vlan: &Element, security: &Element, examine_dhcp: Option<bool>) -> Option<VlanGuards> {
    Some(VlanGuards {
        vlan: vlan.text_of("name")?.to_owned(),
        arp_inspection: said(security, "arp-inspection", "no-arp-inspection"),
        ip_source_guard: said(security, "ip-source-guard", "no-ip-source-guard"),
        examine_dhcp,
        neighbor_discovery_inspection: said(
            security,
            "neighbor-discovery-inspection",
            "no-neighbor-discovery-inspection",
        ),
        ipv6_source_guard: said(security, "ipv6-source-guard", "no-ipv6-source-guard"),
    })
}

fn said(element: &Element, on: &str, off: &str) -> Option<bool> {
    let is_there = |name| element.active_child(name).is_some();
    if is_there(on) { Some(true) } else { is_there(off).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = "<configuration><ethernet-switching-options><secure-access-port>
        <vlan><name>all</name><examine-dhcp/></vlan>
        <vlan><name>V1</name><arp-inspection/><ip-source-guard/></vlan>
        </secure-access-port></ethernet-switching-options>
        <vlans><vlan><name>V2</name><forwarding-options><dhcp-security><arp-inspection/></dhcp-security>
        </forwarding-options></vlan><vlan><name>V3</name></vlan></vlans></configuration>";

    #[test]
    fn guards_of_both_dialects_are_read_and_those_of_all_vlans_count_for_each() {
        let guards = read(&Element::read(CONFIGURATION).expect("readable"));
        let on = |vlan: &str| VlanGuards::of(&guards, &vlan.parse().expect("a name")).sorted().0;
        assert_eq!(on("V1"), ["arp-inspection", "ip-source-guard", "examine-dhcp"]);
        assert_eq!(on("V2"), ["arp-inspection", "examine-dhcp"]);
        assert_eq!(on("V3"), ["examine-dhcp"]);
    }

    #[test]
    fn a_vlan_may_be_taken_out_of_what_holds_for_all() {
        let configuration = "<configuration><ethernet-switching-options><secure-access-port><vlan><name>all</name>\
            <arp-inspection/><examine-dhcp/></vlan><vlan><name>V1</name><no-arp-inspection/></vlan></secure-access-port>\
            </ethernet-switching-options></configuration>";
        let guards = read(&Element::read(configuration).expect("readable"));
        let on = |vlan: &str| VlanGuards::of(&guards, &vlan.parse().expect("a name")).sorted().0;
        assert_eq!((on("V1"), on("V2")), (vec!["examine-dhcp"], vec!["arp-inspection", "examine-dhcp"]));
    }

    #[test]
    fn what_is_inactive_is_off() {
        let inactive = |of: &str| CONFIGURATION.replacen(of, &of.replace('>', " inactive=\"inactive\">"), 1);
        let on = |configuration: &str, vlan: &str| {
            let guards = read(&Element::read(configuration).expect("readable"));
            VlanGuards::of(&guards, &vlan.parse().expect("a name")).sorted().0
        };
        let guard = CONFIGURATION.replace("<ip-source-guard/>", "<ip-source-guard inactive=\"inactive\"/>");
        assert_eq!(on(&guard, "V1"), ["arp-inspection", "examine-dhcp"]);
        assert!(on(&inactive("<secure-access-port>"), "V1").is_empty());
        assert!(!on(&inactive("<secure-access-port>"), "V2").is_empty());
        assert_eq!(on(&inactive("<dhcp-security>"), "V2"), ["examine-dhcp"], "by the entry for all");
    }
}
