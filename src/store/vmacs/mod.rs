//! Reading virtual MACs and their history.

pub(super) mod adopt;
pub(super) mod filter;
pub(super) mod history;
pub(super) mod ownership;
pub(super) mod ports;
pub(super) mod recognise;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::domain::{BindableAddress, Desired, GroupName, Mac, Requester, Status, SwitchBinding, VlanName, VmacName};
use crate::store::database::engine::{Arg, Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::Vmacs;
use crate::store::vmacs::filter::{VmacFilter, conditions};

/// A row of `virtual_macs`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vmac {
    /// Its number.
    pub id: i64,
    /// The server.
    pub server_id: i64,
    /// The address.
    pub ip_address: BindableAddress,
    /// The virtual MAC.
    pub mac_address: Mac,
    /// The VLAN, named by the producer or found at the push.
    pub vlan_name: Option<VlanName>,
    /// What was observed.
    pub status: Status,
    /// What is wanted.
    pub desired: Desired,
    /// How often what is wanted has changed.
    pub generation: i64,
    /// The state of each port.
    pub switch_bindings: Vec<SwitchBinding>,
    /// The reason code of the last failure.
    pub failure_code: Option<String>,
    /// The last failure.
    pub failure_text: Option<String>,
    /// Failed pushes since the intent last changed.
    pub attempts: i64,
    /// The group of servers that share the address; none for an address of one server.
    pub group: Option<GroupName>,
    /// Who asked.
    pub requested_by: Option<String>,
    /// The producer's own reference.
    pub reference: Option<String>,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it became active.
    pub activated_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A part of a list of virtual MACs.
#[derive(Debug, Clone, PartialEq)]
pub struct VmacPage {
    /// Those that match.
    pub vmacs: Vec<Vmac>,
    /// The `after_id` of the next part; none after the last.
    pub goes_on_after: Option<i64>,
}

/// One line of a virtual MAC's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimelineEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What happened.
    pub text: String,
}

impl Vmac {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            server_id: row.get("server_id")?,
            ip_address: row.parse("ip_address")?,
            mac_address: row.parse("mac_address")?,
            vlan_name: row.parse_optional("vlan_name")?,
            status: row.parse("status")?,
            desired: row.parse("desired")?,
            generation: row.get("generation")?,
            switch_bindings: row.json("switch_bindings")?,
            failure_code: row.get("failure_code")?,
            failure_text: row.get("failure_text")?,
            attempts: row.get("attempts")?,
            group: row.parse_optional("group_name")?,
            requested_by: row.get("requested_by")?,
            reference: row.get("reference")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            activated_at: row.get("activated_at")?,
            revoked_at: row.get("revoked_at")?,
        })
    }
}

/// Writes rows back after a change; `$2` is the time.
pub(super) const UPDATE_VMACS: &str = "UPDATE virtual_macs SET
        server_id = CAST(e.value->>'server_id' AS BIGINT), mac_address = e.value->>'mac_address', vlan_name = e.value->>'vlan_name', status = e.value->>'status', desired = e.value->>'desired',
        generation = CAST(e.value->>'generation' AS BIGINT), switch_bindings = e.value->'switch_bindings',
        failure_code = e.value->>'failure_code', failure_text = e.value->>'failure_text',
        attempts = CAST(e.value->>'attempts' AS BIGINT), updated_at = $2,
        requested_by = e.value->>'requested_by', reference = e.value->>'reference',
        activated_at = CASE WHEN e.value->>'status' = 'active' AND virtual_macs.status <> 'active'
                       THEN $2 ELSE activated_at END,
        revoked_at = CASE WHEN e.value->>'status' = 'revoked' AND virtual_macs.status <> 'revoked'
                     THEN $2 ELSE revoked_at END
    FROM {rows} WHERE virtual_macs.id = CAST(e.value->>'id' AS BIGINT)
        AND virtual_macs.id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";

