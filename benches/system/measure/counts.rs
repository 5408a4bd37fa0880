//! What Postgres counts: the database's own figures, and those of the whole server, which nobody else uses.

use std::ops::Sub;
use std::time::Duration;

use sqlx::Connection;

use crate::world::World;

/// A backend that has nothing to do reports what it has counted after 10 s (`PGSTAT_IDLE_INTERVAL`).
const REPORTED_AFTER: Duration = Duration::from_millis(10_500);

/// Since the server started, or between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    pub transactions: f64,
    /// Syncs of the log.
    pub syncs: f64,
    /// Bytes of the log.
    pub wal_bytes: f64,
    /// Row versions that updates and deletes left dead.
    pub dead: f64,
    /// Those of them that no index points to: the next visitor of the page removes them.
    pub dead_hot: f64,
}

impl Counts {
    pub async fn of(world: &World) -> Self {
        tokio::time::sleep(REPORTED_AFTER).await;
        let mut connection = world.database.connect().await;
        let sql = "SELECT xact_commit::float8, wal_sync::float8, wal_bytes::float8, dead, dead_hot
                   FROM pg_stat_database, pg_stat_wal,
                        (SELECT sum(n_tup_upd + n_tup_del)::float8 AS dead, sum(n_tup_hot_upd)::float8 AS dead_hot
                         FROM pg_stat_user_tables) AS tables
                   WHERE datname = current_database()";
        let counts = sqlx::query_as(sql).fetch_one(&mut connection).await.expect("counts");
        let _ = connection.close().await;
        let (transactions, syncs, wal_bytes, dead, dead_hot) = counts;
        Self { transactions, syncs, wal_bytes, dead, dead_hot }
    }

    /// The same for each of so many.
    pub fn each(self, count: f64) -> Self {
        let of = |figure: f64| figure / count;
        Self {
            transactions: of(self.transactions),
            syncs: of(self.syncs),
            wal_bytes: of(self.wal_bytes),
            dead: of(self.dead),
            dead_hot: of(self.dead_hot),
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            transactions: self.transactions - other.transactions,
            syncs: self.syncs - other.syncs,
            wal_bytes: self.wal_bytes - other.wal_bytes,
            dead: self.dead - other.dead,
            dead_hot: self.dead_hot - other.dead_hot,
        }
    }
}
