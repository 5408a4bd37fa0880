//! What in an inventory contradicts the rest of it, or what is known already.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::{Inventory, Server, ServerPort, Switch};
use crate::domain::{BindableAddress, Mac, SwitchName};

/// Something in an inventory that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryConflict {
    /// Which entry.
    pub place: InventoryPlace,
    /// The field of that entry.
    pub field: &'static str,
    /// What is wrong and what to do, as a sentence that names the entry.
    pub text: String,
}

/// An entry of an inventory, by its position in the lists, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InventoryPlace {
    /// A switch.
    Switch(usize),
    /// A server.
    Server(usize),
    /// A port of a server.
    Port(usize, usize),
}

impl fmt::Display for InventoryConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Everything that is wrong in `inventory`, in its order; `known` is what the database has.
pub fn inventory_conflicts(inventory: &Inventory, known: &Inventory) -> Vec<InventoryConflict> {
    let mut found = switches(&inventory.switches);
    let mut seen = Seen::new(inventory, known);
    for (at, server) in inventory.servers.iter().enumerate() {
        let mut refuse = |field, text| found.push(InventoryConflict { place: InventoryPlace::Server(at), field, text });
        if !seen.ids.insert(server.id) {
            // What else is alike would only repeat this.
            refuse("id", format!("server {} is named twice; keep one entry", server.id));
            continue;
        }
        seen.check(server, &mut refuse);
        found.extend(ports(at, server, &seen.switches));
    }
    found
}

/// A sentence for each PXE MAC that a server of the inventory has and another one in the database has too. No conflict:
/// a machine that got a new id keeps its network card, and its old id stays until it is removed.
pub fn shared_network_cards(inventory: &Inventory, known: &Inventory) -> Vec<String> {
    let named: HashSet<i64> = inventory.servers.iter().map(|server| server.id).collect();
    let kept = known.servers.iter().filter(|server| !named.contains(&server.id));
    let of_kept: HashMap<Mac, i64> = kept.map(|server| (server.pxe_mac, server.id)).collect();
    let shared = inventory.servers.iter().filter_map(|server| Some((server, of_kept.get(&server.pxe_mac)?)));
    let sentence = |(Server { id, pxe_mac, .. }, other): (&Server, &i64)| {
        format!(
            "server {id} has the PXE MAC {pxe_mac} of server {other} in the database; correct one unless both are one machine"
        )
    };
    shared.map(sentence).collect()
}

fn switches(switches: &[Switch]) -> Vec<InventoryConflict> {
    let mut seen = HashSet::new();
    let twice = switches.iter().enumerate().filter(|(_, switch)| !seen.insert(&switch.name));
    let conflict = |(at, switch): (usize, &Switch)| InventoryConflict {
        place: InventoryPlace::Switch(at),
        field: "name",
        text: format!("switch {} is named twice; keep one entry", switch.name),
    };
    twice.map(conflict).collect()
}

/// What the entries so far, and the database, have.
struct Seen<'a> {
    switches: HashSet<&'a SwitchName>,
    ids: HashSet<i64>,
    macs: HashMap<Mac, i64>,
    addresses: HashMap<BindableAddress, i64>,
    /// Of servers that the inventory does not name.
    kept: HashMap<BindableAddress, i64>,
}

impl<'a> Seen<'a> {
    fn new(inventory: &'a Inventory, known: &'a Inventory) -> Self {
        let replaced: HashSet<i64> = inventory.servers.iter().map(|server| server.id).collect();
        let kept = known.servers.iter().filter(|server| !replaced.contains(&server.id));
        Self {
            switches: inventory.switches.iter().chain(&known.switches).map(|switch| &switch.name).collect(),
            ids: HashSet::new(),
            macs: HashMap::new(),
            addresses: HashMap::new(),
            kept: kept.filter_map(|server| Some((server.primary_ip?, server.id))).collect(),
        }
    }

    fn check(&mut self, server: &Server, refuse: &mut impl FnMut(&'static str, String)) {
        let Server { id, pxe_mac, primary_ip, .. } = *server;
        if id <= 0 {
            refuse("id", format!("server {id}: the id must be a positive number"));
        }
        if let Some(problem) = unusable(pxe_mac) {
            refuse("pxe_mac", format!("server {id}: {pxe_mac} {problem}; write the MAC of its network card"));
        } else if let Some(other) = self.macs.insert(pxe_mac, id) {
            refuse("pxe_mac", format!("servers {other} and {id} both have the PXE MAC {pxe_mac}; correct one"));
        }
        let Some(ip) = primary_ip else { return };
        if let Some(other) = self.addresses.insert(ip, id) {
            refuse("primary_ip", format!("servers {other} and {id} both have the primary address {ip}; correct one"));
        } else if let Some(other) = self.kept.get(&ip) {
            let text = format!("server {id}: server {other} has the primary address {ip} in the database");
            refuse("primary_ip", format!("{text}; import server {other} with its new address in the same file"));
        }
    }
}

/// Why no network card has this MAC.
fn unusable(mac: Mac) -> Option<&'static str> {
    match mac.octets() {
        [0, 0, 0, 0, 0, 0] => Some("is a placeholder"),
        [first, ..] if first & 0x01 != 0 => Some("is a group address"),
        _ => None,
    }
}

