//! How the switches are: circuit, lease, what waits, the last push.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::connect::Store;
use super::engine::{Row, args};
use super::error::StoreError;
use super::inventory::KnownSwitch;
use crate::domain::SwitchName;

/// One switch as an operator wants to see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchOverview {
    /// What is known of it.
    #[serde(flatten)]
    pub known: KnownSwitch,
    /// Changes that wait for it.
    pub changes_waiting: i64,
    /// The worker that has its lease, while it has.
    pub lease_holder: Option<String>,
    /// Its newest push.
    pub last_push_id: Option<String>,
    /// How far that came.
    pub last_push_state: Option<String>,
    /// When that began.
    pub last_push_at: Option<DateTime<Utc>>,
}

impl SwitchOverview {
    fn from_row(row: &Row, now: DateTime<Utc>) -> Result<Self, StoreError> {
        Ok(Self {
            known: KnownSwitch::from_row(row, now)?,
            changes_waiting: row.get("changes_waiting")?,
            lease_holder: row.get("lease_holder")?,
            last_push_id: row.get("last_push_id")?,
            last_push_state: row.get("last_push_state")?,
            last_push_at: row.get("last_push_at")?,
        })
    }
}

const OVERVIEW: &str = "SELECT s.*, l.holder AS lease_holder, p.id AS last_push_id, p.state AS last_push_state,
        p.started_at AS last_push_at,
        (SELECT COUNT(*) FROM switch_work w WHERE w.switch = s.name) AS changes_waiting
    FROM switches s
    LEFT JOIN switch_leases l ON l.switch = s.name AND l.expires_at > $1
    LEFT JOIN pushes p ON p.id = (SELECT MAX(q.id) FROM pushes q WHERE q.switch = s.name)";

impl Store {
    /// The switches whose names come after this one, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn switch_overviews(&self, after: &str, limit: i64) -> Result<Vec<SwitchOverview>, StoreError> {
        let now = self.now().await?;
        let sql = format!("{OVERVIEW} WHERE s.name > $2 ORDER BY s.name LIMIT $3");
        let rows = self.engine.read("look at the switches", &sql, args![now, after, limit]).await?;
        rows.iter().map(|row| SwitchOverview::from_row(row, now)).collect()
    }

    /// One switch.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn switch_overview(&self, name: &SwitchName) -> Result<SwitchOverview, StoreError> {
        let now = self.now().await?;
        let sql = format!("{OVERVIEW} WHERE s.name = $2");
        let rows = self.engine.read("look at a switch", &sql, args![now, name.as_str()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "switch", id: name.to_string() })?;
        SwitchOverview::from_row(row, now)
    }
}
