//! The journal of pushes: written before a commit is sent, completed after.

use serde_json::Value;

use super::connect::Store;
use super::engine::args;
use super::error::StoreError;
use super::leases::Lease;
use crate::domain::SwitchName;

/// How far a push came, as the journal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushState {
    /// Planned; nothing was committed.
    Prepared,
    /// The commit was sent, or is about to be.
    Sent,
    /// It stands on the switch for good.
    Confirmed,
    /// The switch refused it, or it was called off before the commit.
    Refused,
    /// The switch does not hold it: it never happened, or was rolled back.
    NotApplied,
}

impl PushState {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::NotApplied => "not_applied",
        }
    }

    const fn is_end(self) -> bool {
        match self {
            Self::Prepared | Self::Sent => false,
            Self::Confirmed | Self::Refused | Self::NotApplied => true,
        }
    }
}

/// A push in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct PushRow {
    /// Its id, which also stands in the switch's commit log.
    pub id: String,
    /// What it changes.
    pub plan: Value,
    /// How many changes that is.
    pub changes: i64,
    /// The backup taken before it.
    pub backup_id: Option<i64>,
}

impl Store {
    /// Writes a new push down, if the lease is still held.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or when the database fails.
    pub async fn push_prepared(&self, lease: &Lease, push: &PushRow) -> Result<(), StoreError> {
        let now = self.now().await?;
        let sql = "INSERT INTO pushes (id, switch, lease_token, worker, state, plan, backup_id, changes, started_at)
                   SELECT $1, switch, token, holder, 'prepared', $4, $5, $6, $7 FROM switch_leases
                   WHERE switch = $2 AND token = $3 AND expires_at > $7 RETURNING id";
        let arguments = args![
            push.id.as_str(),
            lease.switch.as_str(),
            lease.token,
            push.plan.clone(),
            push.backup_id,
            push.changes,
            now
        ];
        fenced(lease, self.engine.write("write a push down", sql, arguments).await?.len())
    }

    /// Writes down how far a push came, if the lease is still held.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or when the database fails.
    pub async fn push_advanced(
        &self,
        lease: &Lease,
        id: &str,
        state: PushState,
        error: Option<String>,
    ) -> Result<(), StoreError> {
        let now = self.now().await?;
        let sent = (state == PushState::Sent).then_some(now);
        let finished = state.is_end().then_some(now);
        let sql = "UPDATE pushes SET state = $4, error = COALESCE($5, error), sent_at = COALESCE($6, sent_at),
                       finished_at = COALESCE($7, finished_at)
                   WHERE id = $1 AND EXISTS
                       (SELECT 1 FROM switch_leases WHERE switch = $2 AND token = $3) RETURNING id";
        let arguments = args![id, lease.switch.as_str(), lease.token, state.as_str(), error, sent, finished];
        fenced(lease, self.engine.write("write down how far a push came", sql, arguments).await?.len())
    }

    /// The pushes to the switch whose end is not known, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pushes_unresolved(&self, switch: &SwitchName) -> Result<Vec<PushRow>, StoreError> {
        let sql = "SELECT id, plan, changes, backup_id FROM pushes
                   WHERE switch = $1 AND finished_at IS NULL ORDER BY started_at, id";
        let rows = self.engine.read("look for unresolved pushes", sql, args![switch.as_str()]).await?;
        rows.iter()
            .map(|row| {
                Ok(PushRow {
                    id: row.get("id")?,
                    plan: row.json("plan")?,
                    changes: row.get("changes")?,
                    backup_id: row.get("backup_id")?,
                })
            })
            .collect()
    }
}

fn fenced(lease: &Lease, written: usize) -> Result<(), StoreError> {
    match written {
        0 => Err(StoreError::LeaseLost { switch: lease.switch.to_string() }),
        _ => Ok(()),
    }
}
