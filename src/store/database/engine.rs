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
//! - `{now_ms}`: the database's clock, milliseconds since 1970.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::postgres::{PgPool, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Executor, Row as _, Type};

use crate::store::database::clock::Clock;
use crate::store::database::connect_reason::with_server_reason;
use crate::store::database::error::{StoreError, is_unreachable};
use crate::store::database::lineage::Lineage;

/// One argument of a statement.
#[derive(Debug, Clone)]
pub(in crate::store) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
    Time(Option<DateTime<Utc>>),
    Json(serde_json::Value),
}

macro_rules! arg_from {
    ($($type:ty => |$value:ident| $arg:expr),* $(,)?) => {
        $(impl From<$type> for Arg {
            fn from($value: $type) -> Self {
                $arg
            }
        })*
    };
}

arg_from! {
    i64 => |value| Self::Int(Some(value)),
    Option<i64> => |value| Self::Int(value),
    &str => |value| Self::Text(Some(storable(value.to_owned()))),
    String => |value| Self::Text(Some(storable(value))),
    Option<String> => |value| Self::Text(value.map(storable)),
    Vec<u8> => |value| Self::Bytes(value),
    DateTime<Utc> => |value| Self::Time(Some(value)),
    Option<DateTime<Utc>> => |value| Self::Time(value),
    serde_json::Value => |value| Self::Json(storable_json(value)),
}

/// Postgres takes NUL in no text, neither as such nor within JSON: the replacement character stands in for it, because
/// what others sent (headers, ids, the words of a switch) must not keep what we know of it from being written.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn storable_json(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => storable(text).into(),
        Value::Array(values) => values.into_iter().map(storable_json).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (storable(name), storable_json(value))).collect()
        }
        plain => plain,
    }
}

/// The arguments of a statement, in the order of `$1`, `$2`, ...
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::database::engine::Arg::from($value)),*]
    };
}
pub(in crate::store) use args;

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
    lineage: Arc<Lineage>,
    timeout: Duration,
}

#[derive(Clone)]
pub(in crate::store) enum Pools {
    Postgres {
        pool: PgPool,
        /// Connections whose commits do not wait for the disk.
        unsynced: PgPool,
    },
    /// Writers queue for the one connection instead of failing with "database is locked".
    Sqlite { write: SqlitePool, read: SqlitePool },
}

/// A row of either engine.
pub(in crate::store) enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

macro_rules! query {
    ($sql:expr, $arguments:expr) => {
        $arguments.into_iter().fold(sqlx::query(AssertSqlSafe($sql)), |query, argument| match argument {
            Arg::Int(value) => query.bind(value),
            Arg::Text(value) => query.bind(value),
            Arg::Bytes(value) => query.bind(value),
            Arg::Time(value) => query.bind(value),
            Arg::Json(value) => query.bind(sqlx::types::Json(value)),
        })
    };
}

impl Engine {
    pub fn postgres(pool: PgPool, unsynced: PgPool, lineage: Arc<Lineage>, timeout: Duration) -> Self {
        Self::new(Pools::Postgres { pool, unsynced }, lineage, timeout)
    }

    pub fn sqlite(write: SqlitePool, read: SqlitePool, timeout: Duration) -> Self {
        Self::new(Pools::Sqlite { write, read }, Arc::default(), timeout)
    }

    fn new(pools: Pools, lineage: Arc<Lineage>, timeout: Duration) -> Self {
        Self { pools, clock: Arc::default(), meter: Meter::new(lineage, timeout) }
    }

    /// How often the database was another one.
    pub fn lineage(&self) -> u64 {
        self.meter.lineage.changes()
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
            Pools::Postgres { .. } => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms",
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
                Pools::Postgres { pool, .. } => on_postgres_pool(pool, sql, arguments).await,
                Pools::Sqlite { read, .. } => on_sqlite(read, sql, arguments).await,
            }
        };
        self.meter.send(what, work).await
    }

    /// How the database would go about such a statement, a step a line.
    #[cfg(feature = "failpoints")]
    pub async fn plan_of(&self, sql: &str, arguments: Vec<Arg>) -> Result<String, StoreError> {
        let (explain, column) = match &self.pools {
            Pools::Postgres { .. } => ("EXPLAIN", "QUERY PLAN"),
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
                Pools::Postgres { pool, .. } => on_postgres_pool(pool, sql, arguments).await,
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
                Pools::Postgres { unsynced, .. } => on_postgres_pool(unsynced, sql, arguments).await,
                Pools::Sqlite { write, .. } => on_sqlite(write, sql, arguments).await,
            }
        };
        self.meter.send(what, work).await
    }
}

async fn on_postgres_pool(pool: &PgPool, sql: &str, arguments: Vec<Arg>) -> Result<Vec<Row>, sqlx::Error> {
    with_server_reason(&pool.connect_options(), on_postgres(pool, sql, arguments).await).await
}

pub(in crate::store) async fn on_postgres<'c>(
    executor: impl Executor<'c, Database = Postgres>,
    sql: &str,
    arguments: Vec<Arg>,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = query!(for_postgres(sql), arguments).fetch_all(executor).await?;
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

/// A batch as the argument that `{rows}` reads.
pub(in crate::store) fn batch_arg(rows: Vec<impl Serialize>) -> Arg {
    let text = serde_json::to_string(&rows).expect("rows are plain JSON");
    // Mostly there is no NUL, and then nothing needs to be searched.
    let text = if text.contains(r"\u0000") { storable_json(json!(rows)).to_string() } else { text };
    Arg::Text(Some(text))
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

pub(in crate::store) fn for_postgres(sql: &str) -> String {
    sql.replace("{rows}", "jsonb_array_elements($1::jsonb) AS e(value)")
        .replace("{bindings}", "jsonb_array_elements(switch_bindings) AS port(value)")
        .replace("{in}", "= ANY(ARRAY(")
        .replace("{/in}", "))")
        .replace("{strpos}", "strpos")
        .replace("{now_ms}", "(SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT))")
        .replace("{for_update}", "FOR UPDATE")
        .replace("{skip_locked}", "FOR UPDATE SKIP LOCKED")
        .replace("{unhex}", "decode(")
        .replace("{/unhex}", ", 'hex')")
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
}

impl Meter {
    fn new(lineage: Arc<Lineage>, timeout: Duration) -> Self {
        Self { sent: Arc::default(), lineage, timeout }
    }

    /// Counts a statement, and waits for its answer no longer than its limit.
    pub async fn send<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => {
                if is_unreachable(&source) {
                    self.lineage.cut();
                }
                Err(StoreError::Query { what, source: Arc::new(source) })
            }
            Err(_) => Err(StoreError::Timeout { what, after_ms: self.timeout.as_millis() }),
        }
    }
}
