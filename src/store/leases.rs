//! One lease per switch: a row with a holder, a fencing token that grows for ever, and an expiry.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::connect::Store;
use super::engine::args;
use super::error::StoreError;
use crate::domain::SwitchName;

/// The right to push to a switch, until it expires or another worker takes it after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The switch.
    pub switch: SwitchName,
    /// The worker.
    pub holder: String,
    /// The fencing token; every write of a push's results must match it.
    pub token: i64,
}

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
                   WHERE switch_leases.expires_at <= $3
                   RETURNING token";
        let rows = self.engine.write("take a lease", sql, args![switch.as_str(), holder, now, now + ttl]).await?;
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
        let sql = "UPDATE switch_leases SET expires_at = $3 WHERE switch = $1 AND token = $2 RETURNING token";
        let arguments = args![lease.switch.as_str(), lease.token, now + ttl];
        Ok(!self.engine.write("renew a lease", sql, arguments).await?.is_empty())
    }

    /// Gives the lease back, so that another worker may have it at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        // Long ago, so that it is over by everybody's reading of the clock.
        let expired = DateTime::<Utc>::UNIX_EPOCH;
        let sql = "UPDATE switch_leases SET expires_at = $3 WHERE switch = $1 AND token = $2 RETURNING token";
        self.engine.write("give a lease back", sql, args![lease.switch.as_str(), lease.token, expired]).await?;
        Ok(())
    }

    /// True while the lease is held and has not run out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(&self, lease: &Lease) -> Result<bool, StoreError> {
        let now = self.now().await?;
        let sql = "SELECT token FROM switch_leases WHERE switch = $1 AND token = $2 AND expires_at > $3";
        Ok(!self.engine.read("check a lease", sql, args![lease.switch.as_str(), lease.token, now]).await?.is_empty())
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
