//! Which workers run: each writes its row every few seconds, and who watches reads when it was last heard of.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::{SwitchName, WorkerHeartbeat, without_replaced};
use crate::store::database::clock::millis;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::parts::{Switches, Work, Workers};
use crate::store::work::leases::{TROUBLE_COLUMNS, Trouble};

/// How long a worker that went without a word is kept for those who ask where it is.
const KEPT: Duration = Duration::from_secs(3_600);

/// A switch that cannot be brought to what its rows want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchTrouble {
    /// The switch.
    pub switch: SwitchName,
    /// Why, since when, and when it is retried.
    pub trouble: Trouble,
}

/// Switches in trouble: some of them, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SwitchTroubles {
    /// Those in trouble for longest.
    pub longest: Vec<SwitchTrouble>,
    /// All of them, counted.
    pub count: i64,
}

/// What a row waits for on one switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWait {
    /// The switch.
    pub switch: SwitchName,
    /// Attempts that failed by the change's own fault.
    pub attempts: i64,
    /// When the change is due.
    pub due_at: DateTime<Utc>,
    /// The switch's trouble, which holds everything up there.
    pub trouble: Option<Trouble>,
}

fn from_row(row: &Row) -> Result<WorkerHeartbeat, StoreError> {
    let time = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap_or_default();
    Ok(WorkerHeartbeat {
        name: row.get("name")?,
        version: row.get("version")?,
        started_at: time(row.get("started_at_ms")?),
        heard_at: time(row.get("heard_at_ms")?),
        broker_lost_at: row.get::<Option<i64>>("broker_lost_at_ms")?.map(time),
        trouble: row.get("trouble")?,
    })
}

impl Workers<'_> {
    /// Writes a worker's row, with the time of now as when it was heard of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(self, sign: &WorkerHeartbeat) -> Result<(), StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = "INSERT INTO workers (name, version, started_at_ms, heard_at_ms, broker_lost_at_ms, trouble)
                   VALUES ($1, $2, $3, $4, $5, $6)
                   ON CONFLICT (name) DO UPDATE SET heard_at_ms = excluded.heard_at_ms,
                       broker_lost_at_ms = excluded.broker_lost_at_ms, trouble = excluded.trouble";
        let lost_ms = sign.broker_lost_at.map(|at| at.timestamp_millis());
        let started_ms = sign.started_at.timestamp_millis();
        let arguments =
            args![sign.name.as_str(), sign.version.as_str(), started_ms, now_ms, lost_ms, sign.trouble.clone()];
        self.store.engine.write_unsynced("write that this worker runs", sql, arguments).await.map(|_| ())
    }

    /// Takes a worker's row away, and those of workers that nobody asks for any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(self, gone: &str) -> Result<(), StoreError> {
        let before_ms = self.store.now().await?.timestamp_millis() - millis(KEPT);
        let sql = "DELETE FROM workers WHERE name = $1 OR heard_at_ms < $2";
        self.store.engine.write_unsynced("forget workers", sql, args![gone, before_ms]).await.map(|_| ())
    }

    /// The workers by name; not those in whose place another one was started since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self) -> Result<Vec<WorkerHeartbeat>, StoreError> {
        let now = self.store.now().await?;
        let rows =
            self.store.engine.read("read which workers run", "SELECT * FROM workers ORDER BY name", Vec::new()).await?;
        let workers: Result<Vec<_>, _> = rows.iter().map(from_row).collect();
        Ok(without_replaced(workers?, now))
    }
}

impl Work<'_> {
    /// What a row waits for, by switch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waits_of(self, vmac_id: i64) -> Result<Vec<RowWait>, StoreError> {
        let sql = format!(
            "SELECT w.switch AS switch, w.attempts AS attempts, w.due_at_ms AS due_at_ms, {TROUBLE_COLUMNS}
             FROM switch_work w LEFT JOIN switch_leases l ON l.switch = w.switch WHERE w.vmac_id = $1 ORDER BY w.switch"
        );
        let rows = self.store.engine.read("read what a row waits for", &sql, args![vmac_id]).await?;
        let wait = |row: &Row| {
            let due_at = DateTime::from_timestamp_millis(row.get("due_at_ms")?).unwrap_or_default();
            let trouble = Trouble::from_row(row)?;
            Ok(RowWait { switch: row.parse("switch")?, attempts: row.get("attempts")?, due_at, trouble })
        };
        rows.iter().map(wait).collect()
    }
}

impl Switches<'_> {
    /// The switches in trouble.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn troubles(self, limit: i64) -> Result<SwitchTroubles, StoreError> {
        let sql = format!(
            "SELECT l.switch AS switch, {TROUBLE_COLUMNS}, (SELECT COUNT(*) FROM switch_leases WHERE failures > 0) AS troubled
             FROM switch_leases l WHERE l.failures > 0 ORDER BY l.failing_since_ms, l.switch LIMIT $1"
        );
        let rows = self.store.engine.read("read which switches are in trouble", &sql, args![limit]).await?;
        let count = rows.first().map_or(Ok(0), |row| row.get("troubled"))?;
        let mut longest = Vec::new();
        for row in &rows {
            let switch = row.parse("switch")?;
            longest.extend(Trouble::from_row(row)?.map(|trouble| SwitchTrouble { switch, trouble }));
        }
        Ok(SwitchTroubles { longest, count })
    }
}
