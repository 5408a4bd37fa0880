//! Logins to the pages, each by a hash of what the browser holds.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::database::clock::millis;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::parts::PageSessions;

/// Uses are written down this far apart: not every page is worth a write.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// When sessions end.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// After this long without use.
    pub idle: Duration,
    /// After this long in any case.
    pub age_max: Duration,
    /// When this many newer ones are in use.
    pub count_max: i64,
}

/// A login that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSession {
    /// The token that was shown; none for the one of the settings.
    pub token_name: Option<String>,
}

impl PageSessions<'_> {
    /// Begins a session with the token of that name, or with the one of the settings, and forgets those that ended or are too many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(self, key: &str, token_name: Option<&str>, limits: &SessionLimits) -> Result<(), StoreError> {
        let what = "begin a login";
        let now = self.store.now().await?;
        let (opened_after, used_after) = horizon(now, limits);
        let mut tx = self.store.begin(what).await?;
        let ended = "DELETE FROM page_sessions WHERE opened_at_ms <= $1 OR used_at_ms <= $2";
        tx.run(what, ended, args![opened_after, used_after]).await?;
        let too_many = "DELETE FROM page_sessions WHERE key IN
            (SELECT key FROM page_sessions ORDER BY used_at_ms DESC, key LIMIT 1000000 OFFSET $1)";
        tx.run(what, too_many, args![(limits.count_max - 1).max(0)]).await?;
        let begin = "INSERT INTO page_sessions (key, opened_at_ms, used_at_ms, token_name) VALUES ($1, $2, $2, $3)";
        tx.run(what, begin, args![key, now.timestamp_millis(), token_name.map(str::to_owned)]).await?;
        tx.commit(what).await
    }

    /// The session, while it lasts. `is_use` notes that it is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(
        self,
        key: &str,
        limits: &SessionLimits,
        is_use: bool,
    ) -> Result<Option<PageSession>, StoreError> {
        let now = self.store.now().await?;
        let (opened_after, used_after) = horizon(now, limits);
        let sql =
            "SELECT used_at_ms, token_name FROM page_sessions WHERE key = $1 AND opened_at_ms > $2 AND used_at_ms > $3";
        let rows = self.store.engine.read("find a login", sql, args![key, opened_after, used_after]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let noted_ms: i64 = row.get("used_at_ms")?;
        // An idle time shorter than a few notes must not end what is in use.
        let noted_every = NOTED_EVERY.min(limits.idle / 4);
        if is_use && now.timestamp_millis() - noted_ms >= millis(noted_every) {
            let sql = "UPDATE page_sessions SET used_at_ms = $2 WHERE key = $1";
            self.store.engine.write("record that a login is used", sql, args![key, now.timestamp_millis()]).await?;
        }
        Ok(Some(PageSession { token_name: row.get("token_name")? }))
    }

    /// Ends a session; one that ended already stays so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end(self, key: &str) -> Result<(), StoreError> {
        self.store.engine.write("end a login", "DELETE FROM page_sessions WHERE key = $1", args![key]).await.map(|_| ())
    }
}

/// Since when a session that lasts must have been begun, and used, at least.
fn horizon(now: DateTime<Utc>, limits: &SessionLimits) -> (i64, i64) {
    let now_ms = now.timestamp_millis();
    (now_ms - millis(limits.age_max), now_ms - millis(limits.idle))
}
