//! How the configuration guards a port: which guards of its VLAN are on, what keeps them from the port, and which MACs it
//! lets in. Pure; both dialects. What is inactive counts nowhere.
//!
//! Statements: non-ELS `ethernet-switching-options secure-access-port interface I` (or `all`) with `dhcp-trusted`,
//! `mac-limit { N; action A; }`, also below `vlan V`, `allowed-mac` and `persistent-learning`; ELS `vlans V forwarding-options
//! dhcp-security group G { overrides trusted; interface I; }` and `interface-mac-limit { N; packet-action A; }` in
//! `switch-options` and `vlans V switch-options`, for a port or for all. A full non-ELS port drops what is new unless the
//! action says otherwise, a full ELS one lets it pass unless the action says otherwise (JNPR "mac-limit", "interface-mac-limit").

use std::collections::BTreeSet;

use quick_xml::escape::escape;

use super::guards::{self, VlanGuards};
use crate::domain::InterfaceName;
use crate::domain::in_force::{AskedBinding, Exempt, MacLimit, PortGuard};
use crate::switch::netconf::Element;
use crate::switch::vlans;

/// Actions of a full port that drop nothing.
const HARMLESS: [&str; 2] = ["log", "none"];

/// The subtree to ask for: these ports, and the VLANs of these bindings.
pub(super) fn filter(bindings: &[AskedBinding]) -> String {
    let ports: BTreeSet<&InterfaceName> = bindings.iter().map(|binding| &binding.interface).collect();
    let physical: BTreeSet<&str> = ports.iter().map(|port| port.physical()).collect();
    let interface = |name: &str| format!("<interface><name>{name}</name></interface>");
    let interfaces: String = physical.into_iter().map(interface).collect();
    let entries: String = vlans::entry_names(ports.into_iter()).iter().map(|name| interface(name)).collect();
    let names: BTreeSet<&str> =
        bindings.iter().filter_map(|binding| binding.vlan.as_ref()).map(|vlan| vlan.as_str()).collect();
    let vlans: String = names.into_iter().map(|name| format!("<vlan><name>{}</name></vlan>", escape(name))).collect();
    let vlans = if vlans.is_empty() { vlans } else { format!("<vlans>{vlans}</vlans>") };
    format!(
        "<interfaces>{interfaces}<interface-range/></interfaces>{vlans}<switch-options/><ethernet-switching-options>\
         <secure-access-port>{entries}{all}<vlan/></secure-access-port></ethernet-switching-options>",
        all = interface("all"),
    )
}

/// What a reply says of the port of a binding.
pub(super) fn read(configuration: &Element, binding: &AskedBinding) -> PortGuard {
    let statements = Statements::of(configuration, binding);
    let entries = guards::read(configuration);
    let vlan = binding.vlan.as_ref().map(|vlan| VlanGuards::of(&entries, vlan).for_address(binding.ip));
    let mode = vlans::mode(configuration.active_child("interfaces"), &binding.interface);
    PortGuard {
        vlan,
        exempt: statements.exempt(binding, mode == "trunk"),
        allowed: statements.allowed().collect(),
        limit: statements.limits(binding).min_by_key(|limit| limit.macs),
        keeps: statements.keeps(),
    }
}

/// Where something is said of one port.
struct Statements<'a> {
    /// Its own entry of `secure-access-port`, then that for all ports.
    entries: Vec<&'a Element>,
    /// Its `dhcp-security` group, and that group's name.
    group: Option<(&'a Element, &'a str)>,
    /// Each `switch-options` with its path: of the VLAN, then of the switch.
    options: Vec<(&'a Element, String)>,
    port: &'a InterfaceName,
}

impl<'a> Statements<'a> {
    fn of(configuration: &'a Element, binding: &'a AskedBinding) -> Self {
        let port = &binding.interface;
        let secured = configuration.active_child("ethernet-switching-options");
        let secured = secured.and_then(|options| options.active_child("secure-access-port"));
        let entries = || secured.into_iter().flat_map(|secured| secured.active("interface"));
        let of_all = entries().filter(|entry| entry.text_of("name") == Some("all"));
        let own = entries().filter(|entry| is_port(entry, port));
        let vlan = binding.vlan.as_ref();
        let vlan = configuration
            .active_child("vlans")
            .into_iter()
            .flat_map(|vlans| vlans.active("vlan"))
            .find(|its| vlan.is_some_and(|vlan| its.text_of("name") == Some(vlan.as_str())));
        let of_vlan = vlan.and_then(|vlan| vlan.active_child("switch-options"));
        let of_vlan = of_vlan.zip(binding.vlan.as_ref()).map(|(of, vlan)| (of, format!("vlans {vlan} switch-options")));
        let of_switch = configuration.active_child("switch-options").map(|of| (of, "switch-options".to_owned()));
        Self {
            entries: own.chain(of_all).collect(),
            group: vlan.and_then(|vlan| group_of(vlan, port)),
            options: of_vlan.into_iter().chain(of_switch).collect(),
            port,
        }
    }

