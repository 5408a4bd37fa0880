//! What waits for a switch.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::commands::lock_vmacs;
use super::connect::Store;
use super::engine::{Row, Tx, args, batch_arg};
use super::error::StoreError;
use super::vmacs::{UPDATE_VMACS, Vmac, on_switch};
use crate::domain::{
    BindableAddress, BindingState, Desired, InterfaceName, Mac, SwitchBinding, SwitchName, TraceParent, VlanName,
};

/// A row that wants attention on one switch.
#[derive(Debug, Clone)]
pub struct WorkItem {
    /// The row.
    pub vmac: Vmac,
    /// The row's ports on this switch whose turn it is.
    pub ports: Vec<WorkPort>,
    /// The trace of the newest command that waits for the row, where its producer gave one.
    pub trace: Option<TraceParent>,
}

/// One of the row's ports.
#[derive(Debug, Clone)]
pub struct WorkPort {
    /// The port.
    pub interface: InterfaceName,
    /// What is wanted of it.
    pub desired: Desired,
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
    fn from_row(row: &Row, switch: &SwitchName) -> Result<Self, StoreError> {
        let vmac = Vmac::from_row(row)?;
        let traceparent: Option<String> = row.get("traceparent")?;
        let facts = Facts::from_row(row)?;
        let due = vmac.switch_bindings.iter().filter(|port| port.switch == *switch && vmac.is_due(port));
        let ports = due.map(|port| WorkPort::new(&vmac, port, facts.clone())).collect();
        Ok(Self { ports, trace: traceparent.and_then(|text| text.parse().ok()), vmac })
    }
}

impl WorkPort {
    fn new(vmac: &Vmac, port: &SwitchBinding, facts: Facts) -> Self {
        let Facts { pxe_mac, primary_ip, vlan } = facts;
        let vlan = vmac.vlan_name.clone().or(vlan);
        Self { interface: port.interface.clone(), desired: port.wants(vmac.desired), pxe_mac, primary_ip, vlan }
    }
}

