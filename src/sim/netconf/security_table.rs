//! The tables of bindings in force: `get-dhcp-snoop-binding` where the switch is non-ELS, `get-dhcp-security-binding` where
//! it is ELS, and beside each what IP source guard goes by. Each dialect does not know the other's.

use super::guarding::source_guarded;
use crate::sim::config::in_force::in_force;
use crate::sim::config::tree::Node;
use crate::sim::device::commit_check::{SimBinding, bindings_of};
use crate::sim::switch::Switch;
use crate::sim::switch::faults::FaultKind;
use crate::sim::xml::escape;

pub(crate) fn snooping(switch: &Switch) -> Option<String> {
    (!switch.model.els).then(|| {
        let release = switch.model.namespace_release();
        let entries = all(switch, snooping_entry);
        format!(
            "<dhcp-snooping xmlns=\"http://xml.juniper.net/junos/{release}/junos-esw\">\n{entries}</dhcp-snooping>\n"
        )
    })
}

pub(crate) fn security(switch: &Switch) -> Option<String> {
    switch.model.els.then(|| {
        let entries = all(switch, security_entry);
        let entries = match entries.is_empty() {
            true => String::new(),
            false => format!("<dhcp-security-entries>\n{entries}</dhcp-security-entries>\n"),
        };
        format!("<dhcp-security-binding junos:style=\"summary\">\n{entries}</dhcp-security-binding>\n")
    })
}

pub(crate) fn security_v6(switch: &Switch) -> Option<String> {
    switch.model.els.then(|| {
        let entries = entries(switch, security_entry, |_, binding| binding.ip.contains(':'));
        format!("<dhcp-security-binding junos:style=\"ipv6\">\n<dhcp-security-entries>\n{entries}</dhcp-security-entries>\n</dhcp-security-binding>\n")
    })
}

/// What IP source guard goes by, in the form of the dialect.
pub(crate) fn source_guard(switch: &Switch, els: bool) -> Option<String> {
    let known = switch.model.els == els && !switch.strikes(FaultKind::SourceGuardUnknown);
    known.then(|| {
        let guarded = |tree: &Node, binding: &SimBinding| is_v4(tree, binding) && source_guarded(tree, binding);
        let entries = entries(switch, if els { security_entry } else { guard_entry }, guarded);
        let name = if els { "dhcp-security-binding" } else { "ip-source-guard" };
        format!("<{name}>\n{entries}</{name}>\n")
    })
}

/// IPv6 bindings stand in a table of their own.
fn all(switch: &Switch, entry: fn(&SimBinding) -> String) -> String {
    entries(switch, entry, is_v4)
}

fn is_v4(_: &Node, binding: &SimBinding) -> bool {
    !binding.ip.contains(':')
}

fn entries(switch: &Switch, entry: fn(&SimBinding) -> String, is_in: impl Fn(&Node, &SimBinding) -> bool) -> String {
    if switch.strikes(FaultKind::EntriesMissing) {
        return String::new();
    }
    let tree = in_force(&switch.device().committed);
    let bound = bindings_of(&tree).into_iter().map(|found| found.binding);
    bound.filter(|binding| is_in(&tree, binding)).map(|binding| entry(&binding)).collect()
}

fn guard_entry(binding: &SimBinding) -> String {
    format!(
        "<ip-source-guard-entry>\n<interface-name>{}</interface-name>\n<vlan-tag>0</vlan-tag>\n<ip-address>{}</ip-address>\n<mac-address>{}</mac-address>\n<vlan-name>{}</vlan-name>\n</ip-source-guard-entry>\n",
        escape(&binding.interface),
        escape(&binding.ip),
        escape(&binding.mac),
        escape(&binding.vlan),
    )
}

fn snooping_entry(binding: &SimBinding) -> String {
    format!(
        "<dhcp-snooping-information>\n<dhcp-mac>{}</dhcp-mac>\n<dhcp-ip>{}</dhcp-ip>\n<dhcp-lease>-</dhcp-lease>\n<dhcp-type>static</dhcp-type>\n<dhcp-vlan>{}</dhcp-vlan>\n<dhcp-interface>{}</dhcp-interface>\n</dhcp-snooping-information>\n",
        escape(&binding.mac),
        escape(&binding.ip),
        escape(&binding.vlan),
        escape(&binding.interface),
    )
}

fn security_entry(binding: &SimBinding) -> String {
    format!(
        "<dhcp-security-entry>\n<ip-address>{}</ip-address>\n<hw-address>{}</hw-address>\n<vlan-name>{}</vlan-name>\n<lease-expiry>0</lease-expiry>\n<state>STATIC</state>\n<intf-name>{}</intf-name>\n</dhcp-security-entry>\n",
        escape(&binding.ip),
        escape(&binding.mac),
        escape(&binding.vlan),
        escape(&binding.interface),
    )
}
