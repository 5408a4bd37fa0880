//! All pools together: which one serves a create, and whose a MAC is.

pub(super) mod clash_odds;
pub(super) mod draws;
pub(super) mod pool;
pub(super) mod prefix;

use std::collections::BTreeSet;

use rand::Rng;

use crate::domain::{Mac, Pool, PoolName, Prefix, Strategy, SwitchName, VlanName};

/// The pools of the settings, always with one named `default`. No two share MACs: a pool under the prefix of another has
/// its part for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pools(Vec<Pool>);

/// Why pools cannot stand beside one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolProblem {
    /// The pool.
    pub pool: PoolName,
    /// The key of its settings.
    pub key: &'static str,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Default for Pools {
    /// `default` alone, which draws 40 random bits.
    fn default() -> Self {
        Self(vec![default_pool()])
    }
}

fn default_pool() -> Pool {
    Pool {
        name: Pools::default_name(),
        strategy: Strategy::Random,
        prefix: Prefix::whole(),
        vlans: BTreeSet::new(),
        switches: BTreeSet::new(),
    }
}

impl Pools {
    /// `default`
    pub fn default_name() -> PoolName {
        "default".parse().expect("a name")
    }

    /// These pools, and `default` where it is not among them.
    ///
    /// # Errors
    /// [`PoolProblem`] for the first that cannot stand beside another.
    pub fn new(mut pools: Vec<Pool>) -> Result<Self, PoolProblem> {
        if pools.iter().all(|pool| pool.name != Self::default_name()) {
            pools.push(default_pool());
        }
        pools.sort_by(|one, other| one.name.cmp(&other.name));
        let pools = Self(pools);
        match pools.problem() {
            Some(problem) => Err(problem),
            None => Ok(pools),
        }
    }

    /// Every pool, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Pool> {
        self.0.iter()
    }

    /// The pool of this name.
    pub fn named(&self, name: &PoolName) -> Option<&Pool> {
        self.iter().find(|pool| pool.name == *name)
    }

    /// The pool that serves a create in this VLAN for a server with ports on these switches: one for both before one for the
    /// VLAN before one for a switch, else `default`.
    pub fn serving(&self, vlan: Option<&VlanName>, switches: &[SwitchName]) -> &Pool {
        let ranked = self.iter().filter_map(|pool| Some((pool.rank(vlan, switches)?, pool)));
        let best = ranked.max_by_key(|(rank, _)| *rank).map(|(_, pool)| pool);
        best.or_else(|| self.named(&Self::default_name())).expect("there is always a default pool")
    }

    /// Draws a MAC for a pool: under its prefix, and in no other pool's part of it.
    pub fn draw(&self, pool: &Pool, rng: &mut impl Rng) -> Mac {
        loop {
            let mac = Mac::draw_under(pool.prefix.octets(), rng);
            if self.may_draw(pool, mac) {
                return mac;
            }
        }
    }

    /// True for a MAC that the pool may draw.
    pub fn may_draw(&self, pool: &Pool, mac: Mac) -> bool {
        let of_another = |other: &Pool| pool.prefix.is_around(&other.space()) && other.space().covers(mac);
        pool.prefix.covers(mac) && !mac.is_reserved() && !self.iter().any(of_another)
    }

    /// The outermost parts of the pool's MACs that are other pools'.
    pub fn parts_of_others(&self, pool: &Pool) -> Vec<Prefix> {
        let inside = self.iter().map(Pool::space).filter(|space| pool.space().is_around(space));
        let inside: Vec<Prefix> = inside.collect();
        inside.iter().filter(|part| !inside.iter().any(|other| other.is_around(part))).cloned().collect()
    }

    /// How many MACs the pool has.
    pub fn size(&self, pool: &Pool) -> u64 {
        let others: u64 = self.parts_of_others(pool).iter().map(Prefix::size).sum();
        pool.space().size().saturating_sub(others)
    }

    fn problem(&self) -> Option<PoolProblem> {
        let default = self.iter().find(|pool| pool.name == Self::default_name());
        let narrowed = default.filter(|pool| !(pool.vlans.is_empty() && pool.switches.is_empty()));
        if let Some(pool) = narrowed {
            let key = if pool.vlans.is_empty() { "switches" } else { "vlans" };
            return Some(problem(pool, key, "this pool serves whatever no other one does; leave it out".to_owned()));
        }
        let pairs =
            self.iter().enumerate().flat_map(|(at, one)| self.0[at + 1..].iter().map(move |other| (one, other)));
        let clash =
            pairs.into_iter().find_map(|(one, other)| shared_macs(one, other).or_else(|| shared_creates(one, other)));
        clash.or_else(|| {
            let empty = self.iter().find(|pool| self.size(pool) == 0)?;
            Some(problem(empty, "prefix", "every MAC under it is another pool's; give it a wider one".to_owned()))
        })
    }
}

fn problem(pool: &Pool, key: &'static str, text: String) -> PoolProblem {
    PoolProblem { pool: pool.name.clone(), key, text }
}

fn shared_macs(one: &Pool, other: &Pool) -> Option<PoolProblem> {
    let (name, space) = (&one.name, one.space());
    let key = match other.strategy {
        Strategy::Random => "prefix",
        Strategy::FromAddress => "strategy",
        Strategy::Tagged => "tag",
    };
    let text = format!("the pool `{name}` has the same MACs ({space}); give each its own, or let one pool serve both");
    (space == other.space()).then(|| problem(other, key, text))
}

/// Creates that both would serve equally well.
fn shared_creates(one: &Pool, other: &Pool) -> Option<PoolProblem> {
    let alike = one.vlans.is_empty() == other.vlans.is_empty() && one.switches.is_empty() == other.switches.is_empty();
    let vlan = one.vlans.intersection(&other.vlans).next();
    let switch = one.switches.intersection(&other.switches).next();
    let (key, shared) = match (vlan, switch) {
        (Some(vlan), None) if other.switches.is_empty() => ("vlans", format!("the VLAN {vlan}")),
        (None, Some(switch)) if other.vlans.is_empty() => ("switches", format!("the switch {switch}")),
        (Some(vlan), Some(switch)) => ("vlans", format!("the VLAN {vlan} on {switch}")),
        _ => return None,
    };
    let text = format!("the pool `{}` serves {shared} too; name it in one of them", one.name);
    alike.then(|| problem(other, key, text))
}

#[cfg(test)]
mod tests;
