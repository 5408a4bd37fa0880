//! Making the rows that were decided on, each with a MAC of its own.

use chrono::{DateTime, Utc};
use rand::Rng;
use serde::Serialize;
use serde_json::Value;

use super::change::new_binding;
use super::choice::{Choice, Try, choose, place_row, takers};
use super::decision::{Allocation, CommandVerdict, Decision};
use super::read::{Snapshot, rows as read_rows};
use super::refuse::address_taken;
use crate::domain::{BindableAddress, Failure, GroupName, Mac, Pools, SwitchBinding, VlanName};
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::vmacs::Vmac;

/// Rounds of trying MACs before the allocation fails.
pub(super) const ROUNDS_MAX: u32 = 64;

/// A MAC in `taken_macs` is not given, unless it is reserved for this server's address, which then gets no other.
const INSERT: &str = "INSERT INTO virtual_macs (server_id, ip_address, mac_address, vlan_name, status, desired,
        switch_bindings, group_name, requested_by, reference, created_at, updated_at)
    SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip', e.value->>'mac', e.value->>'vlan', 'pending', 'bound',
        e.value->'bindings', e.value->>'group', e.value->>'requested_by', e.value->>'reference', $2, $2
    FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM servers WHERE pxe_mac = e.value->>'mac')
        AND NOT EXISTS (SELECT 1 FROM taken_macs t WHERE t.mac_address = e.value->>'mac' AND NOT (t.kind = 'reserved'
            AND t.server_id = CAST(e.value->>'server_id' AS BIGINT) AND t.ip_address = e.value->>'ip'))
        AND NOT EXISTS (SELECT 1 FROM taken_macs t WHERE t.kind = 'reserved' AND t.mac_address <> e.value->>'mac'
            AND t.server_id = CAST(e.value->>'server_id' AS BIGINT) AND t.ip_address = e.value->>'ip')
    ON CONFLICT DO NOTHING RETURNING *";

/// A revoked row becomes live again with the MAC that its address always has, for whichever server has it now.
const REVIVE: &str = "UPDATE virtual_macs SET server_id = CAST(e.value->>'server_id' AS BIGINT),
        vlan_name = e.value->>'vlan', status = 'pending', desired = 'bound', generation = generation + 1,
        switch_bindings = e.value->'bindings', group_name = e.value->>'group', failure_code = NULL, failure_text = NULL, attempts = 0,
        requested_by = e.value->>'requested_by', reference = e.value->>'reference', updated_at = $2, revoked_at = NULL,
        past_ports = NULL, revoked_by = NULL, revoke_reference = NULL, compacted_at_ms = NULL
    FROM {rows} WHERE virtual_macs.mac_address = e.value->>'mac' AND virtual_macs.ip_address = e.value->>'ip'
        AND virtual_macs.status = 'revoked'
        AND NOT EXISTS (SELECT 1 FROM virtual_macs v WHERE v.ip_address = e.value->>'ip' AND v.revoked_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM taken_macs t WHERE t.mac_address = e.value->>'mac' AND t.kind <> 'reserved')
    RETURNING *";

