//! Everything seen and known, indexed for the questions that an adoption asks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Adoptable, Class, FoundPort, Obstacle};
use crate::domain::audit::{AuditedRow, BoundPort, Records, SwitchContents};
use crate::domain::plan::PresentBinding;
use crate::domain::{BindableAddress, InterfaceName, Mac, MacError, Server, Status, SwitchName};

/// A port: the switch, and the interface whatever form its name has.
type Port<'a> = (&'a SwitchName, &'a str);

/// A binding with its switch.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub switch: &'a SwitchName,
    pub binding: &'a PresentBinding,
}

impl Bound<'_> {
    pub fn place(&self) -> BoundPort {
        let PresentBinding { interface, ip, mac, .. } = self.binding;
        BoundPort { switch: self.switch.clone(), interface: interface.clone(), ip: Some(*ip), mac: *mac }
    }
}

pub(super) struct Index<'a> {
    bound: Vec<Bound<'a>>,
    at: HashMap<(Port<'a>, BindableAddress), Vec<Bound<'a>>>,
    of_mac: HashMap<Mac, BTreeMap<BindableAddress, Bound<'a>>>,
    of_ip: HashMap<BindableAddress, Vec<Bound<'a>>>,
    looked_at: HashSet<&'a SwitchName>,
    servers: HashMap<i64, &'a Server>,
    servers_of_port: HashMap<Port<'a>, Vec<&'a Server>>,
    primaries: HashMap<BindableAddress, i64>,
    physical: HashMap<Mac, i64>,
    live: HashMap<BindableAddress, &'a AuditedRow>,
    rows_of_mac: HashMap<Mac, &'a AuditedRow>,
}

impl<'a> Index<'a> {
    pub fn of(seen: &'a [SwitchContents], known: &'a Records) -> Self {
        let live = known.rows.iter().filter(|row| row.status != Status::Revoked);
        let mut index = Self {
            bound: Vec::new(),
            at: HashMap::new(),
            of_mac: HashMap::new(),
            of_ip: HashMap::new(),
            looked_at: seen.iter().map(|seen| &seen.switch).collect(),
            servers: known.servers.iter().map(|server| (server.id, server)).collect(),
            servers_of_port: HashMap::new(),
            primaries: known.servers.iter().filter_map(|server| Some((server.primary_ip?, server.id))).collect(),
            physical: known.servers.iter().map(|server| (server.pxe_mac, server.id)).collect(),
            live: live.map(|row| (row.ip, row)).collect(),
            rows_of_mac: known.rows.iter().map(|row| (row.mac, row)).collect(),
        };
        for server in &known.servers {
            for at in &server.ports {
                index.servers_of_port.entry(port(&at.switch, &at.interface)).or_default().push(server);
            }
        }
        for switch in seen {
            switch.bindings.iter().for_each(|binding| index.add(Bound { switch: &switch.switch, binding }));
        }
        index
    }

    fn add(&mut self, bound: Bound<'a>) {
        let (at, ip) = (port(bound.switch, &bound.binding.interface), bound.binding.ip);
        self.bound.push(bound);
        if !bound.binding.is_active() {
            return;
        }
        self.at.entry((at, ip)).or_default().push(bound);
        self.of_mac.entry(bound.binding.mac).or_default().insert(ip, bound);
        self.of_ip.entry(ip).or_default().push(bound);
    }

    /// Every binding seen.
    pub fn bound(&self) -> &[Bound<'a>] {
        &self.bound
    }

    /// What one binding is, by itself.
    pub fn classify(&self, bound: &Bound<'a>) -> Class {
        if let Some(inactive) = &bound.binding.inactive {
            return refused(Obstacle::Inactive, format!("{inactive}, so that the binding is not in force"));
        }
        if self.live.get(&bound.binding.ip).is_some_and(|row| is_of(row, bound)) {
            return Class::Ours;
        }
        let at = port(bound.switch, &bound.binding.interface);
        let server = match self.servers_of_port.get(&at).map(Vec::as_slice) {
            Some([server]) => server,
            None | Some([]) => return refused(Obstacle::NoServer, "the inventory has no server on this port".into()),
            Some(several) => {
                let ids: Vec<String> = several.iter().map(|server| server.id.to_string()).collect();
                let text = format!("the inventory has the servers {} on this port", ids.join(", "));
                return refused(Obstacle::SeveralServers, text);
            }
        };
        if bound.binding.mac == server.pxe_mac {
            return Class::Physical;
        }
        let obstacle = of_statement(bound.binding);
        let obstacle = obstacle
            .or_else(|| self.of_address(bound))
            .or_else(|| self.of_rows(server, bound))
            .or_else(|| self.of_seen(server, bound));
        obstacle.map_or(Class::Candidate(server.id), |(reason, text)| refused(reason, text))
    }

    /// What speaks against the address or the MAC as such.
    fn of_address(&self, bound: &Bound<'a>) -> Option<(Obstacle, String)> {
        let PresentBinding { ip, mac, .. } = bound.binding;
        if let Some(owner) = self.primaries.get(ip) {
            let text = format!("{ip} is the primary address of server {owner}, which keeps its PXE MAC");
            return Some((Obstacle::PrimaryAddress, text));
        }
        if matches!(mac.as_virtual(), Err(MacError::Group(_))) || mac.octets() == [0; 6] {
            return Some((Obstacle::NotUnicast, format!("{mac} is not a unicast address")));
        }
        let owner = self.physical.get(mac)?;
        Some((Obstacle::PxeMac, format!("{mac} is the PXE MAC of server {owner}")))
    }

