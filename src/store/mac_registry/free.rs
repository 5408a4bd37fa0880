//! A free MAC in a pool that is nearly full, where drawing would go on for long.

use std::collections::HashSet;

use rand::Rng;

use super::figures::used;
use crate::domain::{Code, Failure, Mac, Pool, Pools};
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;

/// MACs checked with one statement.
const PAGE: u64 = 4_096;
/// MACs checked before a pool counts as full: all of a pool with a prefix of four octets or more.
const LOOKED_AT_MAX: u64 = 1 << 17;

const TAKEN: &str = "SELECT mac_address AS mac FROM virtual_macs WHERE mac_address >= $1 AND mac_address <= $2
    UNION SELECT mac_address FROM taken_macs WHERE mac_address >= $1 AND mac_address <= $2
    UNION SELECT pxe_mac FROM servers WHERE pxe_mac >= $1 AND pxe_mac <= $2";

/// Up to `wanted` MACs that the pool may draw and nobody has, from a random one on; fewer where there are no more.
pub(in crate::store) async fn find_free(
    tx: &mut Tx,
    pools: &Pools,
    pool: &Pool,
    wanted: usize,
    rng: &mut impl Rng,
) -> Result<Vec<Mac>, StoreError> {
    let (first, last) = (pool.prefix.first().number(), pool.prefix.last().number());
    let start = pools.draw(pool, rng).number();
    let mut search = Search { pools, pool, wanted, left: LOOKED_AT_MAX, found: Vec::new() };
    search.between(tx, start, last).await?;
    if start > first {
        search.between(tx, first, start - 1).await?;
    }
    Ok(search.found)
}

struct Search<'a> {
    pools: &'a Pools,
    pool: &'a Pool,
    wanted: usize,
    /// MACs that may still be checked.
    left: u64,
    found: Vec<Mac>,
}

impl Search<'_> {
    async fn between(&mut self, tx: &mut Tx, mut from: u64, to: u64) -> Result<(), StoreError> {
        while from <= to && self.left > 0 && self.found.len() < self.wanted {
            let last = to.min(from + PAGE - 1);
            let [first_mac, last_mac] = [from, last].map(|number| Mac::of_number(number).to_string());
            let rows = tx.run("find a free MAC", TAKEN, args![first_mac, last_mac]).await?;
            let taken: Result<HashSet<Mac>, _> = rows.iter().map(|row: &Row| row.parse("mac")).collect();
            self.gaps(&taken?, from, last);
            from = last + 1;
        }
        Ok(())
    }

    fn gaps(&mut self, taken: &HashSet<Mac>, from: u64, to: u64) {
        for mac in (from..=to).map(Mac::of_number) {
            if self.left == 0 || self.found.len() == self.wanted {
                return;
            }
            self.left -= 1;
            if !taken.contains(&mac) && self.pools.may_draw(self.pool, mac) {
                self.found.push(mac);
            }
        }
    }
}

/// The failure where the pool has no free MAC, with how full it is; `promised` are about to be used.
pub(in crate::store) async fn exhausted(
    tx: &mut Tx,
    pools: &Pools,
    pool: &Pool,
    promised: usize,
) -> Result<Failure, StoreError> {
    let (size, used) = (pools.size(pool), used(tx, pools, pool).await? + promised as u64);
    let text = format!(
        "no free MAC is left in the pool `{}`: {used} of its {size} ({}) are used; give it a wider prefix, or name another pool",
        pool.name,
        pool.space()
    );
    Ok(Failure::new(Code::PoolExhausted, text))
}
