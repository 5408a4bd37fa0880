//! Old rows go: a batch at a time, table by table, by one worker at a time.
//!
//! `rules` lists the tables, how long their rows stay and what keeps a row longer; `figures` says how large they are. Rows are
//! gone through in the order of their keys, and a table that was gone through is due again an hour or a day later, from where
//! its rows were still young: those that stay are looked at again once a week only. A row of `virtual_macs` never goes: of one that was revoked long ago what
//! is long is taken out, and what says who had the address stays (decision 0036).
//!
//! Nothing waits for the disk: what a crash brings back goes the next time.

pub(super) mod figures;
mod rules;
mod windows;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::rules::{BATCH, Key, RULES, Rule};
use crate::store::database::clock::millis;
use crate::store::database::engine::{Arg, Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::parts::Retention;
pub use windows::RetentionWindows;

/// The name of the task, of which there is one in all workers together.
const TASK: &str = "retention";

/// What one batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionBatch {
    /// The table; none where no table was due.
    pub table: Option<&'static str>,
    /// Rows that went, or were made smaller.
    pub removed: usize,
}

/// How long after it was begun with its first row a table is begun with it again.
const BEGIN_AGAIN: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How far a table was gone through.
#[derive(Default)]
struct Place {
    scanned_to: String,
    due_at_ms: i64,
    begun_at_ms: i64,
}

impl Place {
    /// The same, from the first row on where it is time for that.
    fn begun(self, now_ms: i64) -> Self {
        let since_ms = now_ms - self.begun_at_ms;
        match (0..millis(BEGIN_AGAIN)).contains(&since_ms) {
            true => self,
            false => Self { scanned_to: String::new(), begun_at_ms: now_ms, ..self },
        }
    }
}

/// What a batch is measured by: before these times rows are old.
struct Cutoffs(Vec<DateTime<Utc>>);

impl Cutoffs {
    fn of(windows: &[Duration], now: DateTime<Utc>) -> Self {
        let ms = |window: &Duration| now.timestamp_millis() - millis(*window);
        Self(windows.iter().map(|window| DateTime::from_timestamp_millis(ms(window)).unwrap_or_default()).collect())
    }

    fn args(&self) -> impl Iterator<Item = Arg> {
        self.0.iter().map(|cutoff| Arg::from(*cutoff))
    }
}

