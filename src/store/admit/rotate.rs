//! Giving rows that are there another MAC. The one before is noted as former: never handed out again, and still vmacd's own.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use rand::Rng;

use super::allocate::{ROUNDS_MAX, refuse, take_reservations_off};
use super::change;
use super::choice::{Choice, Try, choose};
use super::decision::{Allocation, Decision};
use super::read::Snapshot;
use crate::domain::{Code, Failure, Mac, Pools};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::mac_registry::{former, hold_allocation, holders};

/// Rotates the rows that were decided on; a MAC that is taken is tried with another. Returns the rows whose MAC was drawn.
pub(super) async fn rotate(
    tx: &mut Tx,
    decision: &mut Decision,
    snapshot: &mut Snapshot,
    pools: &Pools,
    rng: &mut impl Rng,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, StoreError> {
    let mut left = std::mem::take(&mut decision.rotations);
    let (mut drawn, mut before) = (Vec::new(), Vec::new());
    if !left.is_empty() {
        hold_allocation(tx).await?;
    }
    for round in 0..ROUNDS_MAX {
        if left.is_empty() {
            former(tx, &before, now).await?;
            return Ok(drawn);
        }
        let tries = tries(tx, left, decision, snapshot, pools, (round, rng)).await?;
        let (free, again) = free(tx, tries, decision, snapshot).await?;
        for tried in &free {
            let Some(row) = snapshot.live.get_mut(&tried.allocation.place.1) else { continue };
            before.push((row.id, change::rotate(row, tried.mac, now)));
            drawn.extend((!tried.is_fixed).then_some(row.id));
            decision.changed.insert(row.ip_address);
        }
        take_reservations_off(tx, &free, snapshot).await?;
        left = again;
    }
    Err(StoreError::NoAnswer { what: "find a free MAC" })
}

async fn tries(
    tx: &mut Tx,
    left: Vec<Allocation>,
    decision: &mut Decision,
    snapshot: &Snapshot,
    pools: &Pools,
    (round, rng): (u32, &mut impl Rng),
) -> Result<Vec<Try>, StoreError> {
    let mut tries = Vec::new();
    for choice in choose(tx, left, snapshot, pools, round, rng).await? {
        match choice {
            // It was carried out before: the row was adopted with the MAC that this very rotation had drawn.
            Choice::Try(tried) if has_it(&tried, snapshot) && tried.is_unmistakable => {}
            Choice::Try(tried) if has_it(&tried, snapshot) => {
                refuse(&tried.allocation, same(&tried), decision, snapshot)
            }
            Choice::Try(tried) => tries.push(tried),
            Choice::Refused(allocation, failure) => refuse(&allocation, failure, decision, snapshot),
        }
    }
    Ok(tries)
}

fn has_it(tried: &Try, snapshot: &Snapshot) -> bool {
    snapshot.live.get(&tried.allocation.place.1).is_some_and(|row| row.mac_address == tried.mac)
}

fn same(tried: &Try) -> Failure {
    let (_, ip) = tried.allocation.place;
    let text =
        format!("{ip} already has {}, the only MAC that its pool or the message allows; name another", tried.mac);
    Failure::new(Code::MacTaken, text)
}

/// Those whose MAC nobody has, and those to be tried with another.
async fn free(
    tx: &mut Tx,
    tries: Vec<Try>,
    decision: &mut Decision,
    snapshot: &Snapshot,
) -> Result<(Vec<Try>, Vec<Allocation>), StoreError> {
    let macs: Vec<Mac> = tries.iter().map(|tried| tried.mac).collect();
    let holders = holders(tx, &macs).await?;
    let (mut free, mut again, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for tried in tries {
        let (server_id, ip) = tried.allocation.place;
        let mut others = holders.get(&tried.mac).into_iter().flatten();
        match others.find(|holder| !holder.is_reservation_of(server_id, ip)) {
            None if seen.insert(tried.mac) => free.push(tried),
            Some(holder) if tried.is_fixed => {
                let failure = Failure::new(Code::MacTaken, format!("{} {holder}", tried.mac));
                refuse(&tried.allocation, failure, decision, snapshot);
            }
            _ => again.push(tried.allocation),
        }
    }
    Ok((free, again))
}
