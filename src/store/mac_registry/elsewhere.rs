//! MACs that something else uses, imported from lists.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::hold::hold_allocation;
use super::holders::Holder;
use crate::domain::Mac;
use crate::store::database::clash::again_on_clash;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::MacRegistry;

/// MACs written with one statement.
const BATCH: usize = 2_000;

/// A MAC of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElsewhereMac {
    /// The MAC.
    pub mac_address: Mac,
    /// What the list says of it.
    pub note: Option<String>,
    /// Its line, or the number of its entry, from 1.
    pub line: u64,
}

/// What an import of MACs came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ElsewhereReport {
    /// MACs that were not known before.
    pub added: usize,
    /// Those that were, or that the list names again.
    pub unchanged: usize,
    /// Those that vmacd itself has handed out or keeps; nothing of them was written.
    pub conflicts: Vec<ElsewhereConflict>,
}

/// A MAC that is vmacd's own and used elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ElsewhereConflict {
    /// The MAC.
    pub mac_address: Mac,
    /// Its place in the list.
    pub line: u64,
    /// Who has it.
    pub text: String,
}

impl MacRegistry<'_> {
    /// Takes MACs in that something else uses: they are never handed out, and no binding with one is vmacd's. All or nothing;
    /// again changes nothing. Live virtual MACs, reserved and former ones are told, not written. `progress` is told how many
    /// are dealt with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn import_elsewhere(
        self,
        macs: &[ElsewhereMac],
        source: &str,
        mut progress: impl FnMut(usize),
    ) -> Result<ElsewhereReport, StoreError> {
        again_on_clash!(self.import_elsewhere_once(macs, source, &mut progress))
    }

    async fn import_elsewhere_once(
        self,
        macs: &[ElsewhereMac],
        source: &str,
        progress: &mut impl FnMut(usize),
    ) -> Result<ElsewhereReport, StoreError> {
        let now = self.store.now().await?;
        // In one order, so that two imports wait for each other instead of breaking each other.
        let lines: HashMap<Mac, &ElsewhereMac> = macs.iter().rev().map(|entry| (entry.mac_address, entry)).collect();
        let mut distinct: Vec<&ElsewhereMac> = lines.values().copied().collect();
        distinct.sort_by_key(|entry| entry.mac_address);
        let mut tx = self.store.begin("import MACs").await?;
        let (mut added, mut conflicts) = (0, Vec::new());
        for (at, batch) in distinct.chunks(BATCH).enumerate() {
            let rows: Vec<Value> =
                batch.iter().map(|entry| json!({"mac": entry.mac_address, "note": entry.note})).collect();
            added += insert(&mut tx, rows.clone(), source, now).await?;
            conflicts.extend(kept(&mut tx, rows).await?);
            progress(at * BATCH + batch.len());
        }
        // Only now, so that workers wait for a moment and not for the whole list.
        hold_allocation(&mut tx).await?;
        let live = take_live_out(&mut tx).await?;
        added -= live.len();
        conflicts.extend(live);
        tx.commit("import MACs").await?;
        Ok(report(macs.len(), added, conflicts, &lines))
    }
}

fn report(
    total: usize,
    added: usize,
    conflicts: Vec<(Mac, Holder)>,
    lines: &HashMap<Mac, &ElsewhereMac>,
) -> ElsewhereReport {
    let conflict = |(mac, holder): (Mac, Holder)| ElsewhereConflict {
        mac_address: mac,
        line: lines.get(&mac).map_or(0, |entry| entry.line),
        text: format!("{mac} {holder}"),
    };
    let mut conflicts: Vec<_> = conflicts.into_iter().map(conflict).collect();
    conflicts.sort_by_key(|conflict| conflict.line);
    ElsewhereReport { added, unchanged: total - added - conflicts.len(), conflicts }
}

/// Writes those that are not there, and says how many.
async fn insert(tx: &mut Tx, rows: Vec<Value>, source: &str, now: DateTime<Utc>) -> Result<usize, StoreError> {
    let sql = "INSERT INTO taken_macs (mac_address, kind, source, note, created_at)
        SELECT e.value->>'mac', 'elsewhere', $2, e.value->>'note', $3 FROM {rows} WHERE true
        ON CONFLICT (mac_address) DO NOTHING RETURNING mac_address";
    Ok(tx.batch("write MACs", sql, rows, args![source, now]).await?.len())
}

/// Those that vmacd itself keeps.
async fn kept(tx: &mut Tx, rows: Vec<Value>) -> Result<Vec<(Mac, Holder)>, StoreError> {
    let sql = "SELECT * FROM taken_macs WHERE kind IN ('reserved', 'former')
               AND mac_address {in}SELECT e.value->>'mac' FROM {rows}{/in}";
    let rows = tx.batch("find reserved MACs", sql, rows, Vec::new()).await?;
    rows.iter().map(|row| Ok((row.parse("mac_address")?, Holder::from_row(row)?))).collect()
}

/// Those that are live virtual MACs, written by this transaction alone: before it none was.
async fn take_live_out(tx: &mut Tx) -> Result<Vec<(Mac, Holder)>, StoreError> {
    let sql = "SELECT v.mac_address AS mac_address, 'live' AS kind, v.server_id AS server_id,
            v.ip_address AS ip_address, NULL AS source
        FROM taken_macs t JOIN virtual_macs v ON v.mac_address = t.mac_address
        WHERE t.kind = 'elsewhere' AND v.revoked_at IS NULL";
    let rows = tx.run("find live virtual MACs", sql, Vec::new()).await?;
    let live: Result<Vec<(Mac, Holder)>, StoreError> =
        rows.iter().map(|row| Ok((row.parse("mac_address")?, Holder::from_row(row)?))).collect();
    let live = live?;
    let sql = "DELETE FROM taken_macs WHERE mac_address {in}SELECT e.value->>'mac' FROM {rows}{/in}";
    let macs = live.iter().map(|(mac, _)| json!({"mac": mac})).collect();
    tx.batch("exclude live virtual MACs", sql, macs, Vec::new()).await?;
    Ok(live)
}
