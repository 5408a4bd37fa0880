//! Connections to Postgres, to the host that takes writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

use crate::store::database::connect_reason::with_server_reason;
use crate::store::database::error::{ends_connections, is_division_by_zero};
use crate::store::database::postgres::hosts::Hosts;
use crate::store::database::postgres::primary::Primary;
use crate::store::database::postgres::probe::{find_writable, not_now};
use crate::store::database::postgres::session::{SessionSettings, Sessions};
use crate::store::database::postgres::transaction::{Held, PgTx, Place};
use crate::store::database::statement::Arg;

/// Longest wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two times that the hosts are asked which of them takes writes, while none does.
const ASK_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may take to answer when it is given back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections for what does not wait for the disk: the outbox of one process is one task.
const UNSYNCED_CONNECTIONS_MAX: u32 = 2;
/// How often a transaction is begun anew where a pooler turns out to lead elsewhere.
const BEGINS_MAX: u32 = 3;

/// How connections are made.
#[derive(Debug)]
pub(in crate::store) struct PgOptions {
    pub hosts: Hosts,
    pub sessions: Sessions,
    /// Where migrations are done, if not by these connections.
    pub migrations: Option<Hosts>,
    /// Connections beside those of the outbox.
    pub connections_max: u32,
    /// Longest time for one statement.
    pub statement_timeout: Duration,
}

/// Which of the connections: those whose commits wait for the disk, or the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Commits {
    Synced,
    Unsynced,
}

/// The connections of one process.
#[derive(Clone)]
pub(in crate::store) struct PgPools {
    synced: Arc<Part>,
    unsynced: Arc<Part>,
    primary: Arc<Primary>,
    migrations: Option<Arc<Hosts>>,
}

struct Part {
    pool: PgPool,
    settings: SessionSettings,
    /// The number of the host that new connections are made to.
    host: AtomicUsize,
}

impl PgPools {
    /// Connects once, to see that it can be done.
    pub async fn open(options: PgOptions) -> Result<Self, sqlx::Error> {
        let primary = Arc::new(Primary::new(options.hosts));
        let settings = SessionSettings::new(options.sessions, options.statement_timeout);
        let unsynced = Part::new(UNSYNCED_CONNECTIONS_MAX, settings.clone().unsynced(), &primary).into();
        let synced = Part::new(options.connections_max, settings, &primary).into();
        let pools = Self { synced, unsynced, primary, migrations: options.migrations.map(Arc::new) };
        pools.acquire(&pools.synced).await?;
        Ok(pools)
    }

    /// How often the database was another one.
    pub fn lineage(&self) -> u64 {
        self.primary.lineage.changes()
    }

    /// Runs one statement by itself and gives the rows that it returns.
    pub async fn fetch(&self, commits: Commits, sql: &str, arguments: Vec<Arg>) -> Result<Vec<PgRow>, sqlx::Error> {
        let part = self.part(commits);
        match part.settings.sessions {
            Sessions::Own => self.acquire(part).await?.run(sql, arguments).await,
            Sessions::Pooled => {
                let mut tx = self.begin(commits).await?;
                let rows = tx.run(sql, arguments).await?;
                tx.commit().await?;
                Ok(rows)
            }
        }
    }

