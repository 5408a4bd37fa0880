//! The journal of pushes by site: how many commits there were of late, and which went wrong.

use std::time::Duration;

use super::connect::Store;
use super::engine::args;
use super::error::StoreError;
use super::leases::{HELD, Lease};
use super::pushes::PushState;
use crate::domain::{FailedPush, SwitchName};

/// The time in which a site's commits are counted.
const MINUTE: Duration = Duration::from_secs(60);

const COMMITS_OF_LATE: &str = "SELECT COUNT(*) AS commits FROM pushes p JOIN switches s ON s.name = p.switch
    WHERE p.sent_at > $2 AND COALESCE(s.site, '-') = (SELECT COALESCE(o.site, '-') FROM switches o WHERE o.name = $1)";

impl Store {
    /// Whether the switch's site had fewer than `commits_max` commits in the last minute, by all workers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_site_commit(&self, switch: &SwitchName, commits_max: i64) -> Result<bool, StoreError> {
        let since = self.now().await? - MINUTE;
        let what = "count a site's commits";
        let rows = self.engine.read(what, COMMITS_OF_LATE, args![switch.as_str(), since]).await?;
        Ok(rows.first().ok_or(StoreError::NoAnswer { what })?.get::<i64>("commits")? < commits_max)
    }

    /// As [`Self::push_advanced`] to [`PushState::Sent`], if the switch's site had fewer than `commits_max` commits in
    /// the last minute; false, and nothing written, where it had not. One worker after the other: together they keep
    /// to it as well.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or when the database fails.
    pub async fn push_sent_within(&self, lease: &Lease, id: &str, commits_max: i64) -> Result<bool, StoreError> {
        let what = "write down that a commit is sent";
        let now = self.now().await?;
        let mut tx = self.engine.begin(what).await?;
        // The site's first switch stands for the site: whoever has its row counts, and sends before the next one counts.
        let sql = "SELECT s.name FROM switches s
                   WHERE COALESCE(s.site, '-') = (SELECT COALESCE(o.site, '-') FROM switches o WHERE o.name = $1)
                   ORDER BY s.name LIMIT 1 {for_update}";
        tx.run("have a site's commits to oneself", sql, args![lease.switch.as_str()]).await?;
        let rows =
            tx.run("count a site's commits", COMMITS_OF_LATE, args![lease.switch.as_str(), now - MINUTE]).await?;
        let commits: i64 = rows.first().ok_or(StoreError::NoAnswer { what })?.get("commits")?;
        if commits >= commits_max {
            return Ok(false);
        }
        let sql = format!(
            "UPDATE pushes SET state = $5, sent_at = $6 WHERE id = $4 AND switch = $1 AND EXISTS
                 (SELECT 1 FROM switch_leases WHERE {HELD} AND expires_at > $6)
             RETURNING id"
        );
        let arguments = lease.args(args![id, PushState::Sent.as_str(), now]);
        if tx.run(what, &sql, arguments).await?.is_empty() {
            return Err(lease.lost());
        }
        tx.commit(what).await.map(|()| true)
    }

    /// Notes the pushes made under the lease whose commits were rolled back, or after which the switch was lost. True
    /// where there are new ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_failed_pushes(&self, lease: &Lease) -> Result<bool, StoreError> {
        let sql = "UPDATE pushes SET failed_at = $4
                   WHERE switch = $1 AND lease_token = $2 AND worker = $3 AND sent_at IS NOT NULL AND failed_at IS NULL
                       AND state IN ('sent', 'not_applied')
                   RETURNING id";
        let arguments = lease.args(args![self.now().await?]);
        Ok(!self.engine.write("note failed pushes", sql, arguments).await?.is_empty())
    }

    /// The pushes that failed so at the switch's site within the window and since it was last thawed, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failed_pushes(&self, switch: &SwitchName, window: Duration) -> Result<Vec<FailedPush>, StoreError> {
        let now = self.now().await?;
        let sql = "SELECT p.id, p.switch FROM pushes p JOIN switches s ON s.name = p.switch
                   WHERE p.failed_at > $2
                       AND COALESCE(s.site, '-') = (SELECT COALESCE(o.site, '-') FROM switches o WHERE o.name = $1)
                       AND NOT EXISTS (SELECT 1 FROM freezes f WHERE f.site IN ('*', COALESCE(s.site, '-'))
                                       AND f.until <= $3 AND f.until >= p.failed_at)
                   ORDER BY p.failed_at, p.id";
        let rows = self.engine.read("read failed pushes", sql, args![switch.as_str(), now - window, now]).await?;
        rows.iter().map(|row| Ok(FailedPush { id: row.get("id")?, switch: row.parse("switch")? })).collect()
    }
}
