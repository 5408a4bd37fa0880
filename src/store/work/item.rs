//! What a row wants on one switch, with what the inventory says of the servers there.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use crate::domain::{BindableAddress, Desired, InterfaceName, Mac, SwitchBinding, SwitchName, TraceParent, VlanName};
use crate::store::database::engine::Row;
use crate::store::database::error::StoreError;
use crate::store::vmacs::Vmac;

/// Reads what [`give_servers`] gives.
pub(in crate::store) const SERVERS: &str = "SELECT id, pxe_mac, primary_ip, vlan_name AS server_vlan_name FROM servers
    WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";

/// A row that wants attention on one switch.
#[derive(Debug, Clone)]
pub struct WorkItem {
    /// The row.
    pub vmac: Vmac,
    /// The row's ports on this switch whose turn it is.
    pub ports: Vec<WorkPort>,
    /// The trace of the newest command that waits for the row, where its producer gave one.
    pub trace: Option<TraceParent>,
    /// Attempts on this switch that failed by the row's own fault.
    pub attempts: i64,
}

/// One of the row's ports.
#[derive(Debug, Clone)]
pub struct WorkPort {
    /// The port.
    pub interface: InterfaceName,
    /// What is wanted of it.
    pub desired: Desired,
    /// The row leaves it, and keeps others.
    pub leaving: bool,
    /// The physical MAC of its server.
    pub pxe_mac: Mac,
    /// Its server's primary address.
    pub primary_ip: Option<BindableAddress>,
    /// The VLAN of the row, else of the inventory.
    pub vlan: Option<VlanName>,
}

/// What the inventory says of a server, as far as a push needs it.
#[derive(Debug, Clone)]
struct Facts {
    pxe_mac: Mac,
    primary_ip: Option<BindableAddress>,
    vlan: Option<VlanName>,
}

impl Facts {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            pxe_mac: row.parse("pxe_mac")?,
            primary_ip: row.parse_optional("primary_ip")?,
            vlan: row.parse_optional("server_vlan_name")?,
        })
    }
}

impl WorkItem {
    /// The row of a query with its server's `pxe_mac`, `primary_ip`, `server_vlan_name`, and `traceparent` and
    /// `work_attempts`.
    pub(in crate::store) fn from_row(row: &Row, switch: &SwitchName) -> Result<Self, StoreError> {
        let vmac = Vmac::from_row(row)?;
        let traceparent: Option<String> = row.get("traceparent")?;
        let facts = Facts::from_row(row)?;
        let due = vmac.switch_bindings.iter().filter(|port| port.switch == *switch && vmac.is_due(port));
        let ports = due.map(|port| WorkPort::new(&vmac, port, facts.clone())).collect();
        let attempts = row.get("work_attempts")?;
        Ok(Self { ports, trace: traceparent.and_then(|text| text.parse().ok()), attempts, vmac })
    }
}

impl WorkPort {
    fn new(vmac: &Vmac, port: &SwitchBinding, facts: Facts) -> Self {
        let Facts { pxe_mac, primary_ip, vlan } = facts;
        let vlan = vmac.vlan_name.clone().or(vlan);
        let (interface, desired, leaving) = (port.interface.clone(), port.wants(vmac.desired), port.leaving);
        Self { interface, desired, leaving, pxe_mac, primary_ip, vlan }
    }
}

/// The servers of the items' ports on the switch that are not their rows' own, as a batch for [`SERVERS`].
pub(in crate::store) fn other_servers(items: &[WorkItem], switch: &SwitchName) -> Vec<Value> {
    let of_item = |item: &'_ WorkItem| {
        let (vmac, own) = (&item.vmac, item.vmac.server_id);
        let here = vmac.switch_bindings.iter().filter(|port| port.switch == *switch).filter_map(|port| port.server_id);
        here.filter(|id| *id != own).collect::<Vec<_>>()
    };
    let others: BTreeSet<i64> = items.iter().flat_map(of_item).collect();
    others.into_iter().map(|id| json!({"id": id})).collect()
}

/// Gives each port what is known of its own server.
pub(in crate::store) fn give_servers(
    items: &mut [WorkItem],
    switch: &SwitchName,
    servers: &[Row],
) -> Result<(), StoreError> {
    let facts = servers.iter().map(|row| Ok((row.get("id")?, Facts::from_row(row)?)));
    let facts: HashMap<i64, Facts> = facts.collect::<Result<_, StoreError>>()?;
    for item in items {
        let vmac = &item.vmac;
        let due = vmac.switch_bindings.iter().filter(|port| port.switch == *switch && vmac.is_due(port));
        for (known, port) in item.ports.iter_mut().zip(due) {
            if let Some(facts) = facts.get(&vmac.server_of(port)) {
                *known = WorkPort::new(vmac, port, facts.clone());
            }
        }
    }
    Ok(())
}