    /// What the rows say against it.
    fn of_rows(&self, server: &Server, bound: &Bound<'a>) -> Option<(Obstacle, String)> {
        let PresentBinding { ip, mac, .. } = bound.binding;
        if let Some(row) = self.live.get(ip).filter(|row| row.server_id != server.id || row.mac != *mac) {
            let AuditedRow { id, server_id, mac, status, .. } = row;
            let text =
                format!("row {id} ({status}) has {mac} for {ip} on server {server_id}; revoke it first, then adopt");
            return Some((Obstacle::OtherRow, text));
        }
        let row = self.rows_of_mac.get(mac).filter(|row| row.ip != *ip || row.status == Status::Revoked)?;
        let AuditedRow { id, ip, status, .. } = row;
        let cure = if *status == Status::Revoked { "; `vmacd audit` shows what is left of it" } else { "" };
        Some((Obstacle::MacElsewhere, format!("{mac} is the virtual MAC of {ip} in row {id} ({status}){cure}")))
    }

    /// What stands elsewhere on the switches.
    fn of_seen(&self, server: &Server, bound: &Bound<'a>) -> Option<(Obstacle, String)> {
        let PresentBinding { ip, mac, .. } = bound.binding;
        let others = self.of_mac.get(mac).into_iter().flatten();
        if let Some((other, at)) = others.into_iter().find(|(other, _)| *other != ip) {
            let (switch, interface) = (at.switch, &at.binding.interface);
            return Some((Obstacle::MacElsewhere, format!("{mac} is bound to {other} too, on {switch} {interface}")));
        }
        let own = |at: Port<'_>| server.ports.iter().any(|its| port(&its.switch, &its.interface) == at);
        let mut of_ip = self.of_ip.get(ip).into_iter().flatten();
        let other = of_ip.find(|other| !own(port(other.switch, &other.binding.interface)))?;
        let (switch, PresentBinding { interface, mac, .. }) = (other.switch, other.binding);
        let text =
            format!("{ip} is bound to {mac} on {switch} {interface} too, which is not a port of server {}", server.id);
        Some((Obstacle::AddressElsewhere, text))
    }

    /// The row that the address's bindings make, if every port of the server holds the same one.
    pub fn whole(&self, server_id: i64, ip: BindableAddress) -> Result<Adoptable, (Obstacle, String)> {
        let server = self.servers[&server_id];
        let mut found: Vec<Bound<'a>> = Vec::new();
        let (mut unseen, mut lacking) = (BTreeSet::new(), Vec::new());
        for at in &server.ports {
            let held = self.at.get(&(port(&at.switch, &at.interface), ip)).map_or(&[][..], Vec::as_slice);
            match held {
                _ if !self.looked_at.contains(&at.switch) => drop(unseen.insert(at.switch.as_str())),
                [] => lacking.push(format!("{} {} does not have it", at.switch, at.interface)),
                [one] => found.push(*one),
                [_, _, ..] => lacking.push(format!("{} {} has it more than once", at.switch, at.interface)),
            }
        }
        let first = found.first().map(|bound| (bound.binding.mac, bound.binding.vlan.clone()));
        let differs = |bound: &&Bound<'a>| Some((bound.binding.mac, bound.binding.vlan.clone())) != first;
        lacking.extend(found.iter().filter(differs).map(summary));
        if !lacking.is_empty() {
            return Err((Obstacle::PortsDiffer, format!("server {server_id}: {}", lacking.join("; "))));
        }
        match first {
            Some((mac_address, vlan_name)) if unseen.is_empty() => {
                let ports = found.iter().map(Bound::found).collect();
                Ok(Adoptable { server_id, ip_address: ip, mac_address, vlan_name, ports })
            }
            _ => {
                let switches: Vec<&str> = unseen.into_iter().collect();
                let text = format!("server {server_id} has ports on {}, which was not checked", switches.join(", "));
                Err((Obstacle::PortsNotSeen, text))
            }
        }
    }
}

impl Bound<'_> {
    fn found(&self) -> FoundPort {
        FoundPort { switch: self.switch.clone(), interface: self.binding.interface.clone() }
    }
}

/// What another port of the server holds instead.
fn summary(bound: &Bound<'_>) -> String {
    let PresentBinding { interface, mac, vlan, .. } = bound.binding;
    let vlan = vlan.as_ref().map(|vlan| format!(" in {vlan}")).unwrap_or_default();
    format!("{} {interface} holds {mac}{vlan}", bound.switch)
}

/// What makes it impossible to give the binding back.
fn of_statement(binding: &PresentBinding) -> Option<(Obstacle, String)> {
    if let Some(group) = &binding.inherited {
        let text = format!("it comes from the configuration group {group}, and cannot be changed at the port");
        return Some((Obstacle::Inherited, text));
    }
    // In ELS the VLAN is where the binding stands.
    let nameless = binding.group.is_some() && binding.vlan.is_none();
    nameless.then(|| (Obstacle::UnusableName, "its VLAN has a name that vmacd cannot write back".to_owned()))
}

fn refused(reason: Obstacle, text: String) -> Class {
    Class::Refused(reason, text)
}

/// Whether the binding is one of the row's.
fn is_of(row: &AuditedRow, bound: &Bound<'_>) -> bool {
    let here = |switch: &SwitchName, interface: &InterfaceName| {
        switch == bound.switch && interface.same_interface(&bound.binding.interface)
    };
    row.had(bound.binding.mac) && row.bindings.iter().any(|binding| here(&binding.switch, &binding.interface))
}

fn port<'a>(switch: &'a SwitchName, interface: &'a InterfaceName) -> Port<'a> {
    (switch, interface.port())
}
