//! Bringing the tables up to date, and finding out of which version they are.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::store::connect::Store;
use crate::store::database::engine::{Engine, Pools};
use crate::store::database::error::{StoreError, is_busy};
use crate::store::maintenance::migrations::{ON_POSTGRES, ON_SQLITE};

/// How long all migrations together may take, with the wait for another process that is at it.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a migration waits for a table that a long transaction holds, with all workers waiting behind it: then it lets
/// them through and tries again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(500);
/// SQLSTATE `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";
const WHAT: &str = "bring the tables up to date";

impl Store {
    /// Brings the tables up to date. Of several at once, in any number of processes, one does it and the others wait for
    /// it. Newer tables that this version can work with are left as they are.
    ///
    /// # Errors
    /// [`StoreError::Migrate`], [`StoreError::TablesNew`], or [`StoreError::MigratePooled`] where there is something to do and no
    /// session to do it in.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match tokio::time::timeout(MIGRATE_TIMEOUT, self.migrate_and_declare()).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Timeout { what: WHAT, after_ms: MIGRATE_TIMEOUT.as_millis() }),
        }
    }

    async fn migrate_and_declare(&self) -> Result<(), StoreError> {
        match self.check_tables().await {
            // What this version lacks could not be made on them either.
            Err(error @ StoreError::TablesNew { .. }) => return Err(error),
            _ => self.engine.declare_changes().await?,
        }
        self.engine.migrate().await?;
        self.engine.declare_changes().await
    }

    /// Checks that this version can work with the tables, and changes nothing: they are its own, or newer by migrations that
    /// are all declared additive.
    ///
    /// # Errors
    /// [`StoreError::TablesMissing`], [`StoreError::TablesOld`] or [`StoreError::TablesNew`]; or when the database fails.
    pub async fn check_tables(&self) -> Result<(), StoreError> {
        let versions = self.engine.versions().await?;
        let additive = if versions.newer().is_empty() { Vec::new() } else { self.engine.declared_additive().await? };
        versions.check(&additive)
    }
}

impl Engine {
    async fn migrate(&self) -> Result<(), StoreError> {
        let failed = |error: MigrateError| StoreError::Migrate(error.into());
        match &self.pools {
            Pools::Sqlite { write, .. } => migrate_sqlite(write).await.map_err(failed),
            Pools::Postgres(pools) => match pools.for_migrations().await.map_err(not_reached)? {
                Some(connection) => migrate_postgres(connection).await.map_err(failed),
                None if self.versions().await?.missing().is_empty() => Ok(()),
                None => Err(StoreError::MigratePooled),
            },
        }
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

fn not_reached(source: sqlx::Error) -> StoreError {
    StoreError::Query { what: WHAT, source: std::sync::Arc::new(source) }
}

/// On a connection of its own: neither an index over many rows nor the wait for another process, which is a statement,
/// is done within the limit of every other statement.
async fn migrate_postgres(mut connection: PgConnection) -> Result<(), MigrateError> {
    let (limit, lock) = (MIGRATE_TIMEOUT.as_millis(), LOCK_TIMEOUT.as_millis());
    connection.execute(AssertSqlSafe(format!("SET statement_timeout = {limit}; SET lock_timeout = {lock}"))).await?;
    let migrated = loop {
        match ON_POSTGRES.run_direct(None, &mut connection, false).await {
            Err(error) if is_locked(&error) => {
                tracing::warn!(
                    "a table is in use by a long transaction, or another process is migrating; trying again"
                );
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            migrated => break migrated,
        }
    };
    // The lock of others that migrate goes with the connection, also where this failed.
    let _ = connection.close().await;
    migrated
}

/// True where a lock was not to be had in time; what had been done of that migration is undone.
fn is_locked(error: &MigrateError) -> bool {
    let (MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) = error else { return false };
    source.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
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
