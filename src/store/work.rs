//! What waits for a switch.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::commands::lock_vmacs;
use super::connect::Store;
use super::engine::{Row, Tx, args, batch_arg};
use super::error::StoreError;
use super::vmacs::{UPDATE_VMACS, Vmac, on_switch};
use super::work_item::{SERVERS, WorkItem, give_servers, other_servers};
use crate::domain::{BindingState, SwitchName};

const WAITING: &str = "FROM switch_work w JOIN virtual_macs v ON v.id = w.vmac_id JOIN servers s ON s.id = v.server_id
    WHERE w.switch = $1";

/// The trace of the newest open command of a row. By the row's own index, as where open commands are read.
const TRACE: &str =
    "(SELECT c.traceparent FROM commands c WHERE c.vmac_id = v.id AND COALESCE(c.outcome, 'open') = 'open'
    ORDER BY c.arrival DESC, c.id DESC LIMIT 1)";

/// What these rows want on these switches, as the transaction sees them.
pub(super) async fn work_of(
    tx: &mut Tx,
    rows: &[(i64, Vec<SwitchName>)],
) -> Result<BTreeMap<SwitchName, Vec<WorkItem>>, StoreError> {
    let sql = "SELECT v.*, s.pxe_mac, s.primary_ip, s.vlan_name AS server_vlan_name, NULL AS traceparent
               FROM virtual_macs v JOIN servers s ON s.id = v.server_id
               WHERE v.id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in} ORDER BY v.id";
    let ids = rows.iter().map(|(id, _)| json!({"id": id})).collect();
    let mut work: BTreeMap<SwitchName, Vec<WorkItem>> = BTreeMap::new();
    for row in tx.batch("read what rows want", sql, ids, Vec::new()).await? {
        let id: i64 = row.get("id")?;
        for switch in rows.iter().filter(|(of, _)| *of == id).flat_map(|(_, switches)| switches) {
            work.entry(switch.clone()).or_default().push(WorkItem::from_row(&row, switch)?);
        }
    }
    for (switch, items) in &mut work {
        let asked = other_servers(items, switch);
        give_servers(items, switch, &tx.batch("read the servers of ports", SERVERS, asked, Vec::new()).await?)?;
    }
    Ok(work)
}

/// Locks the rows that wait for the switch and have another failure text, in the order of everybody; their ids.
pub(super) async fn lock_work(tx: &mut Tx, switch: &SwitchName, text: &str) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT v.id FROM virtual_macs v
               WHERE v.id IN (SELECT w.vmac_id FROM switch_work w WHERE w.switch = $1)
                   AND COALESCE(v.failure_text, '') <> $2
               ORDER BY v.id {for_update}";
    let rows = tx.run("lock rows that wait", sql, args![switch.as_str(), text]).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

impl Store {
    /// True when something waits for the switch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_work(&self, switch: &SwitchName) -> Result<bool, StoreError> {
        let sql = format!("SELECT 1 AS one {WAITING} LIMIT 1");
        let rows = self.engine.read("look whether anything waits", &sql, args![switch.as_str()]).await?;
        Ok(!rows.is_empty())
    }

    /// The rows that wait for the switch, those that wait longest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn work(&self, switch: &SwitchName, limit: i64) -> Result<Vec<WorkItem>, StoreError> {
        let sql = format!(
            "SELECT v.*, s.pxe_mac, s.primary_ip, s.vlan_name AS server_vlan_name, {TRACE} AS traceparent
             {WAITING} ORDER BY w.queued_at_ms, w.vmac_id LIMIT $2"
        );
        let rows = self.engine.read("read what waits for a switch", &sql, args![switch.as_str(), limit]).await?;
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
        let asked = other_servers(&items, switch);
        if !asked.is_empty() {
            let rows = self.engine.read("read the servers of ports", SERVERS, vec![batch_arg(asked)]).await?;
            give_servers(&mut items, switch, &rows)?;
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

/// A row that waits for a switch.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Waits {
    pub switch: SwitchName,
    pub vmac_id: i64,
}

/// Queues rows for switches, in one order for all.
pub(super) async fn queue_work(tx: &mut Tx, mut work: Vec<Waits>, now: DateTime<Utc>) -> Result<(), StoreError> {
    work.sort_unstable();
    let sql = "INSERT INTO switch_work (switch, vmac_id, queued_at_ms)
        SELECT e.value->>'switch', CAST(e.value->>'vmac_id' AS BIGINT), $2 FROM {rows} WHERE true
        ON CONFLICT (switch, vmac_id) DO NOTHING";
    tx.batch("queue work", sql, work, args![now.timestamp_millis()]).await.map(|_| ())
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
    tx.batch("change rows", UPDATE_VMACS, vmacs.iter().collect(), args![now]).await?;
    let due = vmacs.iter().filter(|vmac| vmac.switches_due().contains(switch));
    queue_work(tx, due.map(|vmac| Waits { switch: switch.clone(), vmac_id: vmac.id }).collect(), now).await
}
