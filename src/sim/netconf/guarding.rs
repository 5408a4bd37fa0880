//! What a switch's configuration makes of its bindings: which ports are guarded, and which MACs get in there.

use std::sync::Arc;

use crate::sim::config::tree::Node;
use crate::sim::device::commit_check::{SimBinding, bindings_of};
use crate::sim::switch::{Stray, Switch, locked};

/// True where IP source guard looks at the binding's port: it is on in the VLAN, and the port no trunk and not trusted.
pub(crate) fn source_guarded(tree: &Node, binding: &SimBinding) -> bool {
    let SimBinding { interface, vlan, .. } = binding;
    let secured = |entry: &str| tree.find(&["ethernet-switching-options", "secure-access-port", "vlan", entry]);
    let security = tree.find(&["vlans", vlan, "forwarding-options", "dhcp-security"]);
    let places = [secured(vlan), security, secured("all")].into_iter().flatten();
    let mut said = places.filter_map(|place| {
        let on = place.child("ip-source-guard").map(|_| true);
        on.or_else(|| place.child("no-ip-source-guard").map(|_| false))
    });
    said.next() == Some(true) && !is_trunk(tree, interface) && !is_trusted(tree, security, interface)
}

fn is_trunk(tree: &Node, interface: &str) -> bool {
    let (port, unit) = interface.split_once('.').unwrap_or((interface, "0"));
    let switching = tree.find(&["interfaces", port, "unit", unit, "family", "ethernet-switching"]);
    let mode =
        switching.and_then(|switching| switching.child("port-mode").or_else(|| switching.child("interface-mode")));
    mode.and_then(|mode| mode.value()) == Some("trunk")
}

fn is_trusted(tree: &Node, security: Option<&Node>, interface: &str) -> bool {
    let of_port = entry(tree, interface).is_some_and(|entry| entry.child("dhcp-trusted").is_some());
    let groups = security.and_then(|security| security.child("group")).map(|groups| groups.children.as_slice());
    let of_group = groups.unwrap_or_default().iter().any(|group| {
        group.find(&["interface", interface]).is_some() && group.find(&["overrides", "trusted"]).is_some()
    });
    of_port || of_group
}

fn entry<'a>(tree: &'a Node, interface: &str) -> Option<&'a Node> {
    tree.find(&["ethernet-switching-options", "secure-access-port", "interface", interface])
}

/// The MACs that the switch has learned: those of its bindings, as if every server were talking, as far as their ports let
/// them in, and those that were seen elsewhere.
pub(crate) fn learned(switch: &Switch, in_force: &Node) -> Vec<(SimBinding, bool)> {
    let strays = locked(&switch.strays).clone();
    let mut learned: Vec<(SimBinding, bool)> = Vec::new();
    for binding in bindings_of(in_force).into_iter().map(|found| found.binding) {
        let is_here = |(other, _): &&(SimBinding, bool)| other.interface == binding.interface;
        let is_its = |mac: &str| mac.eq_ignore_ascii_case(&binding.mac);
        let known = learned.iter().filter(is_here).any(|(other, _)| is_its(&other.mac));
        let is_stray = strays.iter().any(|stray| is_its(&stray.mac));
        let here = learned.iter().filter(is_here).count();
        let room = limit(in_force, &binding.interface).is_none_or(|limit| here < limit);
        if !known && !is_stray && room && is_allowed(in_force, &binding) {
            learned.push((binding, false));
        }
    }
    let stray = |Stray { mac, interface, kept }: Stray| {
        (SimBinding { interface, vlan: String::new(), ip: String::new(), mac }, kept)
    };
    learned.extend(strays.into_iter().map(stray));
    learned
}

fn limit(tree: &Node, interface: &str) -> Option<usize> {
    let option = |path: &[&str]| tree.find(path)?.child("interface-mac-limit").cloned();
    let limit = entry(tree, interface).and_then(|entry| entry.child("mac-limit").cloned());
    let limit = limit.or_else(|| option(&["switch-options", "interface", interface]));
    // The text hides the keyword of the number.
    let number = |part: &Arc<Node>| part.word.parse::<usize>().ok().or_else(|| part.value()?.parse().ok());
    limit?.children.iter().find_map(number)
}

fn is_allowed(tree: &Node, binding: &SimBinding) -> bool {
    let list = entry(tree, &binding.interface).and_then(|entry| entry.child("allowed-mac").cloned());
    list.is_none_or(|list| list.children.iter().any(|mac| mac.word.eq_ignore_ascii_case(&binding.mac)))
}
