//! One lease per switch: a row with a holder, a fencing token that grows for ever, and an expiry.
//!
//! Whoever writes under a lease shows both token and holder. The token alone is not enough: in a database that was
//! restored from a copy the same numbers are handed out again, to other workers.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::connect::Store;
use super::engine::{Arg, args};
use super::error::StoreError;
use crate::domain::SwitchName;

/// The row of `switch_leases` that a lease is for; its arguments are those of [`Lease::args`].
pub(super) const HELD: &str = "switch = $1 AND token = $2 AND holder = $3";

/// The right to push to a switch, until it expires or another worker takes it after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The switch.
    pub switch: SwitchName,
    /// The worker.
    pub holder: String,
    /// The fencing token; every write of a push's results must match it, and the holder.
    pub token: i64,
}

impl Lease {
    /// The arguments of a statement with [`HELD`]: `$1` to `$3`, then `more`.
    pub(super) fn args(&self, mut more: Vec<Arg>) -> Vec<Arg> {
        let mut all = args![self.switch.as_str(), self.token, self.holder.as_str()];
        all.append(&mut more);
        all
    }

    /// What a write under the lease says when the lease is not held any more.
    pub(super) fn lost(&self) -> StoreError {
        StoreError::LeaseLost { switch: self.switch.to_string() }
    }
}

/// No lease is given for so long: one that seems to be is of a clock that has been put back since.
const TTL_MAX: Duration = Duration::from_secs(6 * 3_600);

impl Store {
    /// Takes the lease when nobody has it, or its time has run out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acquire(&self, switch: &SwitchName, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let now = self.now().await?;
        let sql = "INSERT INTO switch_leases (switch, holder, token, expires_at) VALUES ($1, $2, 1, $4)
                   ON CONFLICT (switch) DO UPDATE SET holder = excluded.holder, token = switch_leases.token + 1,
                       expires_at = excluded.expires_at
                   WHERE switch_leases.expires_at <= $3 OR switch_leases.expires_at > $5
                   RETURNING token";
        let arguments = args![switch.as_str(), holder, now, now + ttl, now + TTL_MAX.max(ttl * 2)];
        let rows = self.engine.write("take a lease", sql, arguments).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Lease { switch: switch.clone(), holder: holder.to_owned(), token: row.get("token")? }))
    }

    /// Prolongs the lease; false when it went to another worker. One that ran out but was not taken is
    /// prolonged too: nobody else did anything meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        let now = self.now().await?;
        let sql = format!("UPDATE switch_leases SET expires_at = $4 WHERE {HELD} RETURNING token");
        Ok(!self.engine.write("renew a lease", &sql, lease.args(args![now + ttl])).await?.is_empty())
    }

    /// Gives the lease back, so that another worker may have it at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        // Long ago, so that it is over by everybody's reading of the clock.
        let expired = DateTime::<Utc>::UNIX_EPOCH;
        let sql = format!("UPDATE switch_leases SET expires_at = $4 WHERE {HELD} RETURNING token");
        self.engine.write("give a lease back", &sql, lease.args(args![expired])).await.map(|_| ())
    }

    /// True while the lease is held and has not run out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(&self, lease: &Lease) -> Result<bool, StoreError> {
        let now = self.now().await?;
        let sql = format!("SELECT token FROM switch_leases WHERE {HELD} AND expires_at > $4");
        Ok(!self.engine.read("check a lease", &sql, lease.args(args![now])).await?.is_empty())
    }

    /// Who holds the switch's lease now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_holder(&self, switch: &SwitchName) -> Result<Option<String>, StoreError> {
        let now = self.now().await?;
        let sql = "SELECT holder FROM switch_leases WHERE switch = $1 AND expires_at > $2";
        let rows = self.engine.read("look who has a lease", sql, args![switch.as_str(), now]).await?;
        rows.first().map(|row| row.get("holder")).transpose()
    }
}