impl Store {
    /// The rows that wait for the switch, those that wait longest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn work(&self, switch: &SwitchName, limit: i64) -> Result<Vec<WorkItem>, StoreError> {
        let sql = "SELECT v.*, s.pxe_mac, s.primary_ip, s.vlan_name AS server_vlan_name,
                       (SELECT c.traceparent FROM commands c WHERE c.vmac_id = v.id AND c.outcome IS NULL
                        ORDER BY c.id DESC LIMIT 1) AS traceparent
                   FROM switch_work w JOIN virtual_macs v ON v.id = w.vmac_id JOIN servers s ON s.id = v.server_id
                   WHERE w.switch = $1 ORDER BY w.queued_at_ms, w.vmac_id LIMIT $2";
        let rows = self.engine.read("read what waits for a switch", sql, args![switch.as_str(), limit]).await?;
        self.items(rows, switch).await
    }

    /// The rows whose intent is settled and that have a port on the switch: what it should hold, and what it should
    /// not hold any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wanted_on(&self, switch: &SwitchName) -> Result<Vec<WorkItem>, StoreError> {
        let mut arguments = Vec::new();
        let sql = format!(
            "SELECT v.*, s.pxe_mac, s.primary_ip, s.vlan_name AS server_vlan_name, NULL AS traceparent
             FROM virtual_macs v JOIN servers s ON s.id = v.server_id
             WHERE v.status IN ('active', 'revoked') AND {} ORDER BY v.id",
            on_switch(switch, &mut arguments)
        );
        let rows = self.engine.read("read what a switch should hold", &sql, arguments).await?;
        self.items(rows, switch).await
    }

    /// The items of the rows. Ports of other servers than a row's own, which are few, are looked up apart.
    async fn items(&self, rows: Vec<Row>, switch: &SwitchName) -> Result<Vec<WorkItem>, StoreError> {
        let items: Result<Vec<_>, _> = rows.iter().map(|row| WorkItem::from_row(row, switch)).collect();
        let mut items = items?;
        let others: BTreeSet<i64> = items.iter().flat_map(|item| other_servers(&item.vmac, switch)).collect();
        if others.is_empty() {
            return Ok(items);
        }
        let sql = "SELECT id, pxe_mac, primary_ip, vlan_name AS server_vlan_name FROM servers
                   WHERE id IN (SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows})";
        let asked = batch_arg(others.iter().map(|id| json!({"id": id})).collect());
        let rows = self.engine.read("read the servers of ports", sql, vec![asked]).await?;
        let facts = rows.iter().map(|row| Ok((row.get("id")?, Facts::from_row(row)?)));
        let facts: HashMap<i64, Facts> = facts.collect::<Result<_, StoreError>>()?;
        for item in &mut items {
            give_ports_their_servers(item, switch, &facts);
        }
        Ok(items)
    }

    /// Has the workers look at these rows on the switch once more, as after a change that was not theirs: their bindings
    /// there count as unknown until a push has seen them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_again(&self, switch: &SwitchName, rows: &[i64]) -> Result<(), StoreError> {
        let now = self.now().await?;
        let mut tx = self.engine.begin("queue rows for a switch again").await?;
        let mut vmacs = lock_vmacs(&mut tx, rows.iter().map(|id| json!({"id": id})).collect()).await?;
        for vmac in vmacs.values_mut() {
            let here = vmac.switch_bindings.iter_mut().filter(|binding| binding.switch == *switch);
            here.for_each(|binding| binding.state = BindingState::Pending);
        }
        let changed = vmacs.values().map(|vmac| json!(vmac)).collect();
        tx.batch("change rows", UPDATE_VMACS, changed, args![now]).await?;
        let work = vmacs.keys().map(|id| json!({"switch": switch, "vmac_id": id})).collect();
        queue_work(&mut tx, work, now).await?;
        tx.commit("queue rows for a switch again").await
    }

    /// The switches for which something has waited longer than this, with how much.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn switches_with_work(&self, longer_than: Duration) -> Result<Vec<(SwitchName, i64)>, StoreError> {
        let before_ms = self.now().await?.timestamp_millis() - i64::try_from(longer_than.as_millis()).unwrap_or(0);
        let sql = "SELECT switch, COUNT(*) AS waiting FROM switch_work WHERE queued_at_ms <= $1 GROUP BY switch";
        let rows = self.engine.read("look for waiting switches", sql, args![before_ms]).await?;
        rows.iter().map(|row| Ok((row.parse("switch")?, row.get("waiting")?))).collect()
    }
}

/// Queues rows for switches, in one order for all.
pub(super) async fn queue_work(tx: &mut Tx, mut work: Vec<Value>, now: DateTime<Utc>) -> Result<(), StoreError> {
    work.sort_by_key(ToString::to_string);
    let sql = "INSERT INTO switch_work (switch, vmac_id, queued_at_ms)
        SELECT e.value->>'switch', CAST(e.value->>'vmac_id' AS BIGINT), $2 FROM {rows} WHERE true
        ON CONFLICT (switch, vmac_id) DO NOTHING";
    tx.batch("queue work", sql, work, args![now.timestamp_millis()]).await.map(|_| ())
}

fn other_servers(vmac: &Vmac, switch: &SwitchName) -> impl Iterator<Item = i64> {
    let here = vmac.switch_bindings.iter().filter(move |port| port.switch == *switch);
    here.filter_map(|port| port.server_id).filter(move |id| *id != vmac.server_id)
}

fn give_ports_their_servers(item: &mut WorkItem, switch: &SwitchName, facts: &HashMap<i64, Facts>) {
    let vmac = &item.vmac;
    let due = vmac.switch_bindings.iter().filter(|port| port.switch == *switch && vmac.is_due(port));
    for (known, port) in item.ports.iter_mut().zip(due) {
        if let Some(facts) = facts.get(&vmac.server_of(port)) {
            *known = WorkPort::new(vmac, port, facts.clone());
        }
    }
}
