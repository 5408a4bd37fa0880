//! The whole inventory from JSON or TOML.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::parsed::{Entry, ParsedInventory};
use crate::cli::import_files::{Node, NodeAtLine, Problems};
use crate::domain::{CredentialName, InterfaceName, Server, ServerPort, Switch, SwitchName, shown};

/// Reads switches and servers.
pub fn read(root: &NodeAtLine, problems: &mut Problems) -> ParsedInventory {
    let mut read = ParsedInventory::default();
    if root.node.get("results").is_some() {
        problems.file("is a page of an API; an inventory is an object with `switches` and `servers`");
        return read;
    }
    let Some(mut fields) = Fields::of(root, String::new(), &["switches", "servers"], problems) else { return read };
    let (switches, servers) = (fields.list("switches"), fields.list("servers"));
    for (at, spot) in switches.iter().enumerate() {
        switch(spot, format!("switches[{at}]"), &mut read, problems);
    }
    for (at, spot) in servers.iter().enumerate() {
        server(spot, format!("servers[{at}]"), &mut read, problems);
    }
    read
}

fn switch(spot: &NodeAtLine, path: String, read: &mut ParsedInventory, problems: &mut Problems) {
    const FIELDS: &[&str] =
        &["name", "host", "port", "host_key", "dialect", "duplicates", "ssh_profile", "credential", "site", "drift"];
    let Some(mut fields) = Fields::of(spot, path, FIELDS, problems) else { return };
    let name: Option<SwitchName> = fields.required("name");
    let (host, port, host_key) = (fields.required("host"), fields.port(), fields.text("host_key"));
    let dialect = fields.one_of("dialect", &["auto", "els", "non-els"]).unwrap_or_default();
    let duplicates = fields.one_of("duplicates", &["auto", "none", "port", "vlan", "switch"]).unwrap_or_default();
    let ssh_profile = fields.one_of("ssh_profile", &["modern", "legacy"]).unwrap_or_default();
    let credential = fields.text("credential").map(CredentialName).unwrap_or_default();
    let (site, drift) = (fields.text("site"), fields.one_of("drift", &["observe", "enforce", "off"]));
    let named = name.clone().zip(host);
    let switch = named.map(|(name, host)| Switch {
        name,
        host,
        port,
        host_key,
        dialect,
        duplicates,
        ssh_profile,
        credential,
        site,
        drift,
    });
    match switch.filter(|_| fields.sound) {
        Some(switch) => {
            read.switches.push(fields.entry);
            read.inventory.switches.push(switch);
        }
        None => read.faulty.extend(name),
    }
}

fn server(spot: &NodeAtLine, path: String, read: &mut ParsedInventory, problems: &mut Problems) {
    const FIELDS: &[&str] = &["id", "pxe_mac", "primary_ip", "vlan_name", "ports"];
    let Some(mut fields) = Fields::of(spot, path, FIELDS, problems) else { return };
    let (id, pxe_mac) = (fields.id(), fields.required("pxe_mac"));
    let (primary_ip, vlan_name, spots) = (fields.text("primary_ip"), fields.text("vlan_name"), fields.list("ports"));
    let Fields { entry, mut sound, .. } = fields;
    let (mut ports, mut entries) = (Vec::new(), Vec::new());
    for (at, spot) in spots.iter().enumerate() {
        match port(spot, format!("{}.ports[{at}]", entry.path), problems) {
            Some((port, entry)) => {
                ports.push(port);
                entries.push(entry);
            }
            None => sound = false,
        }
    }
    let Some((id, pxe_mac)) = id.zip(pxe_mac).filter(|_| sound) else { return };
    read.servers.push(entry);
    read.ports.push(entries);
    read.inventory.servers.push(Server { id, pxe_mac, primary_ip, vlan_name, ports });
}

fn port(spot: &NodeAtLine, path: String, problems: &mut Problems) -> Option<(ServerPort, Entry)> {
    let mut fields = Fields::of(spot, path, &["switch", "interface"], problems)?;
    let (switch, interface) = (fields.required("switch"), fields.required::<InterfaceName>("interface"));
    let port = switch.zip(interface).map(|(switch, interface)| ServerPort { switch, interface });
    port.filter(|_| fields.sound).map(|port| (port, fields.entry))
}

