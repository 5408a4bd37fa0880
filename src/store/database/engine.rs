//! A thin layer over both databases, so that every statement is written once: pools, typed arguments, rows.
//!
//! The few words in which the engines differ are tokens in the statement's text:
//! - `{rows}`: the first argument, a JSON array as text, as a table `e(value)`; fields are
//!   `e.value->>'name'`, cast where they are numbers;
//! - `{in}SELECT ...{/in}`: is one of these; on Postgres as an array, which is looked up by index whatever the planner
//!   thinks of the tables' sizes (decision 0014);
//! - `{bindings}`: the ports of a row of `virtual_macs` as a table `port(value)`;
//! - `{for_update}` and `{skip_locked}`: row locks, nothing on SQLite, where a write transaction is alone;
//! - `{unhex}x{/unhex}`: bytes of a hexadecimal text;
//! - `{day}x{/day}` and `{epoch_ms}x{/epoch_ms}`: a time as days, and as milliseconds, since 1970;
//! - `{past_ports}`: the ports of a row of `virtual_macs` in a few words;
//! - `{now_ms}`: the database's clock, milliseconds since 1970.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{Decode, Executor, Row as _, Type};

use crate::store::database::clock::Clock;
use crate::store::database::error::StoreError;
use crate::store::database::postgres::pools::{Commits, PgPools};
use crate::store::database::statement::query;
pub(in crate::store) use crate::store::database::statement::{Arg, args, batch_arg};

/// Either database.
#[derive(Clone)]
pub(in crate::store) struct Engine {
    pub pools: Pools,
    pub clock: Arc<Clock>,
    pub meter: Meter,
}

/// Sends statements within their time limit, and counts them.
#[derive(Clone, Default)]
pub(in crate::store) struct Meter {
    sent: Arc<AtomicU64>,
    timeout: Duration,
}

#[derive(Clone)]
pub(in crate::store) enum Pools {
    Postgres(PgPools),
    /// Writers queue for the one connection instead of failing with "database is locked".
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
}

/// A row of either engine.
pub(in crate::store) enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

impl Engine {
    /// `timeout` is how long the client waits for a statement.
    pub fn new(pools: Pools, timeout: Duration) -> Self {
        Self { pools, clock: Arc::default(), meter: Meter { sent: Arc::default(), timeout } }
    }

    /// How often the database was another one.
    pub fn lineage(&self) -> u64 {
        match &self.pools {
            Pools::Postgres(pools) => pools.lineage(),
            Pools::Sqlite { .. } => 0,
        }
    }

    /// Statements sent since the store was opened.
    pub fn statements(&self) -> u64 {
        self.meter.sent.load(Ordering::Relaxed)
    }

    /// The database's clock, whole milliseconds.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        if let Some(now) = self.clock.carried_on() {
            return Ok(now);
        }
        let asked = Instant::now();
        let now = self.ask_for_the_time().await?;
        Ok(self.clock.learn(asked, now))
    }

    /// As [`Self::now`], from the database itself.
    pub async fn ask_for_the_time(&self) -> Result<DateTime<Utc>, StoreError> {
        let sql = match &self.pools {
            Pools::Postgres(_) => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms",
            Pools::Sqlite { .. } => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now_ms",
        };
        let rows = self.read("read its clock", sql, Vec::new()).await?;
        let now_ms: i64 = rows.first().ok_or(StoreError::NoAnswer { what: "read its clock" })?.get("now_ms")?;
        DateTime::from_timestamp_millis(now_ms).ok_or(StoreError::NoAnswer { what: "read its clock" })
    }

    /// Rows of a statement that only reads.
    pub async fn read(&self, what: &'static str, sql: &str, arguments: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        let work = async {
            match &self.pools {
                Pools::Postgres(pools) => on_postgres(pools, Commits::Synced, sql, arguments).await,
                Pools::Sqlite { read, .. } => on_sqlite(read, sql, arguments).await,
            }
        };
        self.meter.send(what, work).await
    }

    /// How the database would go about such a statement, a step a line.
    #[cfg(feature = "failpoints")]
    pub async fn plan_of(&self, sql: &str, arguments: Vec<Arg>) -> Result<String, StoreError> {
        let (explain, column) = match &self.pools {
            Pools::Postgres(_) => ("EXPLAIN", "QUERY PLAN"),
            Pools::Sqlite { .. } => ("EXPLAIN QUERY PLAN", "detail"),
        };
        let steps = self.read("plan a statement", &format!("{explain} {sql}"), arguments).await?;
        let steps: Result<Vec<String>, _> = steps.iter().map(|step| step.get(column)).collect();
        Ok(steps?.join("\n"))
    }

    /// Runs one writing statement by itself and gives the rows that it returns.
    pub async fn write(&self, what: &'static str, sql: &str, arguments: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        let work = async {
            match &self.pools {
                Pools::Postgres(pools) => on_postgres(pools, Commits::Synced, sql, arguments).await,
                Pools::Sqlite { write, .. } => on_sqlite(write, sql, arguments).await,
            }
        };
        self.meter.send(what, work).await
    }

    /// As [`Self::write`], but on Postgres does not wait for the disk: if the server crashes within a second, the write may be
    /// lost. Whatever is synced later takes it along.
    pub async fn write_unsynced(
        &self,
        what: &'static str,
        sql: &str,
        arguments: Vec<Arg>,
    ) -> Result<Vec<Row>, StoreError> {
        let work = async {
            match &self.pools {
                Pools::Postgres(pools) => on_postgres(pools, Commits::Unsynced, sql, arguments).await,
                Pools::Sqlite { write, .. } => on_sqlite(write, sql, arguments).await,
            }
        };
        self.meter.send(what, work).await
    }
}