    /// A port's own entry outranks that for all.
    fn exempt(&self, binding: &AskedBinding, trunk: bool) -> Option<Exempt> {
        let of_entry =
            |entry: &&Element| match (entry.active_child("dhcp-trusted"), entry.active_child("no-dhcp-trusted")) {
                (Some(_), _) => {
                    Some(Some(format!("interface {} dhcp-trusted", entry.text_of("name").unwrap_or_default())))
                }
                (None, Some(_)) => Some(None),
                (None, None) => None,
            };
        let of_group = || {
            let (group, name) = self.group?;
            let overrides = group.active_child("overrides")?;
            let vlan = binding.vlan.as_ref()?;
            match (overrides.active_child("trusted"), overrides.active_child("untrusted")) {
                (Some(_), _) => {
                    Some(Some(format!("vlans {vlan} forwarding-options dhcp-security group {name} overrides trusted")))
                }
                (None, Some(_)) => Some(None),
                (None, None) => None,
            }
        };
        match self.entries.iter().find_map(of_entry).or_else(of_group) {
            Some(Some(statement)) => Some(Exempt::Trusted(statement)),
            said => trunk.then_some(Exempt::Trunk { untrusted: said.is_some() }),
        }
    }

    /// In XML each is an element of its own, with or without a name in it.
    fn allowed(&self) -> impl Iterator<Item = crate::domain::Mac> {
        let macs = self.entries.first().into_iter().flat_map(|entry| entry.active("allowed-mac"));
        macs.filter_map(|mac| mac.text_of("name").unwrap_or_else(|| mac.text.trim()).parse().ok())
    }

    fn keeps(&self) -> bool {
        let in_options = self.options.iter().flat_map(|(options, _)| options.active("interface"));
        let of_port = in_options.filter(|entry| is_port(entry, self.port));
        self.entries.iter().copied().chain(of_port).any(|entry| entry.active_child("persistent-learning").is_some())
    }

    fn limits(&self, binding: &AskedBinding) -> impl Iterator<Item = MacLimit> {
        let own = self.entries.iter().find_map(|entry| match entry.active_child("no-mac-limit") {
            Some(_) => Some(None),
            None => entry.active_child("mac-limit").map(Some),
        });
        let of_vlan = self.entries.iter().flat_map(|entry| entry.active("vlan")).filter_map(|vlan| {
            let is_its = binding.vlan.as_ref().is_some_and(|its| vlan.text_of("name") == Some(its.as_str()));
            vlan.active_child("mac-limit").filter(|_| is_its)
        });
        let non_els = own.flatten().into_iter().chain(of_vlan).filter_map(|limit| {
            let drops = limit.text_of("action").is_none_or(|action| !HARMLESS.contains(&action));
            let macs = count(limit)?;
            let statement = format!("mac-limit {macs} on interface {}", self.port);
            drops.then_some(MacLimit { macs, statement })
        });
        let els = self.options.iter().flat_map(|(options, path)| {
            let of_port = options.active("interface").filter(|entry| is_port(entry, self.port));
            let limits =
                of_port.chain(std::iter::once(*options)).filter_map(|of| of.active_child("interface-mac-limit"));
            limits.filter_map(move |limit| {
                let drops = limit.text_of("packet-action").is_some_and(|action| !HARMLESS.contains(&action));
                let macs = count(limit)?;
                (drops && limit.active_child("disable").is_none())
                    .then(|| MacLimit { macs, statement: format!("{path} interface-mac-limit {macs}") })
            })
        });
        non_els.chain(els)
    }
}

fn count(limit: &Element) -> Option<usize> {
    limit.text_of("limit").unwrap_or_else(|| limit.text.trim()).parse().ok()
}

fn is_port(entry: &Element, port: &InterfaceName) -> bool {
    entry
        .text_of("name")
        .and_then(|name| name.parse::<InterfaceName>().ok())
        .is_some_and(|name| name.same_interface(port))
}