/// The fields of an object. What is wrong with one is noted, and the object is not sound then.
struct Fields<'a, 'p> {
    node: &'a Node,
    entry: Entry,
    problems: &'p mut Problems,
    sound: bool,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// The fields of an object that may have these.
    fn of(spot: &'a NodeAtLine, path: String, known: &[&str], problems: &'p mut Problems) -> Option<Self> {
        let Node::Map(pairs) = &spot.node else {
            let text = format!("expected an object with {}, not {}", known.join(", "), spot.node.kind());
            match path.is_empty() {
                true => problems.line(spot.line, text),
                false => problems.field(spot.line, path, text),
            }
            return None;
        };
        let fields = pairs.iter().map(|(key, value)| (key.clone(), value.line)).collect();
        let entry = Entry { line: spot.line, path, fields };
        let mut sound = true;
        for (at, (key, value)) in pairs.iter().enumerate() {
            let twice = pairs[..at].iter().any(|(other, _)| other == key);
            let text = match () {
                () if !known.contains(&key.as_str()) => format!("is not a known field; expected {}", known.join(", ")),
                () if twice => "is given twice".to_owned(),
                () => continue,
            };
            sound = false;
            problems.field(value.line, entry.field(key), text);
        }
        Some(Self { node: &spot.node, entry, problems, sound })
    }

    fn refuse(&mut self, line: u64, name: &str, text: impl Display) {
        self.sound = false;
        self.problems.field(line, self.entry.field(name), text);
    }

    fn text_at(&mut self, name: &str) -> Option<(&'a str, u64)> {
        let NodeAtLine { line, node } = self.node.get(name)?;
        let Node::Text(text) = node else {
            self.refuse(*line, name, format!("expected text in quotes, not {}", node.kind()));
            return None;
        };
        Some((text, *line))
    }

