//! What waits and what failed, counted for those who watch. Every count is over an index that holds little.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::{Status, SwitchName};
use crate::store::connect::Store;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::parts::{Queue, Statistics};
use crate::store::vmacs::filter::{NOT_IN_FORCE, has_status};

/// One count of everything that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that are `pending`.
    pub rows_pending: i64,
    /// Rows that are `failed`.
    pub rows_failed: i64,
    /// Rows that were ever made.
    pub rows_ever: i64,
    /// Changes that wait for a switch.
    pub changes_waiting: i64,
    /// Age of the oldest of them that is for a switch whose site is not frozen, milliseconds.
    pub changes_oldest_ms: i64,
    /// Events not published yet.
    pub events_waiting: i64,
    /// Age of the oldest of them, milliseconds.
    pub events_oldest_ms: i64,
    /// Events that wait to be delivered to webhooks.
    pub deliveries_waiting: i64,
    /// Age of the oldest of them whose webhook is not paused, milliseconds.
    pub deliveries_oldest_ms: i64,
    /// Events that could not be delivered to a webhook.
    pub deliveries_dead: i64,
    /// Waiting dead letters.
    pub dead_letters_waiting: i64,
    /// Switches whose latest attempt failed.
    pub switches_in_trouble: i64,
    /// Sites that are frozen, each with the kinds of its freezes.
    pub sites_frozen: Vec<(String, &'static str)>,
    /// Bindings that have drifted and are not fixed yet.
    pub drift_standing: i64,
    /// Rows that are `active` and have a binding that is not in force.
    pub rows_not_in_force: i64,
    /// Bindings of active rows that are not in force, by the reason.
    pub not_in_force: Vec<(String, i64)>,
}