/// Makes the rows that were decided on, a few statements a round; what clashes is tried with another MAC, or decided
/// again where it was the address that clashed. Returns the rows whose MAC was drawn.
pub(super) async fn allocate(
    tx: &mut Tx,
    decision: &mut Decision,
    snapshot: &mut Snapshot,
    pools: &Pools,
    rng: &mut impl Rng,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, StoreError> {
    let mut left = std::mem::take(&mut decision.allocations);
    let mut drawn = Vec::new();
    for round in 0..ROUNDS_MAX {
        if left.is_empty() {
            return Ok(drawn);
        }
        let mut tries = Vec::new();
        for choice in choose(tx, left, snapshot, pools, round, rng).await? {
            match choice {
                Choice::Try(tried) => tries.push(tried),
                Choice::Refused(allocation, failure) => refuse(&allocation, failure, decision, snapshot),
            }
        }
        make_rows(tx, INSERT, &tries, |_| true, snapshot, now).await?;
        make_rows(tx, REVIVE, &tries, |tried| tried.revives, snapshot, now).await?;
        take_reservations_off(tx, &tries, snapshot).await?;
        drawn.extend(tries.iter().filter(|tried| !tried.is_fixed && is_made(tried, snapshot)).filter_map(|tried| {
            let row = snapshot.live.get(&tried.allocation.place.1)?;
            (row.mac_address == tried.mac).then_some(row.id)
        }));
        tries.retain(|tried| !is_made(tried, snapshot));
        left = clashed(tx, tries, decision, snapshot).await?;
    }
    Err(StoreError::NoAnswer { what: "find a free MAC" })
}

/// True when the row is made.
fn is_made(tried: &Try, snapshot: &Snapshot) -> bool {
    let (server_id, ip) = tried.allocation.place;
    snapshot.live.get(&ip).is_some_and(|row| row.server_id == server_id)
}

/// Makes rows of those tries that have none yet.
async fn make_rows(
    tx: &mut Tx,
    sql: &str,
    tries: &[Try],
    which: impl Fn(&Try) -> bool,
    snapshot: &mut Snapshot,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let wanted = tries.iter().filter(|tried| which(tried) && !is_made(tried, snapshot));
    let rows: Vec<NewRow> = wanted.map(|tried| NewRow::of(&tried.allocation, tried.mac, snapshot, now)).collect();
    for row in tx.batch("allocate", sql, rows, args![now]).await? {
        let vmac = Vmac::from_row(&row)?;
        snapshot.live.insert(vmac.ip_address, vmac);
    }
    Ok(())
}

/// A row of the batches above.
#[derive(Serialize)]
struct NewRow {
    server_id: i64,
    ip: BindableAddress,
    mac: Mac,
    vlan: Option<VlanName>,
    bindings: Vec<SwitchBinding>,
    group: Option<GroupName>,
    requested_by: Option<String>,
    reference: Option<String>,
}

impl NewRow {
    fn of(allocation: &Allocation, mac: Mac, snapshot: &Snapshot, now: DateTime<Utc>) -> Self {
        let (server_id, ip) = allocation.place;
        let ports = snapshot.servers.get(&server_id).into_iter().flat_map(|server| &server.ports);
        Self {
            server_id,
            ip,
            mac,
            vlan: allocation.vlan.clone(),
            bindings: ports.map(|port| new_binding(server_id, port, mac, now)).collect(),
            group: allocation.group.clone(),
            requested_by: allocation.requested_by.clone(),
            reference: allocation.reference.clone(),
        }
    }
}

/// Removes reservations whose MAC a row has now.
pub(super) async fn take_reservations_off(tx: &mut Tx, tries: &[Try], snapshot: &Snapshot) -> Result<(), StoreError> {
    let made = tries.iter().filter(|tried| tried.is_fixed && is_made(tried, snapshot));
    let rows = made.map(|tried| place_row(&tried.allocation)).collect();
    let sql = "DELETE FROM taken_macs WHERE mac_address IN (
                   SELECT t.mac_address FROM taken_macs t JOIN {rows} ON t.kind = 'reserved'
                       AND t.server_id = CAST(e.value->>'server_id' AS BIGINT) AND t.ip_address = e.value->>'ip')";
    tx.batch("remove reservations", sql, rows, Vec::new()).await.map(|_| ())
}

/// The tries that made no row and are to be repeated.
async fn clashed(
    tx: &mut Tx,
    tries: Vec<Try>,
    decision: &mut Decision,
    snapshot: &mut Snapshot,
) -> Result<Vec<Allocation>, StoreError> {
    if tries.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<Value> = tries.iter().map(|tried| place_row(&tried.allocation)).collect();
    read_rows(tx, &places, snapshot).await?;
    let (fixed, mut again) = (tries.iter().filter(|tried| tried.is_fixed).collect::<Vec<_>>(), Vec::new());
    let mut takers = takers(tx, &fixed).await?.into_iter();
    for tried in tries {
        let taker = if tried.is_fixed { takers.next().flatten() } else { None };
        match (snapshot.live.get(&tried.allocation.place.1), taker) {
            (Some(row), _) if row.server_id == tried.allocation.place.0 => {}
            (Some(row), _) => refuse(&tried.allocation, address_taken(row), decision, snapshot),
            (None, Some(failure)) => refuse(&tried.allocation, failure, decision, snapshot),
            (None, None) => again.push(tried.allocation),
        }
    }
    Ok(again)
}

/// Every command of the group that asks for the same at the address shares the refusal.
pub(super) fn refuse(allocation: &Allocation, failure: Failure, decision: &mut Decision, snapshot: &Snapshot) {
    let Allocation { place, action, .. } = allocation;
    if decision.intents.get(place).is_some_and(|order| order.action == *action) {
        decision.intents.remove(place);
    }
    for (key, verdict) in &mut decision.verdicts {
        let is_meant = snapshot.commands.get(key).is_some_and(|known| {
            (known.command.server_id, known.command.ip_address) == *place && known.command.action == *action
        });
        if is_meant && *verdict == CommandVerdict::OnRow {
            *verdict = CommandVerdict::Failed(failure.clone());
        }
    }
}