impl Retention<'_> {
    /// Takes or keeps the task for so long; false while another worker has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_turn(self, holder: &str, ttl: Duration) -> Result<bool, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        // A turn that lasts longer than any is one of a clock that has been put back since.
        let sql = "INSERT INTO single_tasks (name, holder, until_ms) VALUES ($1, $2, $3)
                   ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
                   WHERE single_tasks.holder = excluded.holder OR single_tasks.until_ms <= $4 OR single_tasks.until_ms > $5
                   RETURNING name";
        let until_ms = now_ms + millis(ttl);
        let arguments = args![TASK, holder, until_ms, now_ms, until_ms + millis(ttl)];
        Ok(!self.store.engine.write_unsynced("take a task", sql, arguments).await?.is_empty())
    }

    /// Gives the task back, so that another worker need not wait for its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_turn(self, holder: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM single_tasks WHERE name = $1 AND holder = $2";
        self.store.engine.write_unsynced("give a task back", sql, args![TASK, holder]).await.map(|_| ())
    }

    /// Goes through the next rows of the first table that is due, and removes those that may go.
    ///
    /// # Errors
    /// When the database fails; what went before that is gone.
    pub async fn next_batch(self, windows: &RetentionWindows) -> Result<RetentionBatch, StoreError> {
        let now = self.store.now().await?;
        let mut places = self.places().await?;
        for rule in RULES {
            let place = places.remove(rule.table).unwrap_or_default();
            let is_due = rule.is_due(place.due_at_ms, now.timestamp_millis());
            if let Some(spans) = (rule.windows)(windows).filter(|_| is_due) {
                let place = place.begun(now.timestamp_millis());
                let removed = self.batch(rule, &Cutoffs::of(&spans, now), place, now).await?;
                return Ok(RetentionBatch { table: Some(rule.table), removed });
            }
        }
        Ok(RetentionBatch { table: None, removed: 0 })
    }

    async fn places(self) -> Result<HashMap<String, Place>, StoreError> {
        let sql = "SELECT table_name, scanned_to, due_at_ms, begun_at_ms FROM retention";
        let rows = self.store.engine.read("read how far old rows were removed", sql, Vec::new()).await?;
        let place = |row: &Row| {
            let (scanned_to, due_at_ms) = (row.get("scanned_to")?, row.get("due_at_ms")?);
            let place = Place { scanned_to, due_at_ms, begun_at_ms: row.get("begun_at_ms")? };
            Ok((row.get("table_name")?, place))
        };
        rows.iter().map(place).collect()
    }

    async fn batch(
        self,
        rule: &Rule,
        cutoffs: &Cutoffs,
        place: Place,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let arguments = self.page_args(rule, cutoffs, &place.scanned_to);
        let rows = self.store.engine.read("find old rows", &rule.page(), arguments).await?;
        let (mut going, mut last_old, mut is_end) = (Vec::new(), None, rows.len() < BATCH);
        for row in &rows {
            let key: String = row.get("key_text")?;
            if row.get::<bool>("goes")? {
                going.push(json!({"id": key}));
            }
            let is_old = row.get::<bool>("is_old")?;
            is_end |= !is_old;
            last_old = if is_old { Some(key) } else { last_old };
        }
        let removed = self.remove(rule, cutoffs, going, now).await?;
        // The first of them all stay: the other tables have their turn.
        is_end |= removed == 0 && rule.is_compaction();
        let due_at_ms = if is_end { now.timestamp_millis() + millis(rule.every) } else { 0 };
        let scanned_to = match (&rule.key, is_end) {
            // Those that are done are not found again.
            (Key::Due(_), _) | (Key::Hash(_), true) => String::new(),
            (_, _) => last_old.unwrap_or(place.scanned_to),
        };
        self.note(rule, removed, &Place { scanned_to, due_at_ms, begun_at_ms: place.begun_at_ms }).await?;
        Ok(removed)
    }

    fn page_args(self, rule: &Rule, cutoffs: &Cutoffs, from: &str) -> Vec<Arg> {
        let from = if from.is_empty() { rule.key.first() } else { from };
        std::iter::once(Arg::from(from)).chain(cutoffs.args()).collect()
    }

    /// Removes those that still may go.
    async fn remove(
        self,
        rule: &Rule,
        cutoffs: &Cutoffs,
        going: Vec<Value>,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        if going.is_empty() {
            return Ok(0);
        }
        let mut arguments = vec![batch_arg(going)];
        arguments.extend(cutoffs.args());
        if rule.is_compaction() {
            arguments.push(now.timestamp_millis().into());
        }
        Ok(self.store.engine.write_unsynced("remove old rows", &rule.removal(), arguments).await?.len())
    }

    async fn note(self, rule: &Rule, removed: usize, place: &Place) -> Result<(), StoreError> {
        let sql = "INSERT INTO retention (table_name, removed, scanned_to, due_at_ms, begun_at_ms) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (table_name) DO UPDATE SET removed = retention.removed + excluded.removed,
                       scanned_to = excluded.scanned_to, due_at_ms = excluded.due_at_ms,
                       begun_at_ms = excluded.begun_at_ms";
        let removed = i64::try_from(removed).unwrap_or(i64::MAX);
        let arguments = args![rule.table, removed, place.scanned_to.as_str(), place.due_at_ms, place.begun_at_ms];
        self.store.engine.write_unsynced("note how far old rows were removed", sql, arguments).await.map(|_| ())
    }
}
