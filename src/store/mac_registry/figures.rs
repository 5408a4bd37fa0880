//! How full the pools are.

use serde::Serialize;

use crate::domain::{Pool, PoolName, Pools, Prefix, Strategy, odds_of_any_clash, odds_of_clash};
use crate::store::database::engine::{Arg, Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::MacRegistry;

/// One pool and how much of it is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PoolFigures {
    /// The pool.
    pub pool: PoolName,
    /// How its MACs are found.
    pub strategy: Strategy,
    /// What its MACs begin with.
    pub prefix: String,
    /// How many it has, without the parts of other pools and what is never handed out.
    pub size: u64,
    /// How many of them are taken: rows there ever were, reserved ones, former ones, and those used elsewhere.
    pub used: u64,
    /// The same as a part of all.
    pub used_ratio: f64,
    /// The odds that one more draw hits a MAC that is taken, and is repeated.
    pub clash_odds: f64,
    /// The odds that this many draws, checked against nothing, would have had two alike.
    pub unchecked_clash_odds: f64,
}

const USED: &str = "SELECT
    (SELECT COUNT(*) FROM virtual_macs WHERE mac_address >= $1 AND mac_address <= $2)
    + (SELECT COUNT(*) FROM taken_macs t WHERE t.mac_address >= $1 AND t.mac_address <= $2
        AND NOT EXISTS (SELECT 1 FROM virtual_macs v WHERE v.mac_address = t.mac_address))
    + (SELECT COUNT(*) FROM (SELECT DISTINCT pxe_mac FROM servers WHERE pxe_mac >= $1 AND pxe_mac <= $2) AS s
        WHERE NOT EXISTS (SELECT 1 FROM taken_macs t WHERE t.mac_address = s.pxe_mac)) AS used";

impl MacRegistry<'_> {
    /// Every pool by name, counted now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pool_figures(self) -> Result<Vec<PoolFigures>, StoreError> {
        let mut figures = Vec::new();
        for pool in self.store.pools.iter() {
            let mut counts = Vec::new();
            for part in parts(&self.store.pools, pool) {
                counts.push(count(&self.store.engine.read("count used MACs", USED, range(&part)).await?)?);
            }
            figures.push(of_pool(&self.store.pools, pool, &counts));
        }
        Ok(figures)
    }
}

/// How many MACs of the pool are taken.
pub(super) async fn used(tx: &mut Tx, pools: &Pools, pool: &Pool) -> Result<u64, StoreError> {
    let mut counts = Vec::new();
    for part in parts(pools, pool) {
        counts.push(count(&tx.run("count used MACs", USED, range(&part)).await?)?);
    }
    Ok(less_parts(&counts))
}

/// The pool's MACs, then those among them that are other pools'.
fn parts(pools: &Pools, pool: &Pool) -> Vec<Prefix> {
    std::iter::once(pool.space()).chain(pools.parts_of_others(pool)).collect()
}

fn range(prefix: &Prefix) -> Vec<Arg> {
    args![prefix.first().to_string(), prefix.last().to_string()]
}

fn count(rows: &[Row]) -> Result<u64, StoreError> {
    let used: i64 = rows.first().ok_or(StoreError::NoAnswer { what: "count used MACs" })?.get("used")?;
    Ok(u64::try_from(used).unwrap_or_default())
}

fn less_parts(counts: &[u64]) -> u64 {
    let others: u64 = counts.iter().skip(1).sum();
    counts.first().map_or(0, |all| all.saturating_sub(others))
}

fn of_pool(pools: &Pools, pool: &Pool, counts: &[u64]) -> PoolFigures {
    let (size, used) = (pools.size(pool), less_parts(counts));
    PoolFigures {
        pool: pool.name.clone(),
        strategy: pool.strategy,
        prefix: pool.space().to_string(),
        size,
        used,
        used_ratio: used as f64 / size.max(1) as f64,
        clash_odds: odds_of_clash(used, size),
        unchecked_clash_odds: odds_of_any_clash(used, size),
    }
}
