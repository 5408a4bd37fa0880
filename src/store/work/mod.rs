//! What waits for a switch.

pub(super) mod due;
pub(super) mod item;
pub(super) mod leases;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::domain::{BindableAddress, BindingState, SwitchName};
use crate::store::database::clock::at_once_ms;
use crate::store::database::engine::{Arg, Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::database::tx::{Statement, Tx};
use crate::store::parts::Work;
use crate::store::vmacs::filter::on_switch;
use crate::store::vmacs::lock_vmacs;
use crate::store::vmacs::{UPDATE_VMACS, Vmac};
use crate::store::work::item::{SERVERS, WorkItem, give_servers, other_servers};
use crate::store::work::leases::work_is_due;

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
    let sql = "SELECT v.*, s.pxe_mac, s.primary_ip, s.vlan_name AS server_vlan_name, NULL AS traceparent,
                   CAST(0 AS BIGINT) AS work_attempts
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

impl Work<'_> {
    /// The rows that are due on the switch, those that have been due longest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_on(self, switch: &SwitchName, limit: i64) -> Result<Vec<WorkItem>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = format!(
            "SELECT v.*, s.pxe_mac, s.primary_ip, s.vlan_name AS server_vlan_name, {TRACE} AS traceparent,
                 w.attempts AS work_attempts
             {WAITING} AND {} ORDER BY w.due_at_ms, w.vmac_id LIMIT $2",
            work_is_due("$3", "$4")
        );
        let arguments = args![switch.as_str(), limit, now_ms, self.store.latest_ms(now_ms)];
        let rows = self.store.engine.read("read what is due on a switch", &sql, arguments).await?;
        self.items(rows, switch).await
    }

    /// The rows whose intent is settled and that have a port on the switch: what it should hold, and of these addresses
    /// also what it should not hold any more. A switch may have had any number of rows that are revoked by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wanted_on(
        self,
        switch: &SwitchName,
        addresses: &[BindableAddress],
    ) -> Result<Vec<WorkItem>, StoreError> {
        let (sql, arguments) = wanted_on(switch, addresses);
        let rows = self.store.engine.read("read what a switch should hold", &sql, arguments).await?;
        self.items(rows, switch).await
    }

    /// The database's plan for [`Self::wanted_on`].
    ///
    /// # Errors
    /// When the database fails.
    #[cfg(feature = "failpoints")]
    pub async fn plan_of_wanted_on(self, switch: &SwitchName) -> Result<String, StoreError> {
        let (sql, arguments) = wanted_on(switch, &[]);
        self.store.engine.plan_of(&sql, arguments).await
    }

    /// The items of the rows. Ports of other servers than a row's own are few and are read separately.
    async fn items(self, rows: Vec<Row>, switch: &SwitchName) -> Result<Vec<WorkItem>, StoreError> {
        let items: Result<Vec<_>, _> = rows.iter().map(|row| WorkItem::from_row(row, switch)).collect();
        let mut items = items?;
        let asked = other_servers(&items, switch);
        if !asked.is_empty() {
            let rows = self.store.engine.read("read the servers of ports", SERVERS, vec![batch_arg(asked)]).await?;
            give_servers(&mut items, switch, &rows)?;
        }
        Ok(items)
    }

    /// Queues these rows for the switch again, as after a change that was not the workers': their bindings there count as
    /// unknown until a push has seen them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_again(self, switch: &SwitchName, rows: &[i64]) -> Result<(), StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("queue rows for a switch again").await?;
        let vmacs = lock_vmacs(&mut tx, rows.iter().map(|id| json!({"id": id})).collect()).await?;
        queue(&mut tx, switch, vmacs.into_values().collect(), now).await?;
        tx.commit("queue rows for a switch again").await
    }
}

/// The statement of [`Work::wanted_on`].
fn wanted_on(switch: &SwitchName, addresses: &[BindableAddress]) -> (String, Vec<Arg>) {
    let mut arguments = vec![batch_arg(addresses.iter().map(|ip| json!({"ip": ip})).collect())];
    let sql = format!(
        "SELECT v.*, s.pxe_mac, s.primary_ip, s.vlan_name AS server_vlan_name, NULL AS traceparent,
             CAST(0 AS BIGINT) AS work_attempts
         FROM virtual_macs v JOIN servers s ON s.id = v.server_id
         WHERE (v.status = 'active' OR v.id {{in}}SELECT r.id FROM virtual_macs r
                 WHERE r.revoked_at IS NOT NULL AND r.status = 'revoked'
                     AND r.ip_address {{in}}SELECT e.value->>'ip' FROM {{rows}}{{/in}}{{/in}})
             AND {} ORDER BY v.id",
        on_switch("v.id", switch, &mut arguments)
    );
    (sql, arguments)
}

/// A row that waits for a switch.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct QueuedWork {
    pub switch: SwitchName,
    pub vmac_id: i64,
}

/// Queues rows for switches, due at once, in one order for all. What is queued already goes on as it was.
pub(super) async fn queue_work(tx: &mut Tx, work: Vec<QueuedWork>, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.together("queue work", [queued(work, now)]).await
}

/// The statement of [`queue_work`].
pub(super) fn queued(work: Vec<QueuedWork>, now: DateTime<Utc>) -> Option<Statement> {
    queued_by(work, "NOTHING", now)
}

/// The same for rows whose intent is new: what is queued already starts over.
pub(super) fn queued_anew(work: Vec<QueuedWork>, now: DateTime<Utc>) -> Option<Statement> {
    let anew = "UPDATE SET queued_at_ms = excluded.queued_at_ms, due_at_ms = excluded.due_at_ms, attempts = 0,
        first_failed_at_ms = NULL, failing_from_ms = NULL, reason_code = NULL, reason_text = NULL, told_at_ms = NULL";
    queued_by(work, anew, now)
}

fn queued_by(mut work: Vec<QueuedWork>, again: &str, now: DateTime<Utc>) -> Option<Statement> {
    work.sort_unstable();
    work.dedup();
    let sql = format!(
        "INSERT INTO switch_work (switch, vmac_id, queued_at_ms, due_at_ms)
         SELECT e.value->>'switch', CAST(e.value->>'vmac_id' AS BIGINT), $2, $3 FROM {{rows}} WHERE true
         ON CONFLICT (switch, vmac_id) DO {again}"
    );
    Statement::batch(&sql, work, args![now.timestamp_millis(), at_once_ms(now)])
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
    tx.together(
        "queue work",
        [queued_anew(due.map(|vmac| QueuedWork { switch: switch.clone(), vmac_id: vmac.id }).collect(), now)],
    )
    .await
}
