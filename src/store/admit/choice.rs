//! Which MAC each new row is tried with: the reserved one, the one asked for, the one of the address, else one of the pool,
//! drawn by what the message is ([`Draws`](crate::domain::Draws)).

use std::collections::HashMap;

use rand::Rng;
use serde_json::{Value, json};

use super::decision::Allocation;
use super::read::{ServerAddress, Snapshot};
use crate::domain::{Action, Code, DRAWS_MAX, Failure, Mac, Pool, Pools, SwitchName};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::mac_registry::{Holder, exhausted, find_free, holders, reserved_differently, unknown_pool};

/// Pools of at most this many MACs are drawn from by one transaction at a time: near their end all want the same few.
const SMALL: u64 = 1 << 16;

/// A row to be made, with the MAC that it is tried with next.
pub(super) struct Try {
    pub allocation: Allocation,
    pub mac: Mac,
    /// No other MAC will do.
    pub is_fixed: bool,
    /// It is drawn from so many that only this very order can have drawn the same before.
    pub is_unmistakable: bool,
    /// The revoked row of the address that has it is made live again.
    pub revives: bool,
}

/// What an allocation gets: a MAC to be tried, or a refusal.
pub(super) enum Choice {
    Try(Try),
    Refused(Allocation, Failure),
}

/// Chooses for the allocations that are left in this round, the first being 0.
pub(super) async fn choose(
    tx: &mut Tx,
    left: Vec<Allocation>,
    snapshot: &Snapshot,
    pools: &Pools,
    round: u32,
    rng: &mut impl Rng,
) -> Result<Vec<Choice>, StoreError> {
    // The statement that makes a row refuses one whose place has a reservation; mostly none has, and then nobody needs to ask.
    let is_drawn = |allocation: &Allocation| {
        pool_of(allocation, snapshot, pools).is_ok_and(|pool| fixed(allocation, pool, None).is_none())
    };
    let must_ask =
        round > 0 || !left.iter().all(|allocation| allocation.action == Action::Create && is_drawn(allocation));
    let reserved = if must_ask { reserved(tx, &left).await? } else { HashMap::new() };
    let mut choices = Vec::new();
    let mut drawn: Vec<(&Pool, Vec<Allocation>)> = Vec::new();
    for allocation in left {
        let pool = match pool_of(&allocation, snapshot, pools) {
            Ok(pool) => pool,
            Err(failure) => {
                choices.push(Choice::Refused(allocation, failure));
                continue;
            }
        };
        match fixed(&allocation, pool, reserved.get(&allocation.place)) {
            Some(Ok(mac)) => {
                let revives = pool.mac_of(allocation.place.1) == Some(mac);
                choices.push(Choice::Try(Try { allocation, mac, is_fixed: true, is_unmistakable: false, revives }));
            }
            Some(Err(failure)) => choices.push(Choice::Refused(allocation, failure)),
            None => match drawn.iter_mut().find(|(other, _)| other.name == pool.name) {
                Some((_, allocations)) => allocations.push(allocation),
                None => drawn.push((pool, vec![allocation])),
            },
        }
    }
    if round == 0 && drawn.iter().any(|(pool, _)| pools.size(pool) <= SMALL) {
        // An arbitrary number that identifies this lock.
        tx.on_postgres("wait for a small pool", "SELECT pg_advisory_xact_lock(2002002)").await?;
    }
    for (pool, allocations) in drawn {
        choices.extend(drawn_from(tx, pool, allocations, pools, round, rng).await?);
    }
    Ok(choices)
}

fn pool_of<'a>(allocation: &Allocation, snapshot: &Snapshot, pools: &'a Pools) -> Result<&'a Pool, Failure> {
    if let Some(name) = &allocation.pool {
        return pools.named(name).ok_or_else(|| unknown_pool(name));
    }
    let server = snapshot.servers.get(&allocation.place.0);
    let vlan = allocation.vlan.as_ref().or_else(|| server?.vlan_name.as_ref());
    let switches: Vec<SwitchName> =
        server.into_iter().flat_map(|server| &server.ports).map(|port| port.switch.clone()).collect();
    Ok(pools.serving(vlan, &switches))
}

