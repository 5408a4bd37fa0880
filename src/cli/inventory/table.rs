//! Servers from a table: each line is a port, and a server with several ports has several lines.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use super::parsed::{Entry, ParsedInventory};
use crate::cli::import_files::{Problems, Row, Table, normalized};
use crate::domain::{BindableAddress, InterfaceName, Mac, Server, ServerPort, SwitchName, VlanName, shown};

/// The columns, and whether each line must fill them.
const COLUMNS: &[(&str, bool)] = &[
    ("id", true),
    ("pxe_mac", true),
    ("primary_ip", false),
    ("vlan_name", false),
    ("switch", true),
    ("interface", true),
];

/// Reads the servers of a table.
pub fn read(text: &str, problems: &mut Problems) -> ParsedInventory {
    let table = Table::read(text, |name| COLUMNS.iter().any(|(column, _)| *column == name), problems);
    let Some(columns) = columns(&table, problems) else { return ParsedInventory::default() };
    let mut drafts: Vec<Draft> = Vec::new();
    let mut known: HashMap<i64, usize> = HashMap::new();
    for row in &table.rows {
        let line = Line::read(row, &columns, problems);
        let Some(id) = line.id else { continue };
        let at = *known.entry(id).or_insert(drafts.len());
        if at == drafts.len() {
            drafts.push(Draft { id, line: row.line, ..Draft::default() });
        }
        drafts[at].take(line, row.line, problems);
    }
    let mut read = ParsedInventory::default();
    drafts.into_iter().for_each(|draft| draft.finish(&mut read));
    read
}

/// Where each column is; none where a line cannot be read.
fn columns(table: &Table, problems: &mut Problems) -> Option<HashMap<&'static str, usize>> {
    if table.line == 0 {
        return None;
    }
    let mut columns = HashMap::new();
    for (at, name) in table.names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        match COLUMNS.iter().find(|(column, _)| *column == normalized(name)) {
            None => {
                let known: Vec<&str> = COLUMNS.iter().map(|(column, _)| *column).collect();
                problems.field(table.line, name, format!("is not a known column; expected {}", known.join(", ")));
            }
            Some((column, _)) if columns.contains_key(column) => problems.field(table.line, name, "appears twice"),
            Some((column, _)) => drop(columns.insert(*column, at)),
        }
    }
    let missing: Vec<_> = COLUMNS.iter().filter(|(column, must)| *must && !columns.contains_key(column)).collect();
    for (column, _) in &missing {
        problems.field(table.line, *column, "the column is missing; the first line must name the columns");
    }
    missing.is_empty().then_some(columns)
}

/// What can be read of a line.
struct Line {
    id: Option<i64>,
    pxe_mac: Option<Mac>,
    primary_ip: Option<BindableAddress>,
    vlan_name: Option<VlanName>,
    port: Option<ServerPort>,
}

impl Line {
    fn read(row: &Row, columns: &HashMap<&'static str, usize>, problems: &mut Problems) -> Self {
        let mut fields = Fields { row, columns, problems };
        Self {
            id: fields.id(),
            pxe_mac: fields.take("pxe_mac"),
            primary_ip: fields.take("primary_ip"),
            vlan_name: fields.take("vlan_name"),
            port: {
                let (switch, interface) =
                    (fields.take::<SwitchName>("switch"), fields.take::<InterfaceName>("interface"));
                switch.zip(interface).map(|(switch, interface)| ServerPort { switch, interface })
            },
        }
    }
}

struct Fields<'a> {
    row: &'a Row,
    columns: &'a HashMap<&'static str, usize>,
    problems: &'a mut Problems,
}

impl Fields<'_> {
    fn text(&mut self, column: &'static str) -> Option<String> {
        let text = self.columns.get(column).and_then(|at| self.row.get(*at)).map(str::to_owned);
        if text.is_none() && COLUMNS.contains(&(column, true)) {
            self.problems.field(self.row.line, column, "is empty");
        }
        text
    }

    fn take<T: FromStr<Err: Display>>(&mut self, column: &'static str) -> Option<T> {
        let parsed = self.text(column)?.parse::<T>();
        parsed.map_err(|error| self.problems.field(self.row.line, column, error)).ok()
    }

    fn id(&mut self) -> Option<i64> {
        let text = self.text("id")?;
        let parsed = text.parse::<i64>();
        let problem = || format!("`{}` is not a whole number such as 1042", shown(&text));
        parsed.map_err(|_| self.problems.field(self.row.line, "id", problem())).ok()
    }
}

/// A server as far as its lines are read, each value with its first line.
#[derive(Default)]
struct Draft {
    id: i64,
    line: u64,
    pxe_mac: Option<(Mac, u64)>,
    primary_ip: Option<(BindableAddress, u64)>,
    vlan_name: Option<(VlanName, u64)>,
    ports: Vec<(ServerPort, u64)>,
}

impl Draft {
    fn take(&mut self, line: Line, at: u64, problems: &mut Problems) {
        let id = self.id;
        agree(&mut self.pxe_mac, line.pxe_mac, at, ("pxe_mac", "PXE MAC", id), problems);
        agree(&mut self.primary_ip, line.primary_ip, at, ("primary_ip", "primary address", id), problems);
        agree(&mut self.vlan_name, line.vlan_name, at, ("vlan_name", "VLAN", id), problems);
        self.ports.extend(line.port.map(|port| (port, at)));
    }

