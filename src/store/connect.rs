//! Opening the store.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};

use crate::domain::{Pools, RetryPolicy, ServiceUrl};
use crate::store::backups::packer::Packer;
use crate::store::backups::seal::BackupKey;
use crate::store::database::engine::{Engine, Pools as EnginePools};
use crate::store::database::error::{StoreError, is_busy};
use crate::store::database::postgres::hosts::Hosts;
use crate::store::database::postgres::pools::{PgOptions, PgPools};
use crate::store::database::postgres::session::Sessions;
use crate::store::database::private_files;
use crate::store::database::tx::Tx;
use crate::store::events::outbox::Outbox;

/// How long SQLite waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to open a file that another process is setting up.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How much longer than Postgres itself its client waits for a statement.
const SERVER_FIRST: Duration = Duration::from_secs(1);

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) engine: Engine,
    pub(super) packer: Arc<Packer>,
    pub(super) pools: Arc<Pools>,
    pub(super) retry: RetryPolicy,
    pub(super) outbox: Arc<Outbox>,
}

/// How the store is opened.
#[derive(Debug)]
pub struct StoreOptions {
    /// Connections kept to Postgres, beside one or two for what does not wait for the disk.
    pub connections_max: u32,
    /// Longest time for one statement.
    pub statement_timeout: Duration,
    /// The key that backups are sealed with; none leaves them readable.
    pub backup_key: Option<BackupKey>,
    /// The pools that MACs are handed out from.
    pub pools: Pools,
    /// When what failed is retried.
    pub retry: RetryPolicy,
    /// Make a SQLite file where there is none.
    pub create: bool,
    /// Postgres is behind a pooler in transaction mode.
    pub is_pooled: bool,
    /// Where Postgres is migrated, if not by way of its URL.
    pub migrate_url: Option<ServiceUrl>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            connections_max: 8,
            statement_timeout: Duration::from_secs(30),
            backup_key: None,
            pools: Pools::default(),
            retry: RetryPolicy::default(),
            create: true,
            is_pooled: false,
            migrate_url: None,
        }
    }
}

impl Store {
    /// Opens the database of this URL: `sqlite://FILE`, created where it is missing, or `postgres://...`.
    ///
    /// # Errors
    /// [`StoreError::UnknownUrl`], [`StoreError::Hosts`] or [`StoreError::Connect`], which names the URL without its password.
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        let engine = match ServiceUrl::new(url).scheme() {
            Some("sqlite") => {
                let opened = sqlite(url, options.statement_timeout, options.create).await;
                opened.map_err(|source| cannot_connect(url, source))?
            }
            Some("postgres" | "postgresql") => postgres(url, &options).await?,
            _ => return Err(StoreError::UnknownUrl),
        };
        let packer = Arc::new(Packer::new(options.backup_key));
        Ok(Self { engine, packer, pools: Arc::new(options.pools), retry: options.retry, outbox: Arc::default() })
    }

    /// Begins a write transaction.
    pub(super) async fn begin(&self, what: &'static str) -> Result<Tx, StoreError> {
        Tx::begin(&self.engine, &self.outbox, what).await
    }

    /// The database's clock; while the database does not answer, carried on from its last answer. For times that are only
    /// shown, and for those that must not make anything fail.
    pub async fn time(&self) -> DateTime<Utc> {
        self.now().await.unwrap_or_else(|_| self.engine.clock.best_known())
    }

    /// The same without asking: the last answer carried on, however old.
    pub fn best_known_time(&self) -> DateTime<Utc> {
        self.engine.clock.best_known()
    }

    /// The database's clock.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        self.engine.now().await
    }

    /// How often the database turned out to be another one than before, or one that may be older: after a failover, a restore or
    /// a restart of its server, but not after a mere loss of connections to the same server. It starts at 0 and rises before the
    /// first connection to that database is used, so whoever reads it within a transaction knows the one that they write to. On
    /// SQLite it is always 0.
    pub fn lineage(&self) -> u64 {
        self.engine.lineage()
    }
}

async fn sqlite(url: &str, timeout: Duration, create: bool) -> Result<Engine, sqlx::Error> {
    let connect = url
        .parse::<SqliteConnectOptions>()?
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    if !url.contains(":memory:") {
        keep_private(connect.get_filename(), create);
    }
    let pool = |connections| SqlitePoolOptions::new().max_connections(connections).acquire_timeout(timeout);
    let write = pool(1).before_acquire(|connection, _| Box::pin(is_sound(connection)));
    let write = opened(write, connect.clone()).await?;
    // A database in memory belongs to its one connection.
    let read = if url.contains(":memory:") { write.clone() } else { opened(pool(4), connect).await? };
    Ok(Engine::new(EnginePools::Sqlite { write, read }, timeout))
}

/// Opens the pool. While other processes switch a new file to the write-ahead log, SQLite refuses at once instead of waiting
/// for [`BUSY_TIMEOUT`] (seen with six processes at once), so the waiting is done here.
async fn opened(pool: SqlitePoolOptions, connect: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match pool.clone().connect_with(connect.clone()).await {
            Err(error) if is_busy(&error) && Instant::now() < until => tokio::time::sleep(BUSY_PAUSE).await,
            result => return result,
        }
    }
}

/// Only the owner may read the rows. SQLite would create the file with whatever mode the umask allows.
fn keep_private(database: &Path, create: bool) {
    if create {
        // An existing file stays as it is. Any other error is reported by SQLite when it opens the file.
        let _ = private_files::create(database);
    }
    for file in private_files::of_sqlite(database) {
        match private_files::close_to_others(&file) {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(file = %file.display(), "the file was readable by everybody; now only its owner can read it")
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "the file is readable by everybody, and its mode cannot be changed")
            }
        }
    }
}

/// SQLite itself rolls a transaction back when the disk is full (`sqlite3_get_autocommit`, "certain errors"). The rollback
/// that comes after it then fails, and the connection would count as within a transaction for ever.
async fn is_sound(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    Ok(!connection.is_in_transaction())
}

async fn postgres(url: &str, options: &StoreOptions) -> Result<Engine, StoreError> {
    let sessions = if options.is_pooled { Sessions::Pooled } else { Sessions::Own };
    let migrations = options.migrate_url.as_ref().map(|url| Hosts::of(url.reveal())).transpose()?;
    let statement_timeout = options.statement_timeout;
    let hosts = Hosts::of(url)?;
    let connections_max = options.connections_max;
    let opened = PgPools::open(PgOptions { hosts, sessions, migrations, connections_max, statement_timeout }).await;
    let pools = opened.map_err(|source| cannot_connect(url, source))?;
    Ok(Engine::new(EnginePools::Postgres(pools), statement_timeout + SERVER_FIRST))
}

fn cannot_connect(url: &str, source: sqlx::Error) -> StoreError {
    StoreError::Connect { url: ServiceUrl::new(url), source: Arc::new(source) }
}
