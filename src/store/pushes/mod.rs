//! Reading the journal of pushes; `journal` and `record` write it.

pub(super) mod failed;
pub(super) mod open_and_send;
pub(super) mod record;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::SwitchName;
use crate::store::database::engine::{Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::parts::Pushes;

/// How far a push came, as the journal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushState {
    /// The commit was sent, or is about to be.
    Sent,
    /// It is on the switch for good.
    Confirmed,
    /// The switch refused it.
    Refused,
    /// It is not on the switch: it never happened, or was rolled back.
    NotApplied,
}

impl PushState {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::NotApplied => "not_applied",
        }
    }
}

/// Lists show the plans of pushes with at most this many changes.
const LISTED_CHANGES_MAX: i64 = 100;

/// A push in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct PushRow {
    /// Its id, which is also in the switch's commit log.
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
    /// Its id, which is also in the switch's commit log.
    pub id: String,
    /// The switch.
    pub switch: SwitchName,
    /// The worker that made it.
    pub worker: String,
    /// `sent`, `confirmed`, `refused`, `not_applied`.
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
    /// When it was recorded.
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

impl Pushes<'_> {
    /// The pushes to a switch, newest first. Their ids grow with time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self, switch: &SwitchName, before: &str, limit: i64) -> Result<Vec<PushRecord>, StoreError> {
        let sql = "SELECT id, switch, worker, state, changes, CASE WHEN changes <= $4 THEN plan END AS plan, backup_id, error,
                       started_at, sent_at, finished_at
                   FROM pushes WHERE switch = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3";
        let arguments = args![switch.as_str(), before, limit, LISTED_CHANGES_MAX];
        let rows = self.store.engine.read("list pushes", sql, arguments).await?;
        rows.iter().map(PushRecord::from_row).collect()
    }

    /// One push.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn get(self, id: &str) -> Result<PushRecord, StoreError> {
        let rows = self.store.engine.read("read a push", "SELECT * FROM pushes WHERE id = $1", args![id]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "push", id: id.to_owned() })?;
        PushRecord::from_row(row)
    }

    /// Those of the ids that are pushes to the switch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn among(self, switch: &SwitchName, ids: &[&str]) -> Result<HashSet<String>, StoreError> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let batch = batch_arg(ids.iter().map(|id| json!({"id": id})).collect());
        let sql = "SELECT id FROM pushes WHERE switch = $2 AND id {in}SELECT e.value->>'id' FROM {rows}{/in}";
        let rows = self.store.engine.read("find pushes", sql, vec![batch, switch.as_str().into()]).await?;
        rows.iter().map(|row| row.get("id")).collect()
    }
}
