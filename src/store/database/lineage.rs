//! Whether the database is still the one that it was.
//!
//! A command's message is acknowledged once its row is there. After a failover to a standby that lagged behind, or after
//! a backup was restored, rows may be missing that were there before. Nothing of that shows in a statement's answer, so every
//! new connection is asked which database it leads to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, Row};

/// What a database that can be written is known by: the installation, its timeline (each promotion and each recovery to a
/// point in time begins a new one), when the server was started (a copy of its files brought back needs a start), and the
/// objects that a dump loaded into the running server replaces. One text; none while the server is a standby.
///
/// The timeline is taken from the write position, because `pg_control_checkpoint()` shows the old one until the first checkpoint
/// after a promotion.
const IDENTITY: &str = "(SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE CONCAT_WS('/', \
    (SELECT system_identifier FROM pg_control_system()), SUBSTR(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
    ROUND(EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000000), \
    (SELECT oid FROM pg_database WHERE datname = current_database()), \
    CAST(to_regclass('commands') AS oid)) END)";

/// Counts how often the database turned out to be another one, or one that may be older.
#[derive(Debug, Default)]
pub(in crate::store) struct Lineage {
    known: Mutex<Known>,
    changes: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    /// True once a connection was seen.
    is_any: bool,
    /// What the last connection showed; none where the server does not let its role ask.
    identity: Option<String>,
    /// True when all connections were given up since then.
    is_cut: bool,
}

impl Lineage {
    /// How often the database was another one or may have been an older one. It rises before such a connection is used.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Notes that every connection that there was is given up.
    pub fn cut(&self) {
        self.known().is_cut = true;
    }

    /// Asks a new connection which database it leads to. A standby is left out: nothing can be written there.
    pub async fn see(&self, connection: &mut PgConnection) {
        let sql = AssertSqlSafe(format!("SELECT {IDENTITY}"));
        match connection.fetch_one(sql).await.and_then(|row| row.try_get::<Option<String>, _>(0)) {
            Ok(Some(identity)) => self.note(Some(identity)),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "the server does not say which database it is");
                self.note(None);
            }
        }
    }

    /// A statement that fails ([`is_division_by_zero`](crate::store::database::error::is_division_by_zero)) on any other database than
    /// the last one that was seen; none where the server does not say which one it is.
    pub fn guard(&self) -> Option<String> {
        let known = self.known();
        let identity = known.identity.as_ref()?;
        Some(format!("SELECT 1 / CAST({IDENTITY} IS NOT DISTINCT FROM '{identity}' AS integer)"))
    }

    /// Where both are known, they decide. Otherwise a database is taken for another one if all connections were lost.
    fn note(&self, identity: Option<String>) {
        let mut known = self.known();
        let is_other = match (&known.identity, &identity) {
            (Some(before), Some(now)) => before != now,
            _ => known.is_any && known.is_cut,
        };
        if is_other {
            let changes = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
            tracing::warn!(changes, "the database was restarted, restored or replaced by its standby");
        }
        *known = Known { is_any: true, identity: identity.or_else(|| known.identity.take()), is_cut: false };
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(connections: &[Option<&str>]) -> u64 {
        let lineage = Lineage::default();
        connections.iter().for_each(|identity| lineage.note(identity.map(str::to_owned)));
        lineage.changes()
    }

    #[test]
    fn the_first_database_is_no_change_and_neither_is_the_same_again() {
        assert_eq!(changes(&[]), 0);
        assert_eq!(changes(&[Some("1/1"), Some("1/1"), Some("1/1")]), 0);
    }

    #[test]
    fn another_timeline_is_another_database() {
        assert_eq!(changes(&[Some("1/1"), Some("1/2"), Some("1/2")]), 1);
        assert_eq!(changes(&[Some("1/1"), Some("1/2"), Some("1/1")]), 2, "back to the first");
    }

    #[test]
    fn connections_lost_to_the_same_database_are_no_change() {
        let lineage = Lineage::default();
        lineage.note(Some("1/1".to_owned()));
        lineage.cut();
        lineage.note(Some("1/1".to_owned()));
        assert_eq!(lineage.changes(), 0);
    }

    #[test]
    fn a_database_that_is_not_known_may_be_another_once_all_connections_were_lost() {
        let lineage = Lineage::default();
        lineage.cut();
        lineage.note(None);
        lineage.note(None);
        assert_eq!(lineage.changes(), 0, "it was never cut after its first connection");
        lineage.cut();
        assert_eq!(lineage.changes(), 0, "nothing is known before there is a connection");
        lineage.note(None);
        lineage.note(None);
        assert_eq!(lineage.changes(), 1);
    }

    #[test]
    fn one_that_does_not_answer_does_not_make_the_others_forgotten() {
        assert_eq!(changes(&[Some("1/1"), None, Some("1/2")]), 1);
    }
}
