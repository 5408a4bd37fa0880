//! Whose each port is, and what may stand there.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{AuditedRow, BoundPort, Finding, FindingKind, LearnedMac, Records, SwitchContents, in_force, place};
use crate::domain::{InterfaceName, Mac, SwitchBinding, SwitchName};

/// A port: the switch, and the interface whatever form its name has.
type Port = (SwitchName, String);

pub(super) struct BoundPorts<'a> {
    server_of_port: HashMap<Port, i64>,
    /// The servers' own MACs, by port.
    own: HashMap<Port, Mac>,
    rows_of_mac: HashMap<Mac, Vec<&'a AuditedRow>>,
    bound: Vec<BoundPort>,
}

impl<'a> BoundPorts<'a> {
    pub fn of(seen: &[SwitchContents], known: &'a Records) -> Self {
        let (mut server_of_port, mut own) = (HashMap::new(), HashMap::new());
        for server in &known.servers {
            for at in &server.ports {
                let port = port(&at.switch, &at.interface);
                server_of_port.insert(port.clone(), server.id);
                own.insert(port, server.pxe_mac);
            }
        }
        let mut rows_of_mac: HashMap<Mac, Vec<&AuditedRow>> = HashMap::new();
        for row in &known.rows {
            let macs = std::iter::once(&row.mac).chain(&row.former);
            macs.for_each(|mac| rows_of_mac.entry(*mac).or_default().push(row));
        }
        let bound = seen.iter().flat_map(|seen| in_force(seen).map(|binding| place(&seen.switch, binding)));
        Self { server_of_port, own, rows_of_mac, bound: bound.collect() }
    }

    /// MACs and addresses that stand twice.
    pub fn doubles(&self) -> Vec<Finding> {
        let mut of_mac: BTreeMap<Mac, Vec<&BoundPort>> = BTreeMap::new();
        let mut of_address: BTreeMap<_, Vec<&BoundPort>> = BTreeMap::new();
        for place in &self.bound {
            of_mac.entry(place.mac).or_default().push(place);
            of_address.entry(place.ip).or_default().push(place);
        }
        let macs = of_mac.into_values().filter(|places| !self.may_share_mac(places));
        let may_share = |places: &[&BoundPort]| self.are_of_one_server(places) || self.are_of_one_row(places);
        let addresses = of_address.into_values().filter(|places| !may_share(places));
        let macs: Vec<Finding> = macs.map(|places| twice(FindingKind::MacTwice, places)).collect();
        macs.into_iter().chain(addresses.map(|places| twice(FindingKind::AddressTwice, places))).collect()
    }

    /// A MAC may stand on each port of one server, once on each, and on those of the servers that share its address. A
    /// server's own MAC may stand on its port for several addresses: a revoke gives them back to it where the switch takes that.
    fn may_share_mac(&self, places: &[&BoundPort]) -> bool {
        let is_own = |place: &&&BoundPort| self.own.get(&self.port_of(place)) == Some(&place.mac);
        let others: Vec<&BoundPort> = places.iter().filter(|place| !is_own(place)).copied().collect();
        let ports: HashSet<Port> = others.iter().map(|place| self.port_of(place)).collect();
        ports.len() == others.len() && (self.are_of_one_server(places) || self.are_of_one_row(places))
    }

    /// True when a row wants the address and its MAC on all of the ports.
    fn are_of_one_row(&self, places: &[&BoundPort]) -> bool {
        let rows = places.first().and_then(|place| self.rows_of_mac.get(&place.mac)).into_iter().flatten();
        let wants = |row: &AuditedRow, place: &BoundPort| {
            Some(row.ip) == place.ip && row.mac == place.mac && belongs(row, &self.port_of(place))
        };
        rows.into_iter().any(|row| places.iter().all(|place| wants(row, place)))
    }

    fn are_of_one_server(&self, places: &[&BoundPort]) -> bool {
        let servers = |place: &&BoundPort| self.server_of_port.get(&self.port_of(place));
        match places {
            [] | [_] => true,
            [first, rest @ ..] => servers(first).is_some() && rest.iter().all(|place| servers(place) == servers(first)),
        }
    }

    /// Virtual MACs learned where they do not belong. A port that is nobody's is an uplink, where all of them are learned.
    pub fn strays(&self, seen: &[SwitchContents]) -> Vec<Finding> {
        let all = seen.iter().flat_map(|seen| seen.learned.iter().map(move |learned| (&seen.switch, learned)));
        let strays = all.filter_map(|(switch, learned)| self.stray(switch, learned));
        strays.collect()
    }

    fn stray(&self, switch: &SwitchName, learned: &LearnedMac) -> Option<Finding> {
        let at = port(switch, &learned.interface);
        let rows = self.rows_of_mac.get(&learned.mac)?;
        if !self.server_of_port.contains_key(&at) || rows.iter().any(|row| belongs(row, &at)) {
            return None;
        }
        let place = BoundPort { switch: at.0, interface: learned.interface.clone(), ip: None, mac: learned.mac };
        let vmac_id = self.row_of(learned.mac);
        Some(Finding { kind: FindingKind::LearnedElsewhere, places: vec![place], vmac_id, mended_on: None })
    }

    /// The newest row that has or had the MAC.
    pub fn row_of(&self, mac: Mac) -> Option<i64> {
        self.rows_of_mac.get(&mac).and_then(|rows| rows.last()).map(|row| row.id)
    }

    /// True for a row's binding on one of its ports, also with a MAC that it had, and for a server's own MAC on its port.
    pub fn explain(&self, place: &BoundPort) -> bool {
        let at = self.port_of(place);
        let of_row = |row: &&AuditedRow| {
            Some(row.ip) == place.ip && row.bindings.iter().any(|b| port(&b.switch, &b.interface) == at)
        };
        let rows = self.rows_of_mac.get(&place.mac);
        self.own.get(&at) == Some(&place.mac) || rows.is_some_and(|rows| rows.iter().any(of_row))
    }

    /// Where the row's address is bound beside this port of it: on ports that are not the row's, or to a MAC that nothing
    /// explains there.
    pub fn elsewhere(&self, row: &AuditedRow, at: &SwitchBinding) -> impl Iterator<Item = &BoundPort> {
        let own: Vec<Port> = row.bindings.iter().map(|b| port(&b.switch, &b.interface)).collect();
        let (here, ip) = (port(&at.switch, &at.interface), row.ip);
        self.bound.iter().filter(move |place| {
            let there = self.port_of(place);
            place.ip == Some(ip) && there != here && !(own.contains(&there) && self.explain(place))
        })
    }

    fn port_of(&self, place: &BoundPort) -> Port {
        port(&place.switch, &place.interface)
    }
}

fn twice(kind: FindingKind, places: Vec<&BoundPort>) -> Finding {
    let mut places: Vec<BoundPort> = places.into_iter().cloned().collect();
    places.sort();
    Finding { kind, places, vmac_id: None, mended_on: None }
}

/// True for a port that the row does not leave.
fn belongs(row: &AuditedRow, at: &Port) -> bool {
    row.bindings.iter().any(|binding| !binding.leaving && port(&binding.switch, &binding.interface) == *at)
}

fn port(switch: &SwitchName, interface: &InterfaceName) -> Port {
    (switch.clone(), interface.port().to_owned())
}
