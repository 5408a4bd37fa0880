//! The journal of pushes: written before a commit is sent, completed after.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::connect::Store;
use super::engine::{Row, Tx, args, batch_arg};
use super::error::StoreError;
use super::leases::{HELD, Lease};
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

/// Lists show the plans of pushes with at most so many changes.
const LISTED_CHANGES_MAX: i64 = 100;

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

/// A push with all that the journal knows of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PushRecord {
    /// Its id, which also stands in the switch's commit log.
    pub id: String,
    /// The switch.
    pub switch: SwitchName,
    /// The worker that made it.
    pub worker: String,
    /// `prepared`, `sent`, `confirmed`, `refused`, `not_applied`.
    pub state: String,
    /// What it changes; lists leave long ones out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Value>,
    /// How many changes that is.
    pub changes: i64,
    /// The backup taken before it.
    pub backup_id: Option<i64>,
    /// What went wrong.
    pub error: Option<String>,
    /// When it was written down.
    pub started_at: DateTime<Utc>,
    /// When the commit was sent.
    pub sent_at: Option<DateTime<Utc>>,
    /// When its end was known.
    pub finished_at: Option<DateTime<Utc>>,
}

impl PushRecord {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            switch: row.parse("switch")?,
            worker: row.get("worker")?,
            state: row.get("state")?,
            plan: row.get::<Option<sqlx::types::Json<Value>>>("plan")?.map(|plan| plan.0),
            changes: row.get("changes")?,
            backup_id: row.get("backup_id")?,
            error: row.get("error")?,
            started_at: row.get("started_at")?,
            sent_at: row.get("sent_at")?,
            finished_at: row.get("finished_at")?,
        })
    }
}

impl Store {
    /// The pushes to a switch, newest first. Their ids grow with time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pushes(&self, switch: &SwitchName, before: &str, limit: i64) -> Result<Vec<PushRecord>, StoreError> {
        let sql = "SELECT id, switch, worker, state, changes, CASE WHEN changes <= $4 THEN plan END AS plan, backup_id, error,
                       started_at, sent_at, finished_at
                   FROM pushes WHERE switch = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3";
        let arguments = args![switch.as_str(), before, limit, LISTED_CHANGES_MAX];
        let rows = self.engine.read("list pushes", sql, arguments).await?;
        rows.iter().map(PushRecord::from_row).collect()
    }

    /// One push.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn push(&self, id: &str) -> Result<PushRecord, StoreError> {
        let rows = self.engine.read("read a push", "SELECT * FROM pushes WHERE id = $1", args![id]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "push", id: id.to_owned() })?;
        PushRecord::from_row(row)
    }

    /// Those of the ids that are pushes to the switch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pushes_among(&self, switch: &SwitchName, ids: &[&str]) -> Result<HashSet<String>, StoreError> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let batch = batch_arg(ids.iter().map(|id| json!({"id": id})).collect());
        let sql = "SELECT id FROM pushes WHERE switch = $2 AND id {in}SELECT e.value->>'id' FROM {rows}{/in}";
        let rows = self.engine.read("look pushes up", sql, vec![batch, switch.as_str().into()]).await?;
        rows.iter().map(|row| row.get("id")).collect()
    }

    /// Writes a new push down, if the lease is still held.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or when the database fails.
    pub async fn push_prepared(&self, lease: &Lease, push: &PushRow) -> Result<(), StoreError> {
        let now = self.now().await?;
        let sql = format!(
            "INSERT INTO pushes (id, switch, lease_token, worker, state, plan, backup_id, changes, started_at)
             SELECT $4, switch, token, holder, 'prepared', $5, $6, $7, $8 FROM switch_leases
             WHERE {HELD} AND expires_at > $8 RETURNING id"
        );
        let arguments = lease.args(args![push.id.as_str(), push.plan.clone(), push.backup_id, push.changes, now]);
        fenced(lease, self.engine.write("write a push down", &sql, arguments).await?.len())
    }

    /// Writes down how far a push came, if the lease is still held; that the commit is sent only if it has not run out
    /// either.
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
        let sql = format!(
            "UPDATE pushes SET state = $5, error = COALESCE($6, error), sent_at = COALESCE($7, sent_at),
                 finished_at = COALESCE($8, finished_at)
             WHERE id = $4 AND switch = $1 AND EXISTS
                 (SELECT 1 FROM switch_leases WHERE {HELD} AND ($7 IS NULL OR expires_at > $7))
             RETURNING id"
        );
        let arguments = lease.args(args![id, state.as_str(), error, sent, finished]);
        fenced(lease, self.engine.write("write down how far a push came", &sql, arguments).await?.len())
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

/// Writes down that pushes under the lease's switch are there for good. Its transaction holds the lease.
pub(super) async fn pushes_confirmed(
    tx: &mut Tx,
    lease: &Lease,
    ids: &[String],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "UPDATE pushes SET state = $3, finished_at = $4
               WHERE switch = $2 AND id {in}SELECT e.value->>'id' FROM {rows}{/in}";
    let rows = ids.iter().map(|id| json!({"id": id})).collect();
    let more = args![lease.switch.as_str(), PushState::Confirmed.as_str(), now];
    tx.batch("write pushes' ends down", sql, rows, more).await.map(|_| ())
}

fn fenced(lease: &Lease, written: usize) -> Result<(), StoreError> {
    if written == 0 { Err(lease.lost()) } else { Ok(()) }
}
