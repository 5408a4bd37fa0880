//! `vmacd migrate --plan`: what bringing the tables up to date will do, and whom it holds up for how long.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::connect::Store;
use crate::store::database::engine::{Engine, Pools};
use crate::store::database::error::StoreError;
use crate::store::maintenance::changes::Versions;
use crate::store::maintenance::migrations::{Change, ON_POSTGRES, ON_SQLITE, change_of};
use crate::store::maintenance::statements::{Lock, Schema, Step, Work};

/// Bytes of a table in a second. Measured with a million rows and three indexes (212 MB, Postgres 15, two busy cores): an index
/// 228 to 301 MB/s, a rewrite 56 to 60, an update of every row 7.7. A larger table does not fit into memory.
const SCANNED_PER_S: u64 = 100_000_000;
const REWRITTEN_PER_S: u64 = 40_000_000;
const UPDATED_PER_S: u64 = 7_000_000;

/// What `vmacd migrate` would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationPlan {
    /// The newest version of the tables that are there; none where there are no tables.
    pub found: Option<i64>,
    /// The newest that this program brings.
    pub wanted: i64,
    /// True where the tables have migrations that this program does not know, all of them additive.
    pub newer: bool,
    /// Whether workers of the version that is running now go on, during all of it and afterwards.
    pub workers_go_on: bool,
    /// In their order.
    pub migrations: Vec<PlannedMigration>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedMigration {
    /// Its version.
    pub version: i64,
    /// What its file is called.
    pub name: String,
    /// Whether workers of the version before go on with the tables that it leaves.
    pub change: Change,
    /// Why they do not.
    pub why: Option<&'static str>,
    /// What it does to tables that exist.
    pub steps: Vec<PlannedStep>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Its text.
    pub statement: String,
    /// The table that it reads or changes.
    pub table: Option<String>,
    /// The table's rows, as the database estimates or counts them.
    pub rows: Option<i64>,
    /// The table's size.
    pub bytes: Option<i64>,
    /// What others cannot do meanwhile.
    pub lock: Lock,
    /// How long they cannot, milliseconds, roughly: to the end of the migration.
    pub locked_ms: u64,
}

/// Rows and bytes of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    rows: i64,
    bytes: i64,
}

impl Store {
    /// What [`Store::migrate`] would do; changes nothing.
    ///
    /// # Errors
    /// [`StoreError::TablesNew`]; or when the database fails.
    pub async fn migration_plan(&self) -> Result<MigrationPlan, StoreError> {
        let versions = self.engine.versions().await?;
        match self.check_tables().await {
            Ok(()) | Err(StoreError::TablesMissing | StoreError::TablesOld { .. }) => {}
            Err(error) => return Err(error),
        }
        let pending = self.engine.pending(&versions);
        let sizes = self.engine.sizes(&pending).await?;
        Ok(plan(&versions, pending, &sizes))
    }
}

/// A migration that is to be made, with its statements.
type Pending = (i64, String, Vec<Step>);

fn plan(versions: &Versions, pending: Vec<Pending>, sizes: &BTreeMap<String, Size>) -> MigrationPlan {
    let migrations: Vec<_> = pending.into_iter().map(|pending| planned(pending, sizes)).collect();
    MigrationPlan {
        found: versions.found.last().copied(),
        wanted: versions.wanted.last().copied().unwrap_or(0),
        newer: !versions.newer().is_empty(),
        workers_go_on: migrations.iter().all(|migration| migration.change == Change::Additive),
        migrations,
    }
}

/// Locks are held until the migration ends: each statement's for as long as it and those after it take.
fn planned((version, name, steps): Pending, sizes: &BTreeMap<String, Size>) -> PlannedMigration {
    let mut left_ms = 0;
    let mut planned: Vec<PlannedStep> = steps
        .into_iter()
        .rev()
        .filter_map(|step| {
            let size = step.table.as_ref().and_then(|table| sizes.get(table)).copied();
            left_ms += took_ms(step.work, size);
            let is_worth_saying = step.table.is_some() || step.lock != Lock::Nothing;
            is_worth_saying.then(|| PlannedStep {
                statement: step.statement,
                table: step.table,
                rows: size.map(|size| size.rows),
                bytes: size.map(|size| size.bytes),
                lock: step.lock,
                locked_ms: if step.lock == Lock::Nothing { 0 } else { left_ms },
            })
        })
        .collect();
    planned.reverse();
    let (change, why) = change_of(version);
    PlannedMigration { version, name, change, why, steps: planned }
}