    /// Begins a transaction, in a task that always runs to its end. If the future of sqlx 0.9.0 is dropped after Postgres got
    /// the `BEGIN`, the connection goes back to the pool with an open transaction, and the next statement there is rolled
    /// back with it. A transaction that nobody waits for any more is dropped by the task, which rolls it back.
    pub async fn begin(&self, commits: Commits) -> Result<PgTx, sqlx::Error> {
        let pools = self.clone();
        #[expect(clippy::disallowed_methods, reason = "it is awaited, and its panic resumed")]
        let beginning = tokio::spawn(async move { pools.begin_in_task(commits).await });
        beginning.await.unwrap_or_else(|ended| match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down.
            Err(_) => Err(sqlx::Error::WorkerCrashed),
        })
    }

    async fn begin_in_task(&self, commits: Commits) -> Result<PgTx, sqlx::Error> {
        let part = self.part(commits);
        for _ in 0..BEGINS_MAX {
            match PgTx::begin(self.acquire(part).await?, &part.settings).await {
                Err(error) if is_division_by_zero(&error) => self.look_again(part).await?,
                result => return result,
            }
        }
        self.primary.doubt();
        Err(not_now(std::io::ErrorKind::ReadOnlyFilesystem, "the database behind the pooler takes no writes"))
    }

    /// A pooler leads to another database than before: which one?
    async fn look_again(&self, part: &Part) -> Result<(), sqlx::Error> {
        let mut held = self.acquire(part).await?;
        self.primary.lineage.see(&mut held.connection).await;
        Ok(())
    }

    /// A connection of its own for migrations, which need a session; none where there is only a pooler.
    pub async fn for_migrations(&self) -> Result<Option<PgConnection>, sqlx::Error> {
        match &self.migrations {
            Some(hosts) if hosts.is_for_writes => {
                Ok(Some(hosts.all[find_writable(&hosts.all).await?].connect().await?))
            }
            Some(hosts) => Ok(Some(hosts.all[0].connect().await?)),
            None if self.synced.settings.sessions == Sessions::Pooled => Ok(None),
            None => Ok(Some(self.acquire(&self.synced).await?.connection.detach())),
        }
    }

    /// Closes every connection, once what runs on it has ended.
    pub async fn close(&self) {
        self.unsynced.pool.close().await;
        self.synced.pool.close().await;
    }

    fn part(&self, commits: Commits) -> &Part {
        match commits {
            Commits::Synced => &self.synced,
            Commits::Unsynced => &self.unsynced,
        }
    }

    /// A connection to the host that takes writes. While none does, the hosts are asked again and again.
    async fn acquire(&self, part: &Part) -> Result<Held, sqlx::Error> {
        let mut last_reason = None;
        let acquired = tokio::time::timeout(ACQUIRE_TIMEOUT, self.acquire_patiently(part, &mut last_reason)).await;
        let acquired = acquired.unwrap_or_else(|_| Err(last_reason.unwrap_or(sqlx::Error::PoolTimedOut)));
        if acquired.is_err() {
            self.primary.doubt();
        }
        with_server_reason(&part.pool.connect_options(), acquired).await
    }

    async fn acquire_patiently(&self, part: &Part, reason: &mut Option<sqlx::Error>) -> Result<Held, sqlx::Error> {
        let mut doubts = self.primary.doubts();
        loop {
            doubts.mark_unchanged();
            if let Err(error) = self.primary.settle().await {
                if !ends_connections(&error) {
                    return Err(error);
                }
                *reason = Some(error);
                tokio::time::sleep(ASK_PAUSE).await;
                continue;
            }
            let moves = self.primary.moves();
            part.use_host(&self.primary);
            tokio::select! {
                biased;
                acquired = part.pool.acquire() => {
                    let connection = acquired?;
                    // Otherwise it may be one to the host before.
                    if !moves.has_changed().unwrap_or(false) {
                        return Ok(Held { connection, place: Place::new(self.primary.clone(), moves) });
                    }
                }
                // Whoever waits for a connection to a host that is gone waits for the next one instead.
                Ok(()) = doubts.changed(), if self.primary.is_for_writes() => {}
            }
        }
    }
}

impl Part {
    /// Connects when a connection is needed: most verbs never need one that does not wait for the disk.
    fn new(connections_max: u32, settings: SessionSettings, primary: &Arc<Primary>) -> Self {
        let (to_connect, to_acquire, to_release) = (primary.clone(), primary.clone(), primary.clone());
        let (session, sessions) = (settings.for_connection(), settings.sessions);
        let pool = PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| {
                let (session, primary) = (session.clone(), to_connect.clone());
                Box::pin(async move { set_up(connection, session, &primary).await })
            })
            // It was asked when it was released; one that broke since then fails its statement, which is retried.
            .test_before_acquire(false)
            .before_acquire(move |_, about| {
                let is_fresh = is_fresh(&to_acquire, about.age);
                Box::pin(async move { Ok(is_fresh) })
            })
            .after_release(move |connection, about| {
                let is_fresh = is_fresh(&to_release, about.age);
                Box::pin(async move { Ok(is_fresh && is_usable(connection, sessions).await?) })
            });
        let (number, host) = primary.host();
        Self { pool: pool.connect_lazy_with(host.clone()), settings, host: number.into() }
    }

    /// Makes new connections to the host in use.
    fn use_host(&self, primary: &Primary) {
        let (number, host) = primary.host();
        if self.host.swap(number, Ordering::SeqCst) != number {
            self.pool.set_connect_options(host.clone());
        }
    }
}

fn is_fresh(primary: &Primary, age: Duration) -> bool {
    Instant::now().checked_sub(age).is_some_and(|made| primary.is_fresh(made))
}

/// Before a new connection is given out: its settings, whether it takes writes, and which database it leads to.
async fn set_up(connection: &mut PgConnection, session: Option<String>, primary: &Primary) -> Result<(), sqlx::Error> {
    if let Some(session) = session {
        connection.execute(AssertSqlSafe(session)).await?;
    }
    if primary.is_for_writes() {
        let read_only: String = connection.fetch_one("SHOW transaction_read_only").await?.try_get(0)?;
        if read_only == "on" {
            primary.doubt();
            return Err(not_now(std::io::ErrorKind::ReadOnlyFilesystem, "the host takes no writes"));
        }
    }
    primary.lineage.see(connection).await;
    Ok(())
}

/// Asked when a connection is given back: with a transaction left open it must not come back. The driver's own count is right
/// because every begin runs to its end ([`PgPools::begin`]), except where a transaction failed while it began, which happens
/// behind a pooler alone: there every statement fails from then on.
///
/// The pool pings as well, but without a limit: where a network swallows everything a connection would keep its place until
/// TCP gives up, and a few of those are all places there are.
async fn is_usable(connection: &mut PgConnection, sessions: Sessions) -> Result<bool, sqlx::Error> {
    let asked = async {
        match sessions {
            Sessions::Own => connection.ping().await,
            Sessions::Pooled => connection.execute("SELECT 1").await.map(|_| ()),
        }
    };
    match tokio::time::timeout(RELEASE_TIMEOUT, asked).await {
        Ok(answered) => answered.map(|()| !connection.is_in_transaction()),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}
