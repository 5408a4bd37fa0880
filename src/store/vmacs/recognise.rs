//! Recognising bindings of vmacd's own that the rows have lost: a database that comes back older than it was lacks the MACs
//! that were given out since. Each was drawn by what its message is, so the commands of the row tell which are vmacd's
//! (decision 0035).

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::{BindableAddress, BindingState, Desired, Draws, Mac, Pools, SwitchBinding};
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::mac_registry::{former, hold_allocation, holders};
use crate::store::parts::Vmacs;
use crate::store::vmacs::{UPDATE_VMACS, Vmac, lock_vmacs};

/// A MAC that a row's command drew, found on its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// The row.
    pub vmac_id: i64,
    /// What is bound.
    pub mac: Mac,
    /// The row has it from now on; otherwise it is one that the row had before.
    pub is_taken_on: bool,
}

impl Vmacs<'_> {
    /// Which of these MACs, found on the ports of rows and unknown to any row, were drawn by commands of the row. A row that
    /// is to be bound takes on the first of them, so that what was told to the server's owner stays true; the others are its
    /// former ones.
    ///
    /// # Errors
    /// When the database fails; nothing was changed then.
    pub async fn recognise(self, found: &[(i64, Mac)]) -> Result<Vec<Recognised>, StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("recognise bindings").await?;
        let ids: HashSet<i64> = found.iter().map(|(vmac_id, _)| *vmac_id).collect();
        let draws = draws(&mut tx, &ids).await?;
        let drawn = |(vmac_id, mac): &&(i64, Mac)| is_drawn(draws.get(vmac_id), *mac, &self.store.pools);
        let found: Vec<(i64, Mac)> = found.iter().filter(drawn).copied().collect();
        let recognised = if found.is_empty() { Vec::new() } else { take_on(&mut tx, found, now).await? };
        tx.commit("recognise bindings").await?;
        Ok(recognised)
    }
}

fn is_drawn(draws: Option<&Vec<Draws>>, mac: Mac, pools: &Pools) -> bool {
    draws.into_iter().flatten().any(|draws| pools.may_have_drawn(*draws, mac))
}

/// What the commands of these rows draw.
async fn draws(tx: &mut Tx, ids: &HashSet<i64>) -> Result<HashMap<i64, Vec<Draws>>, StoreError> {
    let sql = "SELECT vmac_id, message_identity, server_id, ip_address FROM commands
        WHERE action <> 'revoke' AND message_identity IS NOT NULL
            AND vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    let ids = ids.iter().map(|id| json!({"id": id})).collect();
    let mut draws: HashMap<i64, Vec<Draws>> = HashMap::new();
    for row in tx.batch("read what rows were asked for", sql, ids, Vec::new()).await? {
        let identity: String = row.get("message_identity")?;
        let ip: BindableAddress = row.parse("ip_address")?;
        draws.entry(row.get("vmac_id")?).or_default().push(Draws::of(&identity, row.get("server_id")?, ip));
    }
    Ok(draws)
}

async fn take_on(tx: &mut Tx, found: Vec<(i64, Mac)>, now: DateTime<Utc>) -> Result<Vec<Recognised>, StoreError> {
    hold_allocation(tx).await?;
    let mut rows = lock_vmacs(tx, found.iter().map(|(id, _)| json!({"id": id})).collect()).await?;
    let macs: Vec<Mac> = found.iter().map(|(_, mac)| *mac).collect();
    let holders = holders(tx, &macs).await?;
    let (mut recognised, mut before, mut changed) = (Vec::new(), Vec::new(), HashSet::new());
    for (vmac_id, mac) in found {
        let Some(row) = rows.get_mut(&vmac_id).filter(|_| !holders.contains_key(&mac)) else { continue };
        let is_taken_on = row.desired == Desired::Bound && changed.insert(vmac_id);
        before.push((vmac_id, if is_taken_on { replace(row, mac) } else { mac }));
        recognised.push(Recognised { vmac_id, mac, is_taken_on });
    }
    former(tx, &before, now).await?;
    let changed: Vec<Vmac> = rows.into_values().filter(|row| changed.contains(&row.id)).collect();
    tx.batch("take on what is bound", UPDATE_VMACS, changed, args![now]).await?;
    Ok(recognised)
}

/// Gives the row the MAC; returns the one before. It is of a new generation: pushes to its other switches start again.
fn replace(row: &mut Vmac, mac: Mac) -> Mac {
    let before = std::mem::replace(&mut row.mac_address, mac);
    row.generation += 1;
    let waits = |port: &&mut SwitchBinding| !port.leaving && port.state == BindingState::Pending;
    row.switch_bindings.iter_mut().filter(waits).filter(|port| port.mac == before).for_each(|port| port.mac = mac);
    before
}
