//! What waits for a switch.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::commands::lock_vmacs;
use super::connect::Store;
use super::engine::{Row, Tx, args};
use super::error::StoreError;
use super::vmacs::{UPDATE_VMACS, Vmac, on_switch};
use crate::domain::{BindableAddress, BindingState, InterfaceName, Mac, SwitchName, TraceParent, VlanName};

/// A row that wants attention on one switch.
#[derive(Debug, Clone)]
pub struct WorkItem {
    /// The row.
    pub vmac: Vmac,
    /// The row's ports on this switch.
    pub interfaces: Vec<InterfaceName>,
    /// The server's physical MAC.
    pub pxe_mac: Mac,
    /// The server's primary address.
    pub primary_ip: Option<BindableAddress>,
    /// The VLAN of the row, else of the inventory.
    pub vlan: Option<VlanName>,
    /// The trace of the newest command that waits for the row, where its producer gave one.
    pub trace: Option<TraceParent>,
}

impl WorkItem {
    fn from_row(row: &Row, switch: &SwitchName) -> Result<Self, StoreError> {
        let vmac = Vmac::from_row(row)?;
        let traceparent: Option<String> = row.get("traceparent")?;
        let here = vmac.switch_bindings.iter().filter(|binding| binding.switch == *switch);
        Ok(Self {
            interfaces: here.map(|binding| binding.interface.clone()).collect(),
            pxe_mac: row.parse("pxe_mac")?,
            primary_ip: row.parse_optional("primary_ip")?,
            vlan: vmac.vlan_name.clone().or(row.parse_optional("server_vlan_name")?),
            trace: traceparent.and_then(|text| text.parse().ok()),
            vmac,
        })
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
        rows.iter().map(|row| WorkItem::from_row(row, switch)).collect()
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
        rows.iter().map(|row| WorkItem::from_row(row, switch)).collect()
    }

    /// Has the workers look at these rows on the switch once more, as after a change that was not theirs: their bindings
    /// there count as unknown until a push has seen them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_again(&self, switch: &SwitchName, rows: &[i64]) -> Result<(), StoreError> {
        let now = self.now().await?;
        let mut tx = self.engine.begin("queue rows for a switch again").await?;
        let vmacs = lock_vmacs(&mut tx, rows.iter().map(|id| json!({"id": id})).collect()).await?;
        queue(&mut tx, switch, vmacs.into_values().collect(), now).await?;
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

/// Queues locked rows for the switch once more.
pub(super) async fn queue(
    tx: &mut Tx,
    switch: &SwitchName,
    mut vmacs: Vec<Vmac>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for vmac in &mut vmacs {
        let here = vmac.switch_bindings.iter_mut().filter(|binding| binding.switch == *switch);
        here.for_each(|binding| binding.state = BindingState::Pending);
    }
    let changed = vmacs.iter().map(|vmac| json!(vmac)).collect();
    tx.batch("change rows", UPDATE_VMACS, changed, args![now]).await?;
    let sql = "INSERT INTO switch_work (switch, vmac_id, queued_at_ms)
               SELECT $2, CAST(e.value->>'id' AS BIGINT), $3 FROM {rows} WHERE true
               ON CONFLICT (switch, vmac_id) DO NOTHING";
    let work = vmacs.iter().map(|vmac| json!({"id": vmac.id})).collect();
    tx.batch("queue work", sql, work, args![switch.as_str(), now.timestamp_millis()]).await.map(|_| ())
}
