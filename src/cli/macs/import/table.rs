//! MACs from a table: every column with a MAC-like name counts.

use super::entry::{Entry, is_of_macs};
use crate::cli::import_files::{Problems, Row, Table, normalized};
use crate::store::ElsewhereMac;

/// Reads a table in which every line has a MAC.
pub fn read(text: &str, problems: &mut Problems) -> Vec<ElsewhereMac> {
    read_lines(text, problems, |row, columns, problems| {
        problems.field(row.line, columns, "is empty; with --format netbox lines without a MAC are skipped");
    })
}

/// Reads a table in which lines may lack a MAC.
pub fn read_with_gaps(text: &str, problems: &mut Problems) -> Vec<ElsewhereMac> {
    read_lines(text, problems, |_, _, _| ())
}

fn read_lines(text: &str, problems: &mut Problems, lacks: impl Fn(&Row, &str, &mut Problems)) -> Vec<ElsewhereMac> {
    let table = Table::read(text, |name| is_of_macs(name) || name == "description", problems);
    let names: Vec<String> = table.names.iter().map(|name| normalized(name)).collect();
    let columns: Vec<usize> = (0..names.len()).filter(|column| is_of_macs(&names[*column])).collect();
    let mut macs = Vec::new();
    if columns.is_empty() {
        if table.line > 0 {
            let text =
                "has no column of MAC addresses; expected one named mac, mac_address, Primary MAC or MAC Addresses";
            problems.line(table.line, text);
        }
        return macs;
    }
    let note = names.iter().position(|name| name == "description");
    let all: Vec<&str> = columns.iter().map(|column| table.names[*column].as_str()).collect();
    for row in &table.rows {
        let mut entry = Entry::new(note.and_then(|note| row.get(note)));
        let filled: Vec<_> = columns.iter().filter_map(|column| Some((*column, row.get(*column)?))).collect();
        for (column, text) in &filled {
            entry.add_macs(&table.names[*column], row.line, text, &mut macs, problems);
        }
        if filled.is_empty() {
            lacks(row, &all.join(", "), problems);
        }
    }
    macs
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn told(text: &str, read: fn(&str, &mut Problems) -> Vec<ElsewhereMac>) -> (Vec<String>, String) {
        let mut problems = Problems::new(Path::new("m.csv"));
        let macs = read(text, &mut problems);
        let mac = |entry: ElsewhereMac| {
            let note = entry.note.map(|note| format!(" {note}")).unwrap_or_default();
            format!("{} {}{note}", entry.line, entry.mac_address)
        };
        (macs.into_iter().map(mac).collect(), problems.text())
    }

    #[test]
    fn every_notation_is_read_with_its_line_and_note() {
        let text = "name,MAC,Description\na,02:A5:00:00:00:01,old router\nb,02-a5-00-00-00-02,\n\n\"c\nc\",02a5.0000.0003\n\nd,02a500000004,x";
        let expected =
            ["2 02:a5:00:00:00:01 old router", "3 02:a5:00:00:00:02", "5 02:a5:00:00:00:03", "8 02:a5:00:00:00:04 x"];
        assert_eq!(told(text, read), (expected.map(str::to_owned).to_vec(), String::new()));
    }

    #[test]
    fn tables_of_netbox_are_read_with_all_macs_of_an_interface() {
        let text = "Name;Device;Primary MAC;MAC Addresses;Description\n\
                    eth0;h1;00:00:5E:00:53:21;00:00:5E:00:53:22,00:00:5E:00:53:21;uplink\nlo;h1;;;\n";
        let expected = ["2 00:00:5e:00:53:21 uplink", "2 00:00:5e:00:53:22 uplink"];
        assert_eq!(told(text, read_with_gaps), (expected.map(str::to_owned).to_vec(), String::new()));
        let text = "MAC Address,Assigned Object,Primary\n02:A5:00:00:00:01,eth0,True\n02:A5:00:00:00:02,,\n,,\n";
        assert_eq!(told(text, read).0, ["2 02:a5:00:00:00:01", "3 02:a5:00:00:00:02"]);
    }

    #[test]
    fn every_bad_line_is_named() {
        let text =
            "host,mac_address,bmc_mac\na,02:a5:00:00:00:01,\nb,router,N/A\nc,,\nd,02:a5,\ne,02:a5:00:00:00:02 x,\n";
        insta::assert_snapshot!(told(text, read).1, @"
        m.csv, line 3, mac_address: `router` is not a MAC address; expected one such as 02:a1:b2:c3:d4:e5, or several separated by commas
        m.csv, line 3, bmc_mac: `N/A` is not a MAC address; expected one such as 02:a1:b2:c3:d4:e5, or several separated by commas
        m.csv, line 4, mac_address, bmc_mac: is empty; with --format netbox lines without a MAC are skipped
        m.csv, line 5, mac_address: `02:a5` is not a MAC address; expected one such as 02:a1:b2:c3:d4:e5, or several separated by commas
        m.csv, line 6, mac_address: `x` is not a MAC address: expected six octets such as 02:a1:b2:c3:d4:e5
        ");
        assert_eq!(
            told("name\nx\n", read).1,
            "m.csv, line 1: has no column of MAC addresses; expected one named mac, mac_address, Primary MAC or MAC Addresses"
        );
    }
}
