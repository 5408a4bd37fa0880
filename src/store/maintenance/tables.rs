//! Bringing the tables up to date, and finding out of which version they are.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::store::connect::Store;
use crate::store::database::engine::{Engine, Pools};
use crate::store::database::error::{StoreError, is_busy};
use crate::store::maintenance::migrations::{ON_POSTGRES, ON_SQLITE};

/// How long all migrations together may take, with the wait for another process that is at it.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(300);

impl Store {
    /// Brings the tables up to date. Of several at once, in any number of processes, one does it and the others wait for
    /// it.
    ///
    /// # Errors
    /// [`StoreError::Migrate`].
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let what = "bring the tables up to date";
        match tokio::time::timeout(MIGRATE_TIMEOUT, self.engine.migrate()).await {
            Ok(result) => result.map_err(|error| StoreError::Migrate(error.into())),
            Err(_) => Err(StoreError::Timeout { what, after_ms: MIGRATE_TIMEOUT.as_millis() }),
        }
    }

    /// Checks that the tables are those of this version, and changes nothing.
    ///
    /// # Errors
    /// [`StoreError::TablesMissing`], [`StoreError::TablesOld`] or [`StoreError::TablesNew`]; or when the database fails.
    pub async fn check_tables(&self) -> Result<(), StoreError> {
        let wanted = self.engine.tables_wanted();
        match self.engine.tables_found().await? {
            None => Err(StoreError::TablesMissing),
            Some(found) if found < wanted => Err(StoreError::TablesOld { found, wanted }),
            Some(found) if found > wanted => Err(StoreError::TablesNew { found, wanted }),
            Some(_) => Ok(()),
        }
    }
}

impl Engine {
    async fn migrate(&self) -> Result<(), MigrateError> {
        match &self.pools {
            Pools::Postgres { pool, .. } => migrate_postgres(pool).await,
            Pools::Sqlite { write, .. } => migrate_sqlite(write).await,
        }
    }

    /// The version of the tables that this program works with.
    fn tables_wanted(&self) -> i64 {
        let migrations = match &self.pools {
            Pools::Postgres { .. } => &*ON_POSTGRES,
            Pools::Sqlite { .. } => &*ON_SQLITE,
        };
        migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
    }

    /// The version of the tables that are there; none where there are none.
    pub(in crate::store) async fn tables_found(&self) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT MAX(version) AS version FROM _sqlx_migrations WHERE success";
        match self.read("read which tables exist", sql, Vec::new()).await {
            Ok(rows) => rows.first().map_or(Ok(None), |row| row.get("version")),
            Err(error) if error.is_missing_table() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// On a connection of its own: neither an index over many rows nor the wait for another process, which is a statement,
/// is done within the limit of every other statement.
async fn migrate_postgres(pool: &PgPool) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await?.detach();
    let limit = format!("SET statement_timeout = {}", MIGRATE_TIMEOUT.as_millis());
    connection.execute(AssertSqlSafe(limit)).await?;
    let migrated = ON_POSTGRES.run_direct(None, &mut connection, false).await;
    // The lock of others that migrate goes with the connection, also where this failed.
    let _ = connection.close().await;
    migrated
}

/// In one transaction that is alone from the start: sqlx has no lock for SQLite, and of two that see old tables one would
/// make them a second time.
async fn migrate_sqlite(write: &SqlitePool) -> Result<(), MigrateError> {
    let mut alone = loop {
        match write.begin_with("BEGIN IMMEDIATE").await {
            Err(error) if is_busy(&error) => {}
            begun => break begun?,
        }
    };
    ON_SQLITE.run_direct(None, &mut *alone, false).await?;
    Ok(alone.commit().await?)
}
