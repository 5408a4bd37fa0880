//! The configuration a switch starts with: what a rack switch in a hosting hall looks like, in either dialect.

use std::sync::Arc;

use super::plan::{SimServer, interface, vlan_id};
use crate::sim::config::apply::apply;
use crate::sim::config::set_lines::{parse_any, read_set};
use crate::sim::config::tree::Node;
use crate::sim::device::commit_check::SimBinding;
use crate::sim::device::model::Model;
use crate::sim::error::SimError;

/// What every switch of the estate has alike; the branches are shared between them.
pub(crate) fn common(els: bool, ports: usize, given: Option<(&str, &str)>) -> Result<Node, SimError> {
    let built_in = if els { in_els(include_str!("base.conf")) } else { include_str!("base.conf").to_owned() };
    let (origin, text) = given.unwrap_or(("the built-in configuration", &built_in));
    let mut tree = parse_any(text).map_err(|error| {
        let (line, column) = error.place(text);
        let (message, bad_element) = (error.message, error.bad_element);
        SimError::Config { origin: origin.to_owned(), line, column, message, bad_element }
    })?;
    let lines: String = (0..ports).map(|port| port_lines(els, port)).collect();
    add(&mut tree, &lines);
    Ok(tree)
}

/// The built-in configuration as a switch with Enhanced Layer 2 Software words it.
fn in_els(text: &str) -> String {
    text.replace("vlan.99", "irb.99")
        .replace("    vlan {\n        unit 99", "    irb {\n        unit 99")
        .replace("port-mode", "interface-mode")
}

/// The switch's own part: its name and the bindings of its servers.
pub(crate) fn own(common: &Node, model: &Model, servers: &[SimServer]) -> Arc<Node> {
    let mut tree = common.clone();
    let bindings: String = servers.iter().map(|server| binding_line(model.els, server)).collect();
    let Model { release, host_name, .. } = model;
    add(&mut tree, &format!("set version {release}\nset system host-name {host_name}\n{bindings}"));
    Arc::new(tree)
}

/// Sets `lines` in `tree`.
pub(crate) fn add(tree: &mut Node, lines: &str) {
    let (edits, errors) = read_set(lines);
    debug_assert!(errors.is_empty(), "{errors:?}");
    apply(tree, &edits);
}

fn port_lines(els: bool, port: usize) -> String {
    let (interface, id) = (interface(port), vlan_id(port));
    let mode = if els { "interface-mode" } else { "port-mode" };
    let unit = format!("set interfaces {interface} unit 0 family ethernet-switching");
    format!(
        "set interfaces {interface} description \"server port {}\"\n{unit} {mode} access\n{unit} vlan members VLAN.{id}\nset protocols rstp interface {interface}.0 edge\n{}",
        port + 1,
        vlan_lines(els, id),
    )
}

fn vlan_lines(els: bool, id: usize) -> String {
    let vlan = format!("set vlans VLAN.{id}");
    if els {
        let security = format!("{vlan} forwarding-options dhcp-security");
        return format!("{vlan} vlan-id {id}\n{security} arp-inspection\n{security} ip-source-guard\n");
    }
    let port_security = format!("set ethernet-switching-options secure-access-port vlan VLAN.{id}");
    format!(
        "{vlan} vlan-id {id}\n{port_security} arp-inspection\n{port_security} examine-dhcp\n{port_security} ip-source-guard\n"
    )
}

fn binding_line(els: bool, server: &SimServer) -> String {
    binding(els, &server.primary_binding())
}

/// The line that sets `binding`.
pub(crate) fn binding(els: bool, binding: &SimBinding) -> String {
    let SimBinding { interface, vlan, ip, mac } = binding;
    if els {
        return format!(
            "set vlans {vlan} forwarding-options dhcp-security group servers interface {interface} static-ip {ip} mac {mac}\n"
        );
    }
    format!(
        "set ethernet-switching-options secure-access-port interface {interface} static-ip {ip} vlan {vlan} mac {mac}\n"
    )
}
