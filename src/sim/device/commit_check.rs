//! What the switch's daemons refuse at check and commit: two addresses with one MAC, and a binding without a MAC.

use std::collections::HashMap;

use super::reply_error::RpcError;
use crate::sim::config::edit::edit_path;
use crate::sim::config::in_force::in_force;
use crate::sim::config::tree::{Node, Word};

/// Where one MAC may stand for one address only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateScope {
    /// Within one interface entry (and, on ELS, one VLAN and group).
    Interface,
    /// Within one VLAN.
    Vlan,
    /// Anywhere on the switch.
    Switch,
    /// Duplicates are taken.
    Off,
}

impl DuplicateScope {
    /// What a switch does unless told: ELS switches are written to with one MAC for many addresses of a port; the snooping
    /// database of old ones has VLAN and MAC as its key.
    pub const fn likely(els: bool) -> Self {
        if els { Self::Off } else { Self::Vlan }
    }
}

/// A binding as the configuration holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimBinding {
    /// The interface entry's name as it is written, such as `ge-0/0/1.0`.
    pub interface: String,
    /// The VLAN's name; empty when a non-ELS binding names none.
    pub vlan: String,
    /// The bound address.
    pub ip: String,
    /// Its MAC as it is written; empty when the binding has none.
    pub mac: String,
}

/// A binding and the path of its statement.
#[derive(Debug, Clone)]
pub(crate) struct FoundBinding {
    pub binding: SimBinding,
    pub path: Vec<Word>,
}

/// Every binding of both hierarchies that is in force, in the order of the configuration.
pub(crate) fn bindings(tree: &Node) -> Vec<FoundBinding> {
    bindings_of(&in_force(tree))
}

/// The same of a configuration that holds only what is in force.
pub(crate) fn bindings_of(in_force: &Node) -> Vec<FoundBinding> {
    let mut found = Vec::new();
    old_style(in_force, &mut found);
    els(in_force, &mut found);
    found
}

const OLD_STYLE: [&str; 3] = ["ethernet-switching-options", "secure-access-port", "interface"];

fn old_style(tree: &Node, found: &mut Vec<FoundBinding>) {
    let Some(ports) = tree.find(&OLD_STYLE) else {
        return;
    };
    for port in &ports.children {
        let path: Vec<Word> = OLD_STYLE.iter().map(|word| Word::from(*word)).chain([port.word.clone()]).collect();
        statics(port, &port.word, None, &path, found);
    }
}

fn els(tree: &Node, found: &mut Vec<FoundBinding>) {
    let Some(vlans) = tree.child("vlans") else {
        return;
    };
    for vlan in &vlans.children {
        let above = ["forwarding-options", "dhcp-security", "group"];
        for group in vlan.find(&above).map(|groups| groups.children.as_slice()).unwrap_or_default() {
            for port in group.child("interface").map(|ports| ports.children.as_slice()).unwrap_or_default() {
                let words = ["vlans", &vlan.word].into_iter().chain(above);
                let path = words.chain([&*group.word, "interface", &*port.word]).map(Word::from).collect::<Vec<_>>();
                statics(port, &port.word, Some(&vlan.word), &path, found);
            }
        }
    }
}

fn statics(port: &Node, interface: &str, vlan: Option<&str>, above: &[Word], found: &mut Vec<FoundBinding>) {
    for keyword in ["static-ip", "static-ipv6"] {
        for entry in port.child(keyword).map(|list| list.children.as_slice()).unwrap_or_default() {
            let leaf = |name: &str| entry.child(name).and_then(|leaf| leaf.value()).unwrap_or_default().to_owned();
            found.push(FoundBinding {
                binding: SimBinding {
                    interface: interface.to_owned(),
                    vlan: vlan.map_or_else(|| leaf("vlan"), str::to_owned),
                    ip: entry.word.to_string(),
                    mac: leaf("mac"),
                },
                path: above.iter().cloned().chain([Word::from(keyword), entry.word.clone()]).collect(),
            });
        }
    }
}

/// What is wrong with `tree`; empty when it may be committed.
pub(crate) fn check(tree: &Node, scope: DuplicateScope) -> Vec<RpcError> {
    let found = bindings(tree);
    if let Some(entry) = found.iter().find(|entry| entry.binding.mac.is_empty()) {
        let missing = "Missing mandatory statement: 'mac'".to_owned();
        let first = RpcError::invalid(edit_path(&entry.path), format!("mgd: {missing}"), &entry.binding.ip);
        return vec![first, RpcError::failed("configuration check-out failed: (missing mandatory statements)")];
    }
    match duplicate(&found, scope) {
        Some(entry) => vec![duplicate_error(entry), RpcError::failed("configuration check-out failed")],
        None => Vec::new(),
    }
}

/// The first binding whose MAC another one before it has.
fn duplicate(found: &[FoundBinding], scope: DuplicateScope) -> Option<&FoundBinding> {
    let mut seen: HashMap<(String, String), ()> = HashMap::new();
    found.iter().find(|entry| {
        let binding = &entry.binding;
        let place = match scope {
            DuplicateScope::Off => return false,
            DuplicateScope::Switch => String::new(),
            DuplicateScope::Vlan => binding.vlan.clone(),
            DuplicateScope::Interface => entry.path[..entry.path.len() - 2].join(" "),
        };
        seen.insert((place, binding.mac.to_lowercase()), ()).is_some()
    })
}

fn duplicate_error(entry: &FoundBinding) -> RpcError {
    let binding = &entry.binding;
    let message = format!("duplicate MAC address {} on interface {}", binding.mac, binding.interface);
    RpcError::invalid(edit_path(&entry.path), message, &binding.ip)
}
