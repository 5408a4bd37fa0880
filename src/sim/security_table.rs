//! The table of bindings in force: `get-dhcp-snoop-binding` where the switch is non-ELS, `get-dhcp-security-binding` where
//! it is ELS. Each answers the one and does not know the other.

use super::check::{SimBinding, bindings};
use super::switch::Switch;
use super::xml::escape;

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

/// IPv6 bindings stand in a table of their own.
fn all(switch: &Switch, entry: fn(&SimBinding) -> String) -> String {
    let committed = switch.device().committed.clone();
    let bound = bindings(&committed).into_iter().map(|found| found.binding);
    bound.filter(|binding| !binding.ip.contains(':')).map(|binding| entry(&binding)).collect()
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