fn took_ms(work: Work, size: Option<Size>) -> u64 {
    let bytes = size.map_or(0, |size| u64::try_from(size.bytes).unwrap_or(0));
    match work {
        Work::Moment => 1,
        Work::Scan => 1 + bytes * 1000 / SCANNED_PER_S,
        Work::Rewrite => 1 + bytes * 1000 / REWRITTEN_PER_S,
        Work::Update => 1 + bytes * 1000 / UPDATED_PER_S,
    }
}

impl Engine {
    fn pending(&self, versions: &Versions) -> Vec<Pending> {
        let (migrator, is_sqlite) = match &self.pools {
            Pools::Postgres(_) => (&*ON_POSTGRES, false),
            Pools::Sqlite { .. } => (&*ON_SQLITE, true),
        };
        let missing = versions.missing();
        let mut schema = Schema::default();
        // Those that were made say what is unique.
        let all = migrator.iter().map(|migration| (migration, schema.steps(migration.sql.as_str())));
        let pending = all.filter(|(migration, _)| missing.contains(&migration.version));
        let named = pending.map(|(migration, steps)| {
            let name = format!("{:04}_{}", migration.version, migration.description.replace(' ', "_"));
            (migration.version, name, if is_sqlite { steps.into_iter().map(alone).collect() } else { steps })
        });
        named.collect()
    }

    /// How large the tables are that exist.
    async fn sizes(&self, pending: &[Pending]) -> Result<BTreeMap<String, Size>, StoreError> {
        match &self.pools {
            Pools::Postgres(_) => self.sizes_on_postgres().await,
            Pools::Sqlite { .. } => self.sizes_on_sqlite(pending).await,
        }
    }

    async fn sizes_on_postgres(&self) -> Result<BTreeMap<String, Size>, StoreError> {
        let sql = "SELECT c.relname AS name, CAST(GREATEST(c.reltuples, s.n_live_tup, 0) AS BIGINT) AS rows,
                pg_table_size(c.oid) AS bytes
            FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
            WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(current_schema())";
        let rows = self.read("say how large the tables are", sql, Vec::new()).await?;
        rows.iter()
            .map(|row| Ok((row.get("name")?, Size { rows: row.get("rows")?, bytes: row.get("bytes")? })))
            .collect()
    }

    /// SQLite does not say how large one table is: rows are counted, and the whole file stands for its bytes.
    async fn sizes_on_sqlite(&self, pending: &[Pending]) -> Result<BTreeMap<String, Size>, StoreError> {
        let what = "say how large the tables are";
        let file = "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()";
        let bytes: i64 = self.read(what, file, Vec::new()).await?.first().map_or(Ok(0), |row| row.get("bytes"))?;
        let mut sizes = BTreeMap::new();
        for table in pending.iter().flat_map(|(_, _, steps)| steps).filter_map(|step| step.table.clone()) {
            match self.read(what, &format!("SELECT COUNT(*) AS count FROM {table}"), Vec::new()).await {
                Ok(rows) => {
                    let rows = rows.first().map_or(Ok(0), |row| row.get("count"))?;
                    sizes.insert(table, Size { rows, bytes });
                }
                Err(error) if error.is_missing_table() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sizes)
    }
}

/// SQLite has one writer, and a migration is it from its beginning to its end.
fn alone(step: Step) -> Step {
    Step { lock: if step.table.is_some() { Lock::Writes } else { step.lock }, ..step }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_the_migration_ends_and_grows_with_the_tables() {
        let steps = Schema::default()
            .steps("ALTER TABLE t ADD COLUMN a TEXT; CREATE INDEX i ON t (a); CREATE TABLE n (a TEXT)");
        let sizes = BTreeMap::from([("t".to_owned(), Size { rows: 1_000_000, bytes: 600_000_000 })]);
        let planned = planned((99, "0099_more".to_owned(), steps), &sizes);
        let locks: Vec<_> = planned.steps.iter().map(|step| (step.lock, step.locked_ms)).collect();
        assert_eq!(locks, [(Lock::Everything, 6_003), (Lock::Writes, 6_002)]);
        assert_eq!(planned.steps[0].rows, Some(1_000_000));
    }

    #[test]
    fn workers_go_on_where_every_migration_is_additive() {
        let versions = Versions { found: vec![1, 13], wanted: vec![1, 13, 14, 17] };
        let of = |version| (version, format!("{version:04}"), Vec::new());
        let whole = plan(&versions, vec![of(14), of(17)], &BTreeMap::new());
        assert!(!whole.workers_go_on && whole.migrations[0].why.is_some(), "{whole:?}");
        assert!(plan(&versions, vec![of(17)], &BTreeMap::new()).workers_go_on);
        assert_eq!((whole.found, whole.wanted, whole.newer), (Some(13), 17, false));
    }
}