/// The MAC that it must have, where no other will do.
fn fixed(allocation: &Allocation, pool: &Pool, reserved: Option<&Mac>) -> Option<Result<Mac, Failure>> {
    let (server_id, ip) = allocation.place;
    match (reserved, allocation.mac) {
        (Some(mac), Some(asked)) if *mac != asked => Some(Err(reserved_differently(server_id, ip, *mac, asked))),
        (Some(mac), _) => Some(Ok(*mac)),
        (None, asked) => asked.or_else(|| pool.mac_of(ip)).map(Ok),
    }
}

/// The reservations for these servers' addresses, locked so that nobody releases them meanwhile.
async fn reserved(tx: &mut Tx, left: &[Allocation]) -> Result<HashMap<ServerAddress, Mac>, StoreError> {
    let sql = "SELECT * FROM taken_macs WHERE kind = 'reserved' AND mac_address IN (
                   SELECT t.mac_address FROM taken_macs t JOIN {rows} ON t.kind = 'reserved'
                       AND t.server_id = CAST(e.value->>'server_id' AS BIGINT) AND t.ip_address = e.value->>'ip')
               ORDER BY mac_address {for_update}";
    let rows = tx.batch("find reservations", sql, left.iter().map(place_row).collect(), Vec::new()).await?;
    rows.iter().map(|row| Ok(((row.get("server_id")?, row.parse("ip_address")?), row.parse("mac_address")?))).collect()
}

/// An allocation's server and address as a row of a batch.
pub(super) fn place_row(allocation: &Allocation) -> Value {
    json!({"server_id": allocation.place.0, "ip": allocation.place.1})
}

async fn drawn_from(
    tx: &mut Tx,
    pool: &Pool,
    allocations: Vec<Allocation>,
    pools: &Pools,
    round: u32,
    rng: &mut impl Rng,
) -> Result<Vec<Choice>, StoreError> {
    let is_unmistakable = round < DRAWS_MAX && pools.size(pool) > SMALL;
    let tried =
        |allocation, mac| Choice::Try(Try { allocation, mac, is_fixed: false, is_unmistakable, revives: false });
    if round < DRAWS_MAX {
        let draw = |allocation: Allocation| {
            let mac = pools.drawn(pool, allocation.draws, round);
            tried(allocation, mac)
        };
        return Ok(allocations.into_iter().map(draw).collect());
    }
    let free = find_free(tx, pools, pool, allocations.len(), rng).await?;
    let full = if free.len() < allocations.len() { Some(exhausted(tx, pools, pool, free.len()).await?) } else { None };
    let macs = free.into_iter().map(Some).chain(std::iter::repeat(None));
    let choice = |(allocation, mac): (Allocation, Option<Mac>)| match (mac, &full) {
        (Some(mac), _) => Some(tried(allocation, mac)),
        (None, full) => Some(Choice::Refused(allocation, full.clone()?)),
    };
    Ok(allocations.into_iter().zip(macs).filter_map(choice).collect())
}

/// Why each of these fixed MACs could not be given; none for a MAC that is free by now.
pub(super) async fn takers(tx: &mut Tx, tries: &[&Try]) -> Result<Vec<Option<Failure>>, StoreError> {
    let macs: Vec<Mac> = tries.iter().map(|tried| tried.mac).collect();
    let holders = holders(tx, &macs).await?;
    let failure = |tried: &&Try| {
        let (server_id, ip) = tried.allocation.place;
        let is_other = |holder: &&Holder| !holder.is_reservation_of(server_id, ip);
        let other = holders.get(&tried.mac)?.iter().find(is_other)?;
        Some(Failure::new(Code::MacTaken, format!("{} {other}", tried.mac)))
    };
    Ok(tries.iter().map(failure).collect())
}
