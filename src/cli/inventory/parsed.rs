//! A parsed inventory file, with the place of each entry.

use std::collections::HashSet;

use crate::cli::import_files::Problems;
use crate::domain::{Inventory, InventoryConflict, InventoryPlace, SwitchName};

/// An inventory with the place of each of its entries, in the same order.
#[derive(Debug, Default, PartialEq)]
pub struct ParsedInventory {
    pub inventory: Inventory,
    pub switches: Vec<Entry>,
    pub servers: Vec<Entry>,
    /// Those of each server.
    pub ports: Vec<Vec<Entry>>,
    /// Switches that the file has, whose entries are at fault.
    pub faulty: HashSet<SwitchName>,
}

/// Where an entry is in its file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Entry {
    pub line: u64,
    /// What leads to it, as `servers[2]`; nothing in a table.
    pub path: String,
    /// The lines of its fields, where they have lines of their own.
    pub fields: Vec<(String, u64)>,
}

impl Entry {
    /// The full name of one of its fields.
    pub fn field(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn line_of(&self, name: &str) -> u64 {
        self.fields.iter().find(|(field, _)| field == name).map_or(self.line, |(_, line)| *line)
    }
}

impl ParsedInventory {
    /// Notes conflicts by the places of their entries.
    pub fn note(&self, conflicts: Vec<InventoryConflict>, problems: &mut Problems) {
        for InventoryConflict { place, field, mut text } in conflicts {
            if self.is_of_faulty_switch(place, field) {
                continue;
            }
            if let Some(first) = self.first_of_twice(place, field) {
                text.push_str(&format!(" (first in line {first})"));
            }
            match self.entry(place) {
                Some(entry) => problems.field(entry.line_of(field), entry.field(field), text),
                None => problems.file(text),
            }
        }
    }

    fn entry(&self, place: InventoryPlace) -> Option<&Entry> {
        match place {
            InventoryPlace::Switch(at) => self.switches.get(at),
            InventoryPlace::Server(at) => self.servers.get(at),
            InventoryPlace::Port(at, port) => self.ports.get(at)?.get(port),
        }
    }

    /// True if the switch is in the file, and its entry's own problem is reported already.
    fn is_of_faulty_switch(&self, place: InventoryPlace, field: &str) -> bool {
        let InventoryPlace::Port(at, port) = place else { return false };
        let switch = self.inventory.servers.get(at).and_then(|server| server.ports.get(port)).map(|port| &port.switch);
        field == "switch" && switch.is_some_and(|switch| self.faulty.contains(switch))
    }

    fn first_of_twice(&self, place: InventoryPlace, field: &str) -> Option<u64> {
        let InventoryPlace::Port(at, number) = place else { return None };
        let ports = &self.inventory.servers.get(at)?.ports;
        let first = ports[..number].iter().position(|other| other.is_same(&ports[number]))?;
        (field == "interface").then(|| self.ports[at][first].line)
    }
}