    fn text<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let (text, line) = self.text_at(name)?;
        text.parse().map_err(|error| self.refuse(line, name, error)).ok()
    }

    fn required<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        if self.has(name) { self.text(name) } else { None }
    }

    /// Whether something is given; that it must be is noted else.
    fn has(&mut self, name: &str) -> bool {
        let (line, lack) = match self.node.get(name) {
            None => (self.entry.line, "is missing"),
            Some(NodeAtLine { line, node: Node::Text(text) }) if text.trim().is_empty() => (*line, "is empty"),
            Some(_) => return true,
        };
        self.refuse(line, name, lack);
        false
    }

    fn one_of<T: DeserializeOwned>(&mut self, name: &str, words: &[&str]) -> Option<T> {
        let (text, line) = self.text_at(name)?;
        let parsed = serde_json::from_value(text.into()).ok();
        if parsed.is_none() {
            self.refuse(line, name, format!("`{}` is unknown; expected {}", shown(text), words.join(", ")));
        }
        parsed
    }

    fn number(&mut self, name: &str, expected: &str) -> Option<(i64, u64)> {
        let NodeAtLine { line, node } = self.node.get(name)?;
        match node {
            Node::Integer(number) => Some((*number, *line)),
            Node::Other(number) => {
                self.refuse(*line, name, format!("expected {expected}, not {number}"));
                None
            }
            other => {
                self.refuse(*line, name, format!("expected {expected}, not {}", other.kind()));
                None
            }
        }
    }

    fn id(&mut self) -> Option<i64> {
        if !self.has("id") {
            return None;
        }
        self.number("id", "a whole number such as 1042").map(|(id, _)| id)
    }

    /// The port of a switch's NETCONF or SSH service; 830 if it is not given.
    fn port(&mut self) -> u16 {
        const EXPECTED: &str = "a number from 1 to 65535";
        let Some((number, line)) = self.number("port", EXPECTED) else { return 830 };
        let port = u16::try_from(number).ok().filter(|port| *port > 0);
        if port.is_none() {
            self.refuse(line, "port", format!("expected {EXPECTED}, not {number}"));
        }
        port.unwrap_or(830)
    }

    fn list(&mut self, name: &str) -> &'a [NodeAtLine] {
        match self.node.get(name) {
            None => &[],
            Some(NodeAtLine { node: Node::List(spots), .. }) => spots,
            Some(NodeAtLine { line, node }) => {
                self.refuse(*line, name, format!("expected a list, not {}", node.kind()));
                &[]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::import_files::{json, toml};
    use crate::domain::{Inventory, inventory_conflicts};

    fn told(text: &str, reader: fn(&str, &mut Problems) -> Option<NodeAtLine>) -> (Inventory, String) {
        let mut problems = Problems::new(Path::new("i"));
        let root = reader(text, &mut problems);
        let read = root.map(|root| read(&root, &mut problems)).unwrap_or_default();
        read.note(inventory_conflicts(&read.inventory, &Inventory::default()), &mut problems);
        (read.inventory, problems.text())
    }

    /// Every field that there is.
    fn full() -> Inventory {
        serde_json::from_value(serde_json::json!({
            "switches": [{"name": "sw-a1", "host": "192.0.2.1", "port": 22, "host_key": "SHA256:x", "dialect": "els",
                "duplicates": "port", "ssh_profile": "legacy", "credential": "old", "site": "ams1", "drift": "enforce"},
                {"name": "sw-a2", "host": "sw-a2.example.net"}],
            "servers": [{"id": 1042, "pxe_mac": "00:00:5e:00:53:01", "primary_ip": "192.0.2.5", "vlan_name": "VLAN.13",
                "ports": [{"switch": "sw-a1", "interface": "ge-0/0/1.0"}, {"switch": "sw-a2", "interface": "ae1"}]},
                {"id": 1043, "pxe_mac": "00:00:5e:00:53:02"}]
        }))
        .expect("an inventory")
    }

    #[test]
    fn what_is_exported_is_read_in_either_form() {
        let exported = serde_json::to_string_pretty(&full()).expect("JSON");
        assert_eq!(told(&exported, json), (full(), String::new()));
        let exported = ::toml::to_string(&full()).expect("TOML");
        assert_eq!(told(&exported, toml), (full(), String::new()));
        assert_eq!(told("{}", json), (Inventory::default(), String::new()));
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_line_and_path() {
        let text = r#"{"switches": [
            {"name": "sw-a1", "host": " ", "port": 70000, "dialect": "junos", "ssh_profile": 1, "colour": "red"},
            {"name": "sw-a2", "host": "h", "port": "830", "host": "i"},
            "sw-a3"],
          "servers": [
            {"id": "1042", "pxe_mac": "xx", "ports": [{"switch": "sw a", "interface": "ge-0/0/1"}, {}]},
            {"pxe_mac": "00:00:5e:00:53:01",
             "primary_ip": "192.0.2.0/24", "ports": "ge-0/0/1"},
            {"id": 1, "pxe_mac": "00:00:5e:00:53:02", "ports": [{"switch": "sw-a1", "interface": "ge-0/0/1"}]},
            {"id": 1.5, "pxe_mac": "00:00:5e:00:53:02", "ports": [{"switch": "sw-a1",
             "interface": "ge-0/0/1"}]},
            {"id": 1,
             "pxe_mac": "00:00:5e:00:53:03"}],
          "racks": []}"#;
        insta::assert_snapshot!(told(text, json).1, @"
        i, line 14, racks: is not a known field; expected switches, servers
        i, line 2, switches[0].colour: is not a known field; expected name, host, port, host_key, dialect, duplicates, ssh_profile, credential, site, drift
        i, line 2, switches[0].host: is empty
        i, line 2, switches[0].port: expected a number from 1 to 65535, not 70000
        i, line 2, switches[0].dialect: `junos` is unknown; expected auto, els, non-els
        i, line 2, switches[0].ssh_profile: expected text in quotes, not a number
        i, line 3, switches[1].host: is given twice
        i, line 3, switches[1].port: expected a number from 1 to 65535, not text in quotes
        i, line 4, switches[2]: expected an object with name, host, port, host_key, dialect, duplicates, ssh_profile, credential, site, drift, not text in quotes
        i, line 6, servers[0].id: expected a whole number such as 1042, not text in quotes
        i, line 6, servers[0].pxe_mac: `xx` is not a MAC address: expected six octets such as 02:a1:b2:c3:d4:e5
        i, line 6, servers[0].ports[0].switch: `sw a` is not a switch name: expected letters, digits, `-`, `_` and `.`, starting with a letter or digit, at most 64 characters
        i, line 6, servers[0].ports[1].switch: is missing
        i, line 6, servers[0].ports[1].interface: is missing
        i, line 7, servers[1].id: is missing
        i, line 8, servers[1].primary_ip: `192.0.2.0/24` has a prefix length: write 192.0.2.0 for this address alone
        i, line 8, servers[1].ports: expected a list, not text in quotes
        i, line 10, servers[3].id: expected a whole number such as 1042, not 1.5
        i, line 12, servers[4].id: server 1 is named twice; keep one entry
        ");
    }

    #[test]
    fn what_is_no_inventory_is_refused() {
        assert!(told("[]", json).1.starts_with("i, line 1: expected an object with switches, servers, not a list"));
        assert!(told(r#"{"count": 0, "results": []}"#, json).1.contains("is a page of an API"));
        assert!(told("servers = 1", toml).1.starts_with("i, line 1, servers: expected a list, not a number"));
    }
}