fn ports(at: usize, server: &Server, switches: &HashSet<&SwitchName>) -> Vec<InventoryConflict> {
    let mut found = Vec::new();
    for (number, port) in server.ports.iter().enumerate() {
        let ServerPort { switch, interface } = port;
        let mut refuse =
            |field, text| found.push(InventoryConflict { place: InventoryPlace::Port(at, number), field, text });
        if !switches.contains(switch) {
            let text = format!("server {} has a port on {switch}, and no such switch is known", server.id);
            refuse("switch", format!("{text}; correct the name, or import the switch first"));
        }
        if let Some(same) = server.ports[..number].iter().find(|other| other.is_same(port)) {
            let text = format!("server {}: the port {switch} {interface} is named twice", server.id);
            let also =
                if same.interface == *interface { String::new() } else { format!(", also as {}", same.interface) };
            refuse("interface", format!("{text}{also}; keep one"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inventory(value: serde_json::Value) -> Inventory {
        serde_json::from_value(value).expect("an inventory")
    }

    fn texts(new: serde_json::Value, known: serde_json::Value) -> Vec<String> {
        inventory_conflicts(&inventory(new), &inventory(known)).into_iter().map(|found| found.text).collect()
    }

    fn server(id: i64, mac: &str, ip: &str, interfaces: &[&str]) -> serde_json::Value {
        let ports: Vec<_> = interfaces.iter().map(|name| json!({"switch": "sw-a1", "interface": name})).collect();
        json!({"id": id, "pxe_mac": mac, "primary_ip": ip, "ports": ports})
    }

    #[test]
    fn everything_that_contradicts_itself_is_told() {
        let switch = json!({"name": "sw-a1", "host": "192.0.2.1"});
        let servers = [
            server(1, "00:00:5e:00:53:01", "192.0.2.11", &["ge-0/0/1", "ge-0/0/1.0"]),
            server(1, "00:00:5e:00:53:09", "192.0.2.19", &[]),
            server(2, "00:00:5e:00:53:01", "192.0.2.11", &[]),
            server(0, "00:00:00:00:00:00", "192.0.2.13", &[]),
            server(4, "01:00:5e:00:00:01", "192.0.2.14", &[]),
        ];
        insta::assert_snapshot!(texts(json!({"switches": [switch, switch], "servers": servers}), json!({})).join("\n"), @"
        switch sw-a1 is named twice; keep one entry
        server 1: the port sw-a1 ge-0/0/1.0 is named twice, also as ge-0/0/1; keep one
        server 1 is named twice; keep one entry
        servers 1 and 2 both have the PXE MAC 00:00:5e:00:53:01; correct one
        servers 1 and 2 both have the primary address 192.0.2.11; correct one
        server 0: the id must be a positive number
        server 0: 00:00:00:00:00:00 is a placeholder; write the MAC of its network card
        server 4: 01:00:5e:00:00:01 is a group address; write the MAC of its network card
        ");
    }

    #[test]
    fn what_contradicts_the_database_is_told() {
        let known = json!({"servers": [server(1, "00:00:5e:00:53:01", "192.0.2.11", &[])]});
        let new = json!({"servers": [server(2, "00:00:5e:00:53:02", "192.0.2.11", &["ge-0/0/2"])]});
        insta::assert_snapshot!(texts(new, known).join("\n"), @"
        server 2: server 1 has the primary address 192.0.2.11 in the database; import server 1 with its new address in the same file
        server 2 has a port on sw-a1, and no such switch is known; correct the name, or import the switch first
        ");
    }

    #[test]
    fn a_network_card_of_another_server_in_the_database_is_told_and_no_conflict() {
        let both = |one: serde_json::Value, other| {
            let (new, known) = (inventory(json!({"servers": [one]})), inventory(json!({"servers": [other]})));
            (inventory_conflicts(&new, &known).len(), shared_network_cards(&new, &known))
        };
        let (conflicts, notes) =
            both(server(2, "00:00:5e:00:53:01", "192.0.2.12", &[]), server(1, "00:00:5e:00:53:01", "192.0.2.11", &[]));
        assert_eq!(conflicts, 0);
        insta::assert_snapshot!(notes.join("\n"), @"server 2 has the PXE MAC 00:00:5e:00:53:01 of server 1 in the database; correct one unless both are one machine");
        let same = server(1, "00:00:5e:00:53:01", "192.0.2.11", &[]);
        assert_eq!(both(same.clone(), same), (0, vec![]));
    }

    #[test]
    fn servers_may_exchange_their_addresses() {
        let [one, other] = ["192.0.2.11", "192.0.2.12"];
        let pair = |first, second| json!({"servers": [server(1, "00:00:5e:00:53:01", first, &[]), server(2, "00:00:5e:00:53:02", second, &[])]});
        assert_eq!(texts(pair(other, one), pair(one, other)), [""; 0]);
    }
}
