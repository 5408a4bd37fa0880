//! `vmacd inventory`: switches and servers in and out.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::args::InventoryVerb;
use super::fault::Fault;
use super::open::Session;
use super::output::Output;
use super::progress::Progress;
use crate::domain::{BindableAddress, InterfaceName, Inventory, Mac, Server, ServerPort, SwitchName, VlanName};

/// Runs one of the verbs.
pub(super) async fn run(session: Session, output: Output, verb: InventoryVerb) -> Result<(), Fault> {
    match verb {
        InventoryVerb::Import { file } => {
            let (inventory, store) = (read(&file)?, session.store().await?);
            let progress = Progress::new(output, "importing", inventory.switches.len() + inventory.servers.len());
            let report = store.import_with(&inventory, |done| progress.at(done)).await?;
            progress.done();
            output.one(&report, || {
                format!("{} added, {} updated, {} unchanged", report.added, report.updated, report.unchanged)
            })
        }
        InventoryVerb::Export => {
            let inventory = session.store_as_it_is().await?.export().await?;
            let text = serde_json::to_string_pretty(&inventory)?;
            output.one(&inventory, || text)
        }
    }
}

/// Reads an inventory file by its ending.
fn read(file: &Path) -> Result<Inventory, Fault> {
    let at_fault = |error: String| Fault::input(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| at_fault(error.to_string()))?;
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => serde_json::from_str(&text).map_err(|error| at_fault(error.to_string())),
        Some("toml") => toml::from_str(&text).map_err(|error| at_fault(error.to_string())),
        Some("csv") => servers(&text).map_err(|error| at_fault(error.to_string())),
        _ => Err(at_fault("unknown kind of file; expected .json, .toml or .csv".to_owned())),
    }
}

/// One line of a CSV of servers; a server with several ports has several lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: i64,
    pxe_mac: Mac,
    primary_ip: Option<BindableAddress>,
    vlan_name: Option<VlanName>,
    switch: SwitchName,
    interface: InterfaceName,
}

fn servers(text: &str) -> Result<Inventory, csv::Error> {
    let mut servers: Vec<Server> = Vec::new();
    let mut known: HashMap<i64, usize> = HashMap::new();
    for line in csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes()).deserialize() {
        let Line { id, pxe_mac, primary_ip, vlan_name, switch, interface } = line?;
        let port = ServerPort { switch, interface };
        let at = *known.entry(id).or_insert(servers.len());
        match servers.get_mut(at) {
            Some(server) => server.ports.push(port),
            None => servers.push(Server { id, pxe_mac, primary_ip, vlan_name, ports: vec![port] }),
        }
    }
    Ok(Inventory { switches: Vec::new(), servers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_line_is_a_port_of_a_server() {
        let text = "id,pxe_mac,primary_ip,vlan_name,switch,interface\n\
                    1042,aa:bb:cc:dd:ee:ff,10.0.48.5,,sw-a1,ge-0/0/1.0\n\
                    1042,aa:bb:cc:dd:ee:ff,10.0.48.5,,sw-a2,ge-0/0/1.0\n";
        let inventory = servers(text).expect("an inventory");
        assert_eq!((inventory.servers.len(), inventory.servers[0].ports.len()), (1, 2));
        assert_eq!(inventory.servers[0].vlan_name, None);
    }

    #[test]
    fn a_bad_line_is_named() {
        let text = "id,pxe_mac,primary_ip,vlan_name,switch,interface\n1042,xx,,,sw-a1,ge-0/0/1.0\n";
        let error = servers(text).expect_err("refused").to_string();
        assert!(error.contains("line: 2") && error.contains("`xx` is not a MAC address"), "{error}");
    }
}