    fn finish(self, read: &mut ParsedInventory) {
        // Its unreadable lines are reported already.
        let Some((pxe_mac, _)) = self.pxe_mac else { return };
        let entry = |line| Entry { line, ..Entry::default() };
        read.servers.push(entry(self.line));
        read.ports.push(self.ports.iter().map(|(_, line)| entry(*line)).collect());
        read.inventory.servers.push(Server {
            id: self.id,
            pxe_mac,
            primary_ip: self.primary_ip.map(|(ip, _)| ip),
            vlan_name: self.vlan_name.map(|(vlan, _)| vlan),
            ports: self.ports.into_iter().map(|(port, _)| port).collect(),
        });
    }
}

/// All lines of a server say the same, or nothing: else two servers would become one.
fn agree<T: PartialEq + Display>(
    known: &mut Option<(T, u64)>,
    told: Option<T>,
    line: u64,
    (column, what, id): (&str, &str, i64),
    problems: &mut Problems,
) {
    let Some(told) = told else { return };
    match known {
        None => *known = Some((told, line)),
        Some((first, at)) if *first != told => problems.field(
            line,
            column,
            format!(
                "server {id} has the {what} {told} here and {first} in line {at}; lines with the same id are ports of one \
                 server: give each server its own id"
            ),
        ),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::{Inventory, inventory_conflicts};

    const HEADER: &str = "id,pxe_mac,primary_ip,vlan_name,switch,interface\n";

    fn servers(text: &str) -> (Inventory, String) {
        let mut problems = Problems::new(Path::new("s.csv"));
        let read = read(text, &mut problems);
        let known = serde_json::json!({"switches": [{"name": "sw-a1", "host": "h"}, {"name": "sw-a2", "host": "h"}]});
        let known = serde_json::from_value(known).expect("an inventory");
        read.note(inventory_conflicts(&read.inventory, &known), &mut problems);
        (read.inventory, problems.text())
    }

    #[test]
    fn a_line_is_a_port_of_a_server() {
        let text = format!(
            "{HEADER}1042,aa:bb:cc:dd:ee:ff,10.0.48.5,,sw-a1,ge-0/0/1.0\n1042,aa-bb-cc-dd-ee-ff,,VLAN.13,sw-a2,ge-0/0/1.0\n"
        );
        let (inventory, told) = servers(&text);
        assert_eq!((inventory.servers.len(), inventory.servers[0].ports.len(), told.as_str()), (1, 2, ""));
        assert_eq!(inventory.servers[0].vlan_name.as_ref().map(VlanName::as_str), Some("VLAN.13"));
        assert!(inventory.servers[0].primary_ip.is_some());
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        let text = "ID;PXE MAC;Primary IP;VLAN name;Switch;Interface;;\n3;00-00-5E-00-53-03;192.0.2.3;;sw-a1;ge-0/0/3;;\n;;;;;;;\n";
        for text in [text.to_owned(), text.replace(';', "\t"), text.replace(';', ",")] {
            let (inventory, told) = servers(&text);
            assert_eq!((inventory.servers.len(), told.as_str()), (1, ""), "{text}");
        }
    }

    #[test]
    fn two_servers_with_one_id_are_not_made_one() {
        let text = format!(
            "{HEADER}8,00:00:5e:00:53:08,192.0.2.8,V8,sw-a1,ge-0/0/8\n8,00:00:5e:00:53:09,192.0.2.9,V9,sw-a1,ge-0/0/9\n"
        );
        insta::assert_snapshot!(servers(&text).1, @"
        s.csv, line 3, pxe_mac: server 8 has the PXE MAC 00:00:5e:00:53:09 here and 00:00:5e:00:53:08 in line 2; lines with the same id are ports of one server: give each server its own id
        s.csv, line 3, primary_ip: server 8 has the primary address 192.0.2.9 here and 192.0.2.8 in line 2; lines with the same id are ports of one server: give each server its own id
        s.csv, line 3, vlan_name: server 8 has the VLAN V9 here and V8 in line 2; lines with the same id are ports of one server: give each server its own id
        ");
    }

    #[test]
    fn a_line_twice_and_an_address_twice_are_told_with_their_lines() {
        let line = "8,00:00:5e:00:53:08,192.0.2.8,,sw-a1,ge-0/0/8\n";
        let text = format!("{HEADER}{line}{line}9,00:00:5e:00:53:09,192.0.2.8,,sw-z,ge-0/0/9\n");
        insta::assert_snapshot!(servers(&text).1, @"
        s.csv, line 3, interface: server 8: the port sw-a1 ge-0/0/8 is named twice; keep one (first in line 2)
        s.csv, line 4, primary_ip: servers 8 and 9 both have the primary address 192.0.2.8; correct one
        s.csv, line 4, switch: server 9 has a port on sw-z, and no such switch is known; correct the name, or import the switch first
        ");
    }

    #[test]
    fn every_bad_field_is_named() {
        let text = format!("{HEADER}1042,xx,10.0.0.1/24,-v,sw-a1,GE-0/0/1\none,aa:bb:cc:dd:ee:ff,,,,\n");
        let told = servers(&text).1;
        let fields = |line: u64, names: &[&str]| {
            let named = |name: &&str| told.contains(&format!("s.csv, line {line}, {name}: "));
            assert!(names.iter().all(named), "{told}");
        };
        fields(2, &["pxe_mac", "primary_ip", "vlan_name", "interface"]);
        fields(3, &["id", "switch", "interface"]);
        assert_eq!(told.lines().count(), 7, "{told}");
    }

    #[test]
    fn columns_that_are_unknown_missing_or_there_twice_are_named() {
        insta::assert_snapshot!(servers("id,ID,mac,switch\n1,1,x,y\n").1, @"
        s.csv, line 1, ID: appears twice
        s.csv, line 1, mac: is not a known column; expected id, pxe_mac, primary_ip, vlan_name, switch, interface
        s.csv, line 1, pxe_mac: the column is missing; the first line must name the columns
        s.csv, line 1, interface: the column is missing; the first line must name the columns
        ");
    }
}
