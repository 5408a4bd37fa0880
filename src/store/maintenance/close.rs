//! Closing the store in order.
//!
//! SQLite keeps what was written last in a second file, the WAL, until somebody moves it to the first. A process that
//! ends without closing its connections leaves it there: whoever then copies the first file alone copies old rows.

use std::time::Duration;

use sqlx::SqlitePool;

use crate::store::connect::Store;
use crate::store::database::engine::{Engine, Pools};

/// How long the connections may take to close. What is behind a network that swallows everything is left.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl Store {
    /// Closes every connection, once what runs on it has ended; on SQLite all rows are in the database's file then,
    /// unless another process is writing. Nothing can be asked after that.
    pub async fn close(&self) {
        if tokio::time::timeout(CLOSE_TIMEOUT, self.engine.close()).await.is_err() {
            tracing::warn!("the connections to the database did not close within {} s", CLOSE_TIMEOUT.as_secs());
        }
    }
}

impl Engine {
    async fn close(&self) {
        match &self.pools {
            Pools::Postgres(pools) => pools.close().await,
            Pools::Sqlite { write, read } => {
                read.close().await;
                if let Err(error) = checkpoint(write).await {
                    tracing::debug!(%error, "the WAL stays as it is");
                }
                write.close().await;
            }
        }
    }
}

/// Moves the WAL into the database and empties it, where nobody reads meanwhile. The last connection of all to close
/// would do the same (sqlite.org/wal.html, section 2.1), but other processes may stay.
async fn checkpoint(write: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut connection = write.acquire().await?;
    // Writers wait behind it: not for long.
    sqlx::query("PRAGMA busy_timeout = 200").execute(&mut *connection).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await.map(|_| ())
}
