//! Whether anything is due, by the database's own clock, in one statement: all that an idle worker asks.

use std::time::Instant;

use chrono::DateTime;

use crate::store::commands::waiting;
use crate::store::database::clock::millis;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::parts::Work;
use crate::store::webhooks::claim;
use crate::store::work::leases::switch_is_due;

/// What is due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// Switches that nobody has a lease of.
    pub switches: bool,
    /// Commands that wait to be admitted.
    pub commands: bool,
    /// Events that nobody has claimed.
    pub events: bool,
    /// Deliveries to webhooks.
    pub deliveries: bool,
    /// Whether there are webhooks at all.
    pub webhooks: bool,
}

impl Work<'_> {
    /// Checks whether anything is due: one statement, which writes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due(self) -> Result<Due, StoreError> {
        let sql = format!(
            "SELECT {{now_ms}} AS now_ms,
                 EXISTS (SELECT 1 FROM switch_work) AND EXISTS (SELECT 1 FROM switch_leases l WHERE {}) AS switches,
                 EXISTS (SELECT 1 FROM commands WHERE outcome IS NULL AND vmac_id IS NULL AND due_at_ms <= {{now_ms}})
                     OR EXISTS (SELECT 1 FROM commands WHERE outcome IS NULL AND vmac_id IS NULL
                         AND due_at_ms > {{now_ms}} + $4) AS commands,
                 EXISTS (SELECT 1 FROM unpublished_events WHERE claimed_until_ms <= {{now_ms}}
                     OR claimed_until_ms > {{now_ms}} + $3) AS events,
                 EXISTS (SELECT 1 FROM webhooks) AS webhooks, {} AS deliveries",
            switch_is_due("{now_ms}", "{now_ms} + $1", "{now_ms} + $2"),
            claim::is_due("{now_ms}", "{now_ms} + $5")
        );
        let asked = Instant::now();
        let latest_ms = self.store.latest_ms(0);
        let arguments =
            args![LEASE_MAX_MS, latest_ms, CLAIM_MAX_MS, latest_ms + millis(waiting::CLAIM), claim::AHEAD_MAX_MS];
        let rows = self.store.engine.read("read what is due", &sql, arguments).await?;
        let row = rows.first().ok_or(StoreError::NoAnswer { what: "read what is due" })?;
        if let Some(now) = DateTime::from_timestamp_millis(row.get("now_ms")?) {
            self.store.engine.clock.learn(asked, now);
        }
        Ok(Due {
            switches: row.get("switches")?,
            commands: row.get("commands")?,
            events: row.get("events")?,
            deliveries: row.get("deliveries")?,
            webhooks: row.get("webhooks")?,
        })
    }
}

/// No lease is given for longer: see `leases`.
const LEASE_MAX_MS: i64 = 6 * 3_600_000;
/// No event is claimed for longer.
const CLAIM_MAX_MS: i64 = 60_000;
