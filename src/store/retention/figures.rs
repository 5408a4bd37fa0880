//! How large the tables that grow are: as the database knows it anyway, nothing is counted.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::store::database::engine::{Pools, Row, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::parts::Retention;

/// The tables that grow, each with the time of a row and the key by which its oldest row is found.
const TABLES: &[(&str, Option<(&str, &str)>)] = &[
    ("commands", Some(("received_at", "id"))),
    ("config_backups", Some(("taken_at", "id"))),
    ("config_contents", None),
    ("dead_letters", Some(("collected_at", "id"))),
    ("events", Some(("created_at", "id"))),
    ("freezes", Some(("made_at", "id"))),
    ("intents", None),
    ("past_holders", Some(("next_from", "id"))),
    ("pushes", Some(("started_at", "id"))),
    ("taken_macs", None),
    ("virtual_mac_ports", None),
    ("virtual_macs", Some(("created_at", "id"))),
    ("webhook_deliveries", Some(("created_at", "id"))),
];

/// How large a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFigures {
    /// Its name; `all` is the whole database where it does not know more.
    pub table: String,
    /// Rows, as far as the database knows without counting.
    pub rows: Option<i64>,
    /// Bytes, with its indexes.
    pub bytes: Option<i64>,
    /// Age of its oldest row, milliseconds.
    pub oldest_ms: Option<i64>,
    /// Rows that went because they were old, or were made smaller.
    pub removed: i64,
}

impl Retention<'_> {
    /// The tables that grow, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn figures(self) -> Result<Vec<TableFigures>, StoreError> {
        let (engine, now) = (&self.store.engine, self.store.now().await?);
        let removed = engine.read("read how many rows went", "SELECT table_name, removed FROM retention", Vec::new());
        let removed: HashMap<String, i64> = by_table(&removed.await?, "removed")?;
        let oldest = self.oldest().await?;
        let (rows, bytes) = match engine.pools {
            Pools::Postgres { .. } => self.on_postgres().await?,
            Pools::Sqlite { .. } => self.on_sqlite().await?,
        };
        let names = TABLES.iter().map(|(table, _)| *table).chain(bytes.contains_key("all").then_some("all"));
        let figures = names.map(|table| TableFigures {
            table: table.to_owned(),
            rows: rows.get(table).copied(),
            bytes: bytes.get(table).copied(),
            oldest_ms: oldest.get(table).map(|at| (now - *at).num_milliseconds().max(0)),
            removed: removed.get(table).copied().unwrap_or(0),
        });
        Ok(figures.collect())
    }

    async fn oldest(self) -> Result<HashMap<&'static str, DateTime<Utc>>, StoreError> {
        let timed: Vec<_> = TABLES.iter().filter_map(|(table, times)| Some((*table, (*times)?))).collect();
        let columns = timed
            .iter()
            .map(|(table, (time, key))| format!("(SELECT {time} FROM {table} ORDER BY {key} LIMIT 1) AS {table}"));
        let sql = format!("SELECT {}", columns.collect::<Vec<_>>().join(", "));
        let rows = self.store.engine.read("find the oldest rows", &sql, Vec::new()).await?;
        let row = rows.first().ok_or(StoreError::NoAnswer { what: "find the oldest rows" })?;
        let times = timed.iter().map(|(table, _)| Ok(row.get::<Option<_>>(table)?.map(|time| (*table, time))));
        Ok(times.collect::<Result<Vec<_>, StoreError>>()?.into_iter().flatten().collect())
    }

    /// As of the last vacuum or analyze.
    async fn on_postgres(self) -> Result<(HashMap<String, i64>, HashMap<String, i64>), StoreError> {
        let sql = "SELECT CAST(c.relname AS TEXT) AS table_name, CAST(c.reltuples AS BIGINT) AS tuples,
                pg_total_relation_size(c.oid) AS bytes
            FROM {rows} JOIN pg_class c ON c.oid = to_regclass(e.value->>'table')";
        let tables = batch_arg(TABLES.iter().map(|(table, _)| json!({"table": table})).collect());
        let rows = self.store.engine.read("read how large the tables are", sql, vec![tables]).await?;
        let mut tuples = by_table(&rows, "tuples")?;
        // -1 where it was never counted.
        tuples.retain(|_, count| *count >= 0);
        Ok((tuples, by_table(&rows, "bytes")?))
    }

    /// The span of the row numbers: rows that went from the middle are counted too. Of the size only the whole is known.
    async fn on_sqlite(self) -> Result<(HashMap<String, i64>, HashMap<String, i64>), StoreError> {
        // That table has no row numbers.
        let counted = TABLES.iter().map(|(table, _)| *table).filter(|table| *table != "virtual_mac_ports");
        let spans = counted.map(|table| {
            format!("SELECT '{table}' AS table_name, COALESCE(MAX(rowid) - MIN(rowid) + 1, 0) AS tuples FROM {table}")
        });
        let sql = spans.collect::<Vec<_>>().join(" UNION ALL ");
        let rows = self.store.engine.read("read how large the tables are", &sql, Vec::new()).await?;
        let sql = "SELECT 'all' AS table_name, (SELECT page_count FROM pragma_page_count())
            * (SELECT page_size FROM pragma_page_size()) AS bytes";
        let size = self.store.engine.read("read how large the database is", sql, Vec::new()).await?;
        Ok((by_table(&rows, "tuples")?, by_table(&size, "bytes")?))
    }
}

fn by_table(rows: &[Row], column: &str) -> Result<HashMap<String, i64>, StoreError> {
    rows.iter().map(|row| Ok((row.get("table_name")?, row.get(column)?))).collect()
}
