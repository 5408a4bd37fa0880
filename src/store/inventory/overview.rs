//! The state of the switches: trouble, lease, waiting changes, the last push.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::SwitchName;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::freezes::{FREEZE_COLUMNS, FREEZE_JOIN};
use crate::store::inventory::KnownSwitch;
use crate::store::parts::{Statistics, Switches};
use crate::store::work::leases::TROUBLE_COLUMNS;

/// One switch as an operator wants to see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchOverview {
    /// What is known of it.
    #[serde(flatten)]
    pub known: KnownSwitch,
    /// Changes that wait for it.
    pub changes_waiting: i64,
    /// The one of them that is due first.
    pub waits: Option<NextChange>,
    /// The worker that has its lease, while it has.
    pub lease_holder: Option<String>,
    /// Its newest push.
    pub last_push_id: Option<String>,
    /// How far that came.
    pub last_push_state: Option<String>,
    /// When that began.
    pub last_push_at: Option<DateTime<Utc>>,
}

/// When what waits for a switch is due, and why it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextChange {
    /// When it is tried next.
    pub due_at: DateTime<Utc>,
    /// The reason code, where an attempt failed.
    pub reason_code: Option<String>,
    /// What happened then.
    pub reason_text: Option<String>,
}

impl NextChange {
    fn from_row(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(due_at) = row.get::<Option<i64>>("due_at_ms")?.and_then(DateTime::from_timestamp_millis) else {
            return Ok(None);
        };
        let (reason_code, reason_text) = (row.get("reason_code")?, row.get("reason_text")?);
        Ok(Some(Self { due_at, reason_code, reason_text }))
    }
}

impl SwitchOverview {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            known: KnownSwitch::from_row(row)?,
            changes_waiting: row.get("changes_waiting")?,
            waits: NextChange::from_row(row)?,
            lease_holder: row.get("lease_holder")?,
            last_push_id: row.get("last_push_id")?,
            last_push_state: row.get("last_push_state")?,
            last_push_at: row.get("last_push_at")?,
        })
    }
}

/// `$1` is the time, `$2` the same in milliseconds.
fn overview() -> String {
    format!("{OVERVIEW_COLUMNS}, {FREEZE_COLUMNS}, {TROUBLE_COLUMNS} {OVERVIEW_FROM} {FREEZE_JOIN}")
}

const OVERVIEW_COLUMNS: &str = "SELECT s.*, CASE WHEN l.expires_at_ms > $2 THEN l.holder END AS lease_holder,
        p.id AS last_push_id, p.state AS last_push_state, p.started_at AS last_push_at,
        (SELECT COUNT(*) FROM switch_work w WHERE w.switch = s.name) AS changes_waiting,
        first_due.due_at_ms AS due_at_ms, first_due.reason_code AS reason_code, first_due.reason_text AS reason_text";

const OVERVIEW_FROM: &str = "FROM switches s
    LEFT JOIN switch_leases l ON l.switch = s.name
    LEFT JOIN switch_work first_due ON first_due.switch = s.name AND first_due.vmac_id =
        (SELECT w.vmac_id FROM switch_work w WHERE w.switch = s.name ORDER BY w.due_at_ms, w.vmac_id LIMIT 1)
    LEFT JOIN pushes p ON p.id = (SELECT MAX(q.id) FROM pushes q WHERE q.switch = s.name)";

const PULSE: &str = "SELECT
    (SELECT COALESCE(MAX(id), 0) FROM virtual_macs) AS newest_row,
    (SELECT COALESCE(MAX(id), 0) FROM events) AS newest_event,
    (SELECT COALESCE(MAX(id), 0) FROM dead_letters) AS newest_letter,
    (SELECT COUNT(*) FROM dead_letters WHERE state = 'waiting') AS letters,
    (SELECT COUNT(*) FROM switch_work) AS changes,
    (SELECT COUNT(*) FROM pushes WHERE finished_at IS NULL) AS pushes,
    (SELECT COUNT(*) FROM switch_leases WHERE failures > 0) AS troubled,
    (SELECT COUNT(*) FROM freezes WHERE until > $1) AS freezes";

impl Statistics<'_> {
    /// Figures that differ once something happened that people watch for: rows, events, dead letters, what waits
    /// for switches, pushes, switches in trouble, frozen sites. A retry that fails again as before does not show in them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pulse(self) -> Result<Vec<i64>, StoreError> {
        let now = self.store.now().await?;
        let rows = self.store.engine.read("check whether anything changed", PULSE, args![now]).await?;
        let row = rows.first().ok_or(StoreError::NoAnswer { what: "check whether anything changed" })?;
        let names =
            ["newest_row", "newest_event", "newest_letter", "letters", "changes", "pushes", "troubled", "freezes"];
        names.iter().map(|name| row.get(name)).collect()
    }
}

impl Switches<'_> {
    /// The switches that need attention: in trouble, or with changes that wait; the most changes first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn in_need(self, limit: i64) -> Result<Vec<SwitchOverview>, StoreError> {
        let now = self.store.now().await?;
        let sql = format!(
            "SELECT * FROM ({}) AS looked WHERE changes_waiting > 0 OR trouble_failures > 0
             ORDER BY changes_waiting DESC, name LIMIT $3",
            overview()
        );
        let rows = self
            .store
            .engine
            .read("find switches with problems", &sql, args![now, now.timestamp_millis(), limit])
            .await?;
        rows.iter().map(SwitchOverview::from_row).collect()
    }

    /// The switches whose names come after this one, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn overviews(self, after: &str, limit: i64) -> Result<Vec<SwitchOverview>, StoreError> {
        let now = self.store.now().await?;
        let sql = format!("{} WHERE s.name > $3 ORDER BY s.name LIMIT $4", overview());
        let rows =
            self.store.engine.read("read the switches", &sql, args![now, now.timestamp_millis(), after, limit]).await?;
        rows.iter().map(SwitchOverview::from_row).collect()
    }

    /// The switches whose names have this text in them, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn named_like(self, text: &str, limit: i64) -> Result<Vec<SwitchName>, StoreError> {
        let sql = "SELECT name FROM switches WHERE {strpos}(lower(name), $1) > 0 ORDER BY name LIMIT $2";
        let rows = self.store.engine.read("find switches", sql, args![text.to_lowercase(), limit]).await?;
        rows.iter().map(|row| row.parse("name")).collect()
    }

    /// One switch.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn overview(self, name: &SwitchName) -> Result<SwitchOverview, StoreError> {
        let now = self.store.now().await?;
        let sql = format!("{} WHERE s.name = $3", overview());
        let rows =
            self.store.engine.read("read a switch", &sql, args![now, now.timestamp_millis(), name.as_str()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "switch", id: name.to_string() })?;
        SwitchOverview::from_row(row)
    }
}