/// The statement of [`Vmacs::find_page`].
fn page(filter: &VmacFilter, numbers: Arg) -> (String, Vec<Arg>) {
    let (beyond, order) = if filter.newest_first { ("<", "DESC") } else { (">", "ASC") };
    let from = if filter.newest_first && filter.after_id == 0 { i64::MAX } else { filter.after_id };
    let mut arguments = vec![numbers, from.into(), filter.limit.into()];
    let conditions = conditions(filter, &mut arguments);
    let sql = format!(
        "SELECT * FROM virtual_macs WHERE CAST($1 AS TEXT) IS NOT NULL AND id {beyond} $2{conditions}
         ORDER BY id {order} LIMIT $3"
    );
    (sql, arguments)
}

/// Most commands, and most events, in a history.
const HISTORY_MAX: i64 = 1_000;

impl Vmacs<'_> {
    /// The virtual MAC of this number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn get(self, id: i64) -> Result<Vmac, StoreError> {
        let rows =
            self.store.engine.read("read a virtual MAC", "SELECT * FROM virtual_macs WHERE id = $1", args![id]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "virtual MAC", id: id.to_string() })?;
        Vmac::from_row(row)
    }

    /// The virtual MAC of this name: the live one, else the newest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn named(self, name: VmacName) -> Result<Vmac, StoreError> {
        let filter = match name {
            VmacName::Id(id) => return self.get(id).await,
            VmacName::Ip(ip) => VmacFilter { ip: Some(ip), ..VmacFilter::default() },
            VmacName::Mac(mac) => VmacFilter { mac: Some(mac), ..VmacFilter::default() },
        };
        // A live row may be older than a revoked one: it was revived.
        let newest = self.find(&filter).await?.into_iter().max_by_key(|vmac| (vmac.status != Status::Revoked, vmac.id));
        newest.ok_or_else(|| StoreError::NotFound { what: "virtual MAC", id: name.to_string() })
    }

    /// The virtual MACs that match, by their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(self, filter: &VmacFilter) -> Result<Vec<Vmac>, StoreError> {
        Ok(self.find_page(filter).await?.vmacs)
    }

    /// The same with where the list goes on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_page(self, filter: &VmacFilter) -> Result<VmacPage, StoreError> {
        let (sql, arguments) = page(filter, self.numbers(filter).await?);
        let rows = self.store.engine.read("list virtual MACs", &sql, arguments).await?;
        let vmacs = rows.iter().map(Vmac::from_row).collect::<Result<Vec<_>, _>>()?;
        let is_full = i64::try_from(vmacs.len()).is_ok_and(|count| count >= filter.limit);
        let goes_on_after = vmacs.last().filter(|_| is_full).map(|last| last.id);
        Ok(VmacPage { vmacs, goes_on_after })
    }

    /// The database's plan for [`Self::find_page`].
    ///
    /// # Errors
    /// When the database fails.
    #[cfg(feature = "failpoints")]
    pub async fn plan_of_find_page(self, filter: &VmacFilter) -> Result<String, StoreError> {
        let (sql, arguments) = page(filter, self.numbers(filter).await?);
        self.store.engine.plan_of(&sql, arguments).await
    }

    /// How many virtual MACs match, on all pages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(self, filter: &VmacFilter) -> Result<i64, StoreError> {
        let mut arguments = vec![self.numbers(filter).await?];
        let conditions = conditions(filter, &mut arguments);
        let sql =
            format!("SELECT COUNT(*) AS rows_counted FROM virtual_macs WHERE CAST($1 AS TEXT) IS NOT NULL{conditions}");
        let rows = self.store.engine.read("count virtual MACs", &sql, arguments).await?;
        rows.first().ok_or(StoreError::NoAnswer { what: "count virtual MACs" })?.get("rows_counted")
    }

    /// What happened to a virtual MAC, oldest first: the newest of its commands and its events, a thousand each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn timeline(self, vmac_id: i64) -> Result<Vec<TimelineEntry>, StoreError> {
        let commands = "SELECT message_key, action, body, received_at FROM commands WHERE vmac_id = $1
                        ORDER BY id DESC LIMIT $2";
        let events = "SELECT routing_key, body->'reason'->>'text' AS reason, created_at FROM events WHERE vmac_id = $1
                      ORDER BY id DESC LIMIT $2";
        let mut timeline = Vec::new();
        for row in self.store.engine.read("read a history", commands, args![vmac_id, HISTORY_MAX]).await? {
            let (action, key): (String, String) = (row.get("action")?, row.get("message_key")?);
            let requester = Requester::of_body(&row.get::<Vec<u8>>("body")?);
            let text = format!("{action} requested{requester} (message {key})");
            timeline.push(TimelineEntry { at: row.get("received_at")?, text });
        }
        for row in self.store.engine.read("read a history", events, args![vmac_id, HISTORY_MAX]).await? {
            let (key, reason): (String, Option<String>) = (row.get("routing_key")?, row.get("reason")?);
            let reason = reason.map(|text| format!(": {text}")).unwrap_or_default();
            timeline.push(TimelineEntry { at: row.get("created_at")?, text: format!("{key}{reason}") });
        }
        timeline.sort_by_key(|entry| entry.at);
        Ok(timeline)
    }

    /// The virtual MACs of these numbers, as many as there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self, ids: &[i64]) -> Result<Vec<Vmac>, StoreError> {
        let batch = batch_arg(ids.iter().map(|id| json!({"id": id})).collect());
        let sql = "SELECT * FROM virtual_macs WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in} ORDER BY id";
        let rows = self.store.engine.read("read virtual MACs", sql, vec![batch]).await?;
        rows.iter().map(Vmac::from_row).collect()
    }

    /// The rows, live and revoked, that have or had one of the MACs, by their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn with_macs(self, macs: &[Mac]) -> Result<Vec<Vmac>, StoreError> {
        let batch = batch_arg(macs.iter().map(|mac| json!({"mac": mac})).collect());
        let sql = "SELECT * FROM virtual_macs WHERE id IN (
                       SELECT v.id FROM virtual_macs v JOIN {rows} ON v.mac_address = e.value->>'mac'
                       UNION SELECT t.vmac_id FROM taken_macs t JOIN {rows} ON t.mac_address = e.value->>'mac'
                       WHERE t.kind = 'former')
                   ORDER BY id";
        let rows = self.store.engine.read("find rows by MAC", sql, vec![batch]).await?;
        rows.iter().map(Vmac::from_row).collect()
    }

    /// Those of the MACs that are or were virtual MACs; not one that something else uses since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ours_among(self, macs: &[Mac]) -> Result<HashSet<Mac>, StoreError> {
        let batch = batch_arg(macs.iter().map(|mac| json!({"mac": mac})).collect());
        let sql = "SELECT mac_address FROM virtual_macs WHERE mac_address {in}SELECT e.value->>'mac' FROM {rows}{/in}
                       AND NOT EXISTS (SELECT 1 FROM taken_macs t
                           WHERE t.mac_address = virtual_macs.mac_address AND t.kind = 'elsewhere')
                   UNION SELECT mac_address FROM taken_macs WHERE kind = 'former'
                       AND mac_address {in}SELECT e.value->>'mac' FROM {rows}{/in}";
        let rows = self.store.engine.read("find MACs", sql, vec![batch]).await?;
        rows.iter().map(|row| row.parse("mac_address")).collect()
    }
}

/// Reads and locks rows by their ids, in one order for all, so that two transactions do not stand in each
/// other's way.
pub(super) async fn lock_vmacs(tx: &mut Tx, ids: Vec<serde_json::Value>) -> Result<HashMap<i64, Vmac>, StoreError> {
    let sql = "SELECT * FROM virtual_macs WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}
               ORDER BY id {for_update}";
    let rows = tx.batch("lock rows", sql, ids, Vec::new()).await?;
    rows.iter().map(|row| Vmac::from_row(row).map(|vmac| (vmac.id, vmac))).collect()
}
