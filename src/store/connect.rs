//! Opening the store.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

use crate::domain::{Pools, RetryPolicy, ServiceUrl};
use crate::store::backups::packer::Packer;
use crate::store::backups::seal::BackupKey;
use crate::store::database::connect_reason::with_server_reason;
use crate::store::database::engine::Engine;
use crate::store::database::error::{StoreError, is_busy};
use crate::store::database::lineage::Lineage;
use crate::store::database::private_files;
use crate::store::database::tx::Tx;
use crate::store::events::outbox::Outbox;

/// Longest wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to open a file that another process is setting up.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How long a connection may take to answer when it is given back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to Postgres for what does not wait for the disk: the outbox of one process is one task.
const UNSYNCED_CONNECTIONS_MAX: u32 = 2;
/// How much longer than Postgres itself its client waits for a statement.
const SERVER_FIRST: Duration = Duration::from_secs(1);
/// Longest time for a transaction between two of its statements: what holds locks and says nothing is paused or cut off.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(5);

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
        }
    }
}

impl Store {
    /// Opens the database of this URL: `sqlite://FILE`, created where it is missing, or `postgres://...`.
    ///
    /// # Errors
    /// [`StoreError::UnknownUrl`] or [`StoreError::Connect`], which names the URL without its password.
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        let packer = Arc::new(Packer::new(options.backup_key));
        let pools = Arc::new(options.pools);
        let retry = options.retry;
        let (connections_max, timeout) = (options.connections_max, options.statement_timeout);
        let shown = ServiceUrl::new(url);
        let engine = match shown.scheme() {
            Some("sqlite") => sqlite(url, timeout, options.create).await,
            Some("postgres" | "postgresql") => postgres(url, connections_max, timeout).await,
            _ => return Err(StoreError::UnknownUrl),
        };
        engine
            .map(|engine| Self { engine, packer, pools, retry, outbox: Arc::default() })
            .map_err(|source| StoreError::Connect { url: shown, source: Arc::new(source) })
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
    Ok(Engine::sqlite(write, read, timeout))
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

async fn postgres(url: &str, connections_max: u32, timeout: Duration) -> Result<Engine, sqlx::Error> {
    let session = session_settings(timeout);
    let connect = known_parameters(url).parse::<PgConnectOptions>()?.application_name("vmacd");
    let lineage = Arc::<Lineage>::default();
    let of_unsynced = format!("{session}; SET synchronous_commit = off");
    let unsynced = pool_of(UNSYNCED_CONNECTIONS_MAX, of_unsynced, &lineage);
    let pool = pool_of(connections_max, session, &lineage).connect_with(connect.clone());
    let pool = with_server_reason(&connect, pool.await).await?;
    // Most verbs never need one.
    let unsynced = unsynced.connect_lazy_with(connect);
    Ok(Engine::postgres(pool, unsynced, lineage, timeout + SERVER_FIRST))
}

/// A pool of at most `connections_max` connections, each with these settings.
fn pool_of(connections_max: u32, session: String, lineage: &Arc<Lineage>) -> PgPoolOptions {
    let lineage = Arc::clone(lineage);
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(move |connection, _| {
            let (session, lineage) = (session.clone(), Arc::clone(&lineage));
            Box::pin(async move {
                connection.execute(AssertSqlSafe(session)).await?;
                lineage.see(connection).await;
                Ok(())
            })
        })
        // It was asked when it was released; one that broke since then fails its statement, which is retried.
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_usable(connection)))
}

/// Asked when a connection is given back: with a transaction left open it must not come back. The driver's own count is right
/// because every begin runs to its end ([`Tx::begin`]).
///
/// The pool pings as well, but without a limit: where a network swallows everything a connection would keep its place until
/// TCP gives up, and a few of those are all places there are.
async fn is_usable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(RELEASE_TIMEOUT, connection.ping()).await {
        Ok(answered) => answered.map(|()| !connection.is_in_transaction()),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// The server ends what takes too long by itself: a statement that its client gave up would go on waiting for its
/// locks, and a worker that is paused or cut off within a transaction would keep everybody else from theirs, among them
/// whoever admits in its place: between two statements there is no work that takes seconds.
///
/// A plan that was made while a table was small reads all of it, and is kept until the table is analysed: an index is
/// used wherever there is one. Compiling a statement costs more than a batch gains by it.
fn session_settings(timeout: Duration) -> String {
    let (statement_ms, idle_ms) = (timeout.as_millis(), timeout.min(IDLE_IN_TRANSACTION_MAX).as_millis());
    format!(
        "SET statement_timeout = {statement_ms}; SET idle_in_transaction_session_timeout = {idle_ms}; \
         SET enable_seqscan = off; SET jit = off"
    )
}

/// The parameters of a Postgres URL that sqlx knows.
const PARAMETERS: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[",
];

/// The URL without the parameters that sqlx does not know, such as libpq's `sslpassword`: it would write their values to the
/// log.
fn known_parameters(url: &str) -> String {
    let Ok(mut parsed) = url.parse::<url::Url>() else { return url.to_owned() };
    let is_known = |name: &str| {
        PARAMETERS.iter().any(|known| if known.ends_with('[') { name.starts_with(known) } else { name == *known })
    };
    let pairs: Vec<(String, String)> = parsed.query_pairs().into_owned().collect();
    let (known, unknown): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| is_known(name));
    if unknown.is_empty() {
        return url.to_owned();
    }
    tracing::warn!(ignored = unknown.len(), "database.url has parameters that vmacd does not know; they are ignored");
    parsed.query_pairs_mut().clear().extend_pairs(known);
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::known_parameters;

    #[test]
    fn parameters_that_would_be_logged_with_their_values_are_left_out() {
        let url = "postgres://u:p%2Fw@db:5432/x?sslmode=require&options[search_path]=a%20b&password=p%26w";
        assert_eq!(known_parameters(url), url);
        let kept = known_parameters("postgres://u:p%2Fw@db/x?sslpassword=s3cret&sslmode=require&s3cret");
        assert_eq!(kept, "postgres://u:p%2Fw@db/x?sslmode=require");
        assert!(!known_parameters("postgres://db/x?sslpassword=s3cret").contains("s3cret"));
    }
}