fn group_of<'a>(vlan: &'a Element, port: &InterfaceName) -> Option<(&'a Element, &'a str)> {
    let security = vlan.active_child("forwarding-options")?.active_child("dhcp-security")?;
    let mut groups =
        security.active("group").filter(|group| group.active("interface").any(|entry| is_port(entry, port)));
    groups.next().and_then(|group| Some((group, group.text_of("name")?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::in_force::Guards;

    fn binding() -> AskedBinding {
        AskedBinding {
            ip: "10.0.0.6".parse().expect("an address"),
            mac: "02:5e:10:00:00:01".parse().expect("a MAC"),
            interface: "ge-0/0/1.0".parse().expect("a port"),
            vlan: Some("V 1".parse().expect("a VLAN")),
            has_other_ports: false,
        }
    }

    /// The guard of the port, of a switch with this inside its configuration.
    fn guard(inside: &str) -> PortGuard {
        read(&Element::read(&format!("<configuration>{inside}</configuration>")).expect("readable"), &binding())
    }

    fn secured(entries: &str) -> PortGuard {
        guard(&format!(
            "<ethernet-switching-options><secure-access-port>{entries}</secure-access-port></ethernet-switching-options>"
        ))
    }

    fn els(security: &str) -> PortGuard {
        guard(&format!(
            "<vlans><vlan><name>V 1</name><forwarding-options><dhcp-security>{security}</dhcp-security></forwarding-options>\
             </vlan></vlans>"
        ))
    }

    fn limit(guard: &PortGuard) -> Option<usize> {
        guard.limit.as_ref().map(|limit| limit.macs)
    }

    #[test]
    fn the_ports_own_entry_outranks_that_for_all() {
        let all = "<interface><name>all</name><dhcp-trusted/><mac-limit><limit>4</limit><action>drop</action></mac-limit></interface>";
        let own = |inside: &str| format!("{all}<interface><name>ge-0/0/1</name>{inside}</interface>");
        let of_all = secured(all);
        assert_eq!(of_all.exempt, Some(Exempt::Trusted("interface all dhcp-trusted".to_owned())));
        assert_eq!(limit(&of_all), Some(4));
        let of_own = secured(&own(
            "<no-dhcp-trusted/><no-mac-limit/><allowed-mac>02:5e:10:00:00:01</allowed-mac><persistent-learning/>",
        ));
        assert_eq!((of_own.exempt.clone(), limit(&of_own), of_own.keeps), (None, None, true));
        assert_eq!(of_own.allowed, [binding().mac]);
        assert_eq!(
            limit(&secured(&own("<mac-limit><limit>2</limit></mac-limit>"))),
            Some(2),
            "it drops unless it says otherwise"
        );
        assert_eq!(limit(&secured(&own("<mac-limit><limit>2</limit><action>log</action></mac-limit>"))), None);
        let inactive = secured(&own("<dhcp-trusted inactive=\"inactive\"/><no-dhcp-trusted/>"));
        assert_eq!(inactive.exempt, None);
    }

    #[test]
    fn a_group_may_be_trusted_and_a_vlan_or_the_switch_limit_macs() {
        let group = |overrides: &str| {
            els(&format!(
                "<ip-source-guard/><group><name>g</name>{overrides}<interface><name>ge-0/0/1.0</name></interface></group>"
            ))
        };
        assert_eq!(group("").vlan, Some(Guards { sources: true, inspection: false }));
        assert_eq!(group("").exempt, None);
        let statement = "vlans V 1 forwarding-options dhcp-security group g overrides trusted".to_owned();
        assert_eq!(group("<overrides><trusted/></overrides>").exempt, Some(Exempt::Trusted(statement)));
        let options = |inside: &str| limit(&guard(&format!("<switch-options>{inside}</switch-options>")));
        let limited = |action: &str| {
            options(&format!(
                "<interface><name>ge-0/0/1.0</name><interface-mac-limit><limit>1</limit>{action}</interface-mac-limit></interface>"
            ))
        };
        assert_eq!(limited("<packet-action>drop</packet-action>"), Some(1));
        assert_eq!(limited(""), None, "what is new passes unless it says otherwise");
        let of_all =
            "<interface-mac-limit><limit>3</limit><packet-action>shutdown</packet-action></interface-mac-limit>";
        assert_eq!(options(of_all), Some(3));
    }

    #[test]
    fn a_trunk_is_one_by_its_unit_or_its_range_and_may_be_untrusted() {
        let unit = "<unit><name>0</name><family><ethernet-switching><port-mode>trunk</port-mode></ethernet-switching></family></unit>";
        let own = format!("<interfaces><interface><name>ge-0/0/1</name>{unit}</interface></interfaces>");
        let range = format!(
            "<interfaces><interface-range><name>r</name><member>ge-0/0/*</member>{unit}</interface-range></interfaces>"
        );
        assert_eq!(guard(&own).exempt, Some(Exempt::Trunk { untrusted: false }));
        assert_eq!(guard(&range).exempt, Some(Exempt::Trunk { untrusted: false }));
        let untrusted = "<ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name><no-dhcp-trusted/>\
            </interface></secure-access-port></ethernet-switching-options>";
        assert_eq!(guard(&(own + untrusted)).exempt, Some(Exempt::Trunk { untrusted: true }));
    }

    #[test]
    fn what_is_asked_for_is_the_ports_and_the_vlans() {
        insta::assert_snapshot!(filter(&[binding()]), @"<interfaces><interface><name>ge-0/0/1</name></interface><interface-range/></interfaces><vlans><vlan><name>V 1</name></vlan></vlans><switch-options/><ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1</name></interface><interface><name>ge-0/0/1.0</name></interface><interface><name>all</name></interface><vlan/></secure-access-port></ethernet-switching-options>");
    }
}
