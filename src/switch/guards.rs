//! Whether a VLAN makes use of its bindings, from the configuration. Pure; both dialects.
//!
//! Statements: `ethernet-switching-options secure-access-port vlan V` (or `vlan all`) with `arp-inspection`,
//! `ip-source-guard` and `examine-dhcp` (non-ELS); `vlans V forwarding-options dhcp-security` with the first two, where
//! the hierarchy itself turns DHCP snooping on (ELS; JNPR "dhcp-security").

use super::netconf::Element;
use crate::domain::VlanName;

/// What is on for one VLAN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VlanGuards {
    /// The VLAN, or `all`.
    pub vlan: String,
    /// ARP that contradicts a binding is dropped.
    pub arp_inspection: bool,
    /// Traffic from a source that contradicts a binding is dropped.
    pub ip_source_guard: bool,
    /// DHCP is watched, which also keeps the table of bindings.
    pub examine_dhcp: bool,
}

impl VlanGuards {
    /// What is on for this VLAN by its own entry and by that for all VLANs.
    pub fn of(guards: &[Self], vlan: &VlanName) -> Self {
        let entries = guards.iter().filter(|entry| entry.vlan == vlan.as_str() || entry.vlan == "all");
        entries.fold(Self { vlan: vlan.to_string(), ..Self::default() }, |sum, entry| Self {
            arp_inspection: sum.arp_inspection || entry.arp_inspection,
            ip_source_guard: sum.ip_source_guard || entry.ip_source_guard,
            examine_dhcp: sum.examine_dhcp || entry.examine_dhcp,
            ..sum
        })
    }

    /// The statements that are on, and those that are off.
    pub fn sorted(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let all = [
            ("arp-inspection", self.arp_inspection),
            ("ip-source-guard", self.ip_source_guard),
            ("examine-dhcp", self.examine_dhcp),
        ];
        let (on, off): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, is_on)| *is_on);
        let names = |list: Vec<(&'static str, bool)>| list.into_iter().map(|(name, _)| name).collect();
        (names(on), names(off))
    }
}

pub(super) const FILTER: &str =
    "<ethernet-switching-options><secure-access-port><vlan/></secure-access-port></ethernet-switching-options><vlans/>";

pub(super) fn read(configuration: &Element) -> Vec<VlanGuards> {
    let non_els = configuration.active_child("ethernet-switching-options");
    let non_els = non_els.and_then(|options| options.active_child("secure-access-port"));
    let non_els = non_els.into_iter().flat_map(|ports| ports.active("vlan")).filter_map(|vlan| {
        let examine_dhcp = vlan.active_child("examine-dhcp").is_some();
        guards(vlan, vlan, examine_dhcp)
    });
    let vlans = configuration.active_child("vlans");
    let els = vlans.into_iter().flat_map(|vlans| vlans.active("vlan")).filter_map(|vlan| {
        let security = vlan.active_child("forwarding-options")?.active_child("dhcp-security")?;
        guards(vlan, security, true)
    });
    non_els.chain(els).collect()
}

fn guards(vlan: &Element, security: &Element, examine_dhcp: bool) -> Option<VlanGuards> {
    Some(VlanGuards {
        vlan: vlan.text_of("name")?.to_owned(),
        arp_inspection: security.active_child("arp-inspection").is_some(),
        ip_source_guard: security.active_child("ip-source-guard").is_some(),
        examine_dhcp,
    })
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