async fn on_postgres(
    pools: &PgPools,
    commits: Commits,
    sql: &str,
    arguments: Vec<Arg>,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = pools.fetch(commits, sql, arguments).await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

pub(in crate::store) async fn on_sqlite<'c>(
    executor: impl Executor<'c, Database = Sqlite>,
    sql: &str,
    arguments: Vec<Arg>,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = query!(for_sqlite(sql), arguments).fetch_all(executor).await?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

impl Row {
    /// The column as this type.
    pub fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
    {
        let value = match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => row.try_get(column),
        };
        value.map_err(|source| StoreError::Column { column: column.to_owned(), source: Arc::new(source) })
    }

    /// The column as a domain type that is stored as text.
    pub fn parse<T: std::str::FromStr>(&self, column: &str) -> Result<T, StoreError> {
        parsed(column, &self.get::<String>(column)?)
    }

    /// The same for a column that may be null.
    pub fn parse_optional<T: std::str::FromStr>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.get::<Option<String>>(column)?.map(|text| parsed(column, &text)).transpose()
    }

    /// The column as a value stored as JSON.
    pub fn json<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: serde::de::DeserializeOwned + Send + Unpin + 'static,
    {
        Ok(self.get::<sqlx::types::Json<T>>(column)?.0)
    }
}

fn parsed<T: std::str::FromStr>(column: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Content { column: column.to_owned(), text: text.to_owned() })
}

fn for_sqlite(sql: &str) -> String {
    sql.replace("{rows}", "json_each($1) AS e")
        .replace("{bindings}", "json_each(switch_bindings) AS port")
        .replace("{in}", "IN (")
        .replace("{/in}", ")")
        .replace("{strpos}", "instr")
        .replace("{now_ms}", "CAST(unixepoch('subsec') * 1000 AS INTEGER)")
        .replace("{for_update}", "")
        .replace("{skip_locked}", "")
        .replace("{unhex}", "unhex(")
        .replace("{/unhex}", ")")
        .replace("{day}", "(unixepoch(")
        .replace("{/day}", ") / 86400)")
        .replace("{epoch_ms}", "(unixepoch(")
        .replace("{/epoch_ms}", ", 'subsec') * 1000)")
        .replace("{past_ports}", PAST_PORTS_ON_SQLITE)
}

/// As the function `past_ports_of` of Postgres.
const PAST_PORTS_ON_SQLITE: &str = "(SELECT group_concat(COALESCE(port.value->>'server_id', server_id)
        || ' ' || (port.value->>'switch') || ' ' || (port.value->>'interface')
        || COALESCE(' ' || (port.value->>'vlan'), ''), ';')
    FROM json_each(switch_bindings) AS port WHERE COALESCE(port.value->>'leaving', 0) = 0)";

impl Meter {
    /// Counts a statement, and waits for its answer no longer than its limit.
    pub async fn send<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => result.map_err(|source| StoreError::Query { what, source: Arc::new(source) }),
            Err(_) => Err(StoreError::Timeout { what, after_ms: self.timeout.as_millis() }),
        }
    }
}
