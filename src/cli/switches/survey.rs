//! Reads the switches in parallel, and the rows and the inventory beside them.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::cli::app_env::AppEnv;
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::ui::output::Output;
use crate::cli::ui::progress::Progress;
use crate::domain::audit::{AuditedRow, BoundPort, Records, SwitchContents};
use crate::domain::{Failure, Status, SwitchName};
use crate::store::{Store, Vmac, VmacFilter};
use crate::worker::survey;

/// Switches read in parallel.
const SIDE_BY_SIDE: usize = 16;
/// Rows read at a time.
const ROWS_AT_ONCE: i64 = 5_000;

/// What the switches have, and what the database says.
pub struct Survey {
    /// The switches that answered.
    pub seen: Vec<SwitchContents>,
    /// The switches that could not be read.
    pub unseen: Vec<(SwitchName, Failure)>,
    /// Rows and servers, read after the switches.
    pub known: Records,
}

impl Survey {
    /// Reads the rows and the inventory again.
    pub async fn read_rows_again(&mut self, store: &Store) -> Result<(), Fault> {
        let now = live_rows(store).await?.into_iter().map(|row| (row.id, row.updated_at)).collect();
        self.known = known(store, &self.seen, &now).await?;
        Ok(())
    }
}

/// Reads these switches, or all of them if none is named.
pub async fn read_switches(env: &AppEnv, store: &Store, output: Output, only: &[SwitchName]) -> Result<Survey, Fault> {
    let switches = chosen(store, only).await?;
    let before: HashMap<i64, DateTime<Utc>> =
        live_rows(store).await?.into_iter().map(|row| (row.id, row.updated_at)).collect();
    let progress = Progress::new(output, "checking switches", switches.len());
    let looks = switches.iter().map(|switch| async move { (switch, survey(store, &env.settings, switch).await) });
    let results: Vec<_> = stream::iter(looks)
        .buffer_unordered(SIDE_BY_SIDE)
        .enumerate()
        .inspect(|(done, _)| progress.at(done + 1))
        .map(|(_, result)| result)
        .collect()
        .await;
    progress.done();
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    for (switch, result) in results {
        match result {
            Ok(found) => seen.push(found),
            Err(failure) => unseen.push((switch.clone(), failure)),
        }
    }
    let known = known(store, &seen, &before).await?;
    Ok(Survey { seen, unseen, known })
}

async fn chosen(store: &Store, only: &[SwitchName]) -> Result<Vec<SwitchName>, Fault> {
    for name in only {
        did_you_mean::known_switch(store, name).await?;
    }
    if only.is_empty() {
        return Ok(store.switches().list().await?.into_iter().map(|known| known.switch.name).collect());
    }
    let mut names = only.to_vec();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The rows and servers as they are now; a row that changed while the switches were read is not settled.
async fn known(store: &Store, seen: &[SwitchContents], before: &HashMap<i64, DateTime<Utc>>) -> Result<Records, Fault> {
    let bound = seen.iter().flat_map(|seen| seen.bindings.iter().map(|binding| binding.mac));
    let macs: Vec<_> =
        bound.chain(seen.iter().flat_map(|seen| seen.learned.iter().map(|learned| learned.mac))).collect();
    let mut rows: BTreeMap<i64, AuditedRow> = BTreeMap::new();
    for row in live_rows(store).await?.into_iter().chain(store.vmacs().with_macs(&macs).await?) {
        let settled = row.status == Status::Revoked || before.get(&row.id) == Some(&row.updated_at);
        rows.insert(row.id, audited(row, settled));
    }
    for (mac, id) in store.mac_registry().former(&macs).await? {
        if let Some(row) = rows.get_mut(&id) {
            row.former.push(mac);
        }
    }
    Ok(Records { rows: rows.into_values().collect(), servers: store.inventory().export().await?.servers })
}

async fn live_rows(store: &Store) -> Result<Vec<Vmac>, Fault> {
    let (mut rows, mut after_id) = (Vec::new(), 0);
    loop {
        let page = store.vmacs().find(&VmacFilter { after_id, limit: ROWS_AT_ONCE, ..VmacFilter::default() }).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        after_id = last.id;
        rows.extend(page.into_iter().filter(|row| row.status != Status::Revoked));
    }
}

fn audited(row: Vmac, settled: bool) -> AuditedRow {
    let Vmac { id, server_id, ip_address, mac_address, status, desired, switch_bindings, .. } = row;
    let (ip, mac, bindings) = (ip_address, mac_address, switch_bindings);
    AuditedRow { id, server_id, ip, mac, former: Vec::new(), status, desired, settled, bindings }
}

/// The switches that could not be read, as JSON.
pub fn unchecked(unseen: &[(SwitchName, Failure)]) -> Vec<Value> {
    let as_json = |(switch, why): &(SwitchName, Failure)| json!({"switch": switch, "code": why.code, "text": why.text});
    unseen.iter().map(as_json).collect()
}

/// A binding's place in one line.
pub fn place_text(place: &BoundPort) -> String {
    let ip = place.ip.map(|ip| format!("{ip} ")).unwrap_or_default();
    format!("{} {} {ip}{}", place.switch, place.interface, place.mac)
}