/// A list without a filter of its own.
#[derive(Debug, Clone, Copy)]
pub enum Listed<'a> {
    /// The switches.
    Switches,
    /// The pushes to a switch.
    Pushes(&'a SwitchName),
    /// The backups of a switch.
    Backups(&'a SwitchName),
    /// The reservations.
    Reservations,
}

const COUNTS: &str = "SELECT
    (SELECT COALESCE(MAX(id), 0) FROM virtual_macs) AS rows_ever,
    (SELECT COUNT(*) FROM switch_work) AS changes_waiting,
    (SELECT MIN(w.queued_at_ms) FROM switch_work w LEFT JOIN switches s ON s.name = w.switch
     WHERE NOT EXISTS (SELECT 1 FROM freezes f WHERE f.until > $1 AND f.site IN ('*', COALESCE(s.site, '-'))))
        AS oldest_change_ms,
    (SELECT COUNT(*) FROM unpublished_events) AS events_waiting,
    (SELECT created_at FROM events WHERE id = (SELECT MIN(event_id) FROM unpublished_events)) AS oldest_event,
    (SELECT COUNT(*) FROM webhook_deliveries WHERE state = 'waiting') AS deliveries_waiting,
    (SELECT MIN(d.since_ms) FROM webhook_deliveries d JOIN webhooks h ON h.id = d.webhook_id
     WHERE d.state = 'waiting' AND h.paused_at IS NULL) AS oldest_delivery_ms,
    (SELECT COUNT(*) FROM webhook_deliveries WHERE state = 'dead') AS deliveries_dead,
    (SELECT COUNT(*) FROM dead_letters WHERE state = 'waiting') AS dead_letters_waiting,
    (SELECT COUNT(*) FROM switch_leases WHERE failures > 0) AS switches_in_trouble,
    (SELECT COUNT(*) FROM freezes WHERE until > $1) AS freezes,
    (SELECT COUNT(*) FROM drift) AS drift_standing,
    (SELECT COUNT(*) FROM not_in_force) AS not_in_force";

fn counts_sql() -> String {
    let count = |status| format!("(SELECT COUNT(*) FROM virtual_macs WHERE {})", has_status(status));
    let (pending, failed) = (count(Status::Pending), count(Status::Failed));
    let not_in_force = format!("(SELECT COUNT(*) FROM virtual_macs WHERE {NOT_IN_FORCE})");
    format!("{COUNTS}, {pending} AS rows_pending, {failed} AS rows_failed, {not_in_force} AS rows_not_in_force")
}

impl Statistics<'_> {
    /// Counts what waits and what failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn counts(self) -> Result<Counts, StoreError> {
        let now = self.store.now().await?;
        let rows = self.store.engine.read("count waiting work", &counts_sql(), args![now]).await?;
        let row = rows.first().ok_or(StoreError::NoAnswer { what: "count waiting work" })?;
        let age_ms = |since_ms: Option<i64>| since_ms.map_or(0, |since_ms| (now.timestamp_millis() - since_ms).max(0));
        // Mostly there is none to ask for.
        let freezes = if row.get::<i64>("freezes")? == 0 { Vec::new() } else { self.store.freezes().list().await? };
        let not_in_force = if row.get::<i64>("not_in_force")? == 0 { Vec::new() } else { self.not_in_force().await? };
        let kinds = freezes.iter().map(|freeze| (freeze.site.to_string(), freeze.kind.as_str()));
        let oldest_event: Option<DateTime<Utc>> = row.get("oldest_event")?;
        Ok(Counts {
            rows_pending: row.get("rows_pending")?,
            rows_failed: row.get("rows_failed")?,
            rows_ever: row.get("rows_ever")?,
            changes_waiting: row.get("changes_waiting")?,
            changes_oldest_ms: age_ms(row.get("oldest_change_ms")?),
            events_waiting: row.get("events_waiting")?,
            events_oldest_ms: age_ms(oldest_event.map(|at| at.timestamp_millis())),
            deliveries_waiting: row.get("deliveries_waiting")?,
            deliveries_oldest_ms: age_ms(row.get("oldest_delivery_ms")?),
            deliveries_dead: row.get("deliveries_dead")?,
            dead_letters_waiting: row.get("dead_letters_waiting")?,
            switches_in_trouble: row.get("switches_in_trouble")?,
            sites_frozen: kinds.collect::<BTreeSet<_>>().into_iter().collect(),
            drift_standing: row.get("drift_standing")?,
            rows_not_in_force: row.get("rows_not_in_force")?,
            not_in_force,
        })
    }

    async fn not_in_force(self) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT n.code, COUNT(*) AS bindings FROM not_in_force n JOIN virtual_macs v ON v.id = n.vmac_id
                   WHERE v.status = 'active' GROUP BY n.code ORDER BY n.code";
        let rows = self.store.engine.read("count what is not in force", sql, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.get("code")?, row.get("bindings")?))).collect()
    }

    /// How long a list is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn length(self, list: Listed<'_>) -> Result<i64, StoreError> {
        let (what, condition, of) = match list {
            Listed::Switches => ("switches", "$1 = ''", ""),
            Listed::Pushes(switch) => ("pushes", "switch = $1", switch.as_str()),
            Listed::Backups(switch) => ("config_backups", "switch = $1", switch.as_str()),
            Listed::Reservations => ("taken_macs", "kind = 'reserved' AND $1 = ''", ""),
        };
        let sql = format!("SELECT COUNT(*) AS rows_counted FROM {what} WHERE {condition}");
        let rows = self.store.engine.read("count a list", &sql, args![of]).await?;
        rows.first().ok_or(StoreError::NoAnswer { what: "count a list" })?.get("rows_counted")
    }
}

impl Store {
    /// Statements sent since the store was opened, the beginning and end of transactions included.
    pub fn statements(&self) -> u64 {
        self.engine.statements()
    }
}

impl Queue<'_> {
    /// Messages that wait in each queue of the embedded broker.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn depths(self) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT queue, COUNT(*) AS messages FROM queue_messages GROUP BY queue";
        let rows = self.store.engine.read("count queued messages", sql, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.get("queue")?, row.get("messages")?))).collect()
    }
}
