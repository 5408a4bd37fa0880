//! What each migration that was made is declared to be, in the table `table_changes`: a worker of an earlier version, which
//! does not know the migration, reads there whether it may go on.

use crate::store::database::engine::{Engine, Pools, args};
use crate::store::database::error::StoreError;
use crate::store::maintenance::migrations::{Change, ON_POSTGRES, ON_SQLITE, change_of};

/// The versions of the tables that are there, beside those of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Versions {
    /// What is there, in order.
    pub found: Vec<i64>,
    /// This program's, in order.
    pub wanted: Vec<i64>,
}

impl Versions {
    /// Those of this program that are not there yet.
    pub fn missing(&self) -> Vec<i64> {
        self.wanted.iter().filter(|version| !self.found.contains(version)).copied().collect()
    }

    /// Those that this program does not know: a newer one made them.
    pub fn newer(&self) -> Vec<i64> {
        self.found.iter().filter(|version| !self.wanted.contains(version)).copied().collect()
    }

    /// The error where workers of this program cannot work with these tables; `additive` are those that are declared so.
    pub fn check(&self, additive: &[i64]) -> Result<(), StoreError> {
        let newest = |versions: &[i64]| versions.last().copied().unwrap_or(0);
        let (found, wanted) = (newest(&self.found), newest(&self.wanted));
        if self.found.is_empty() {
            return Err(StoreError::TablesMissing);
        }
        if self.newer().iter().any(|version| !additive.contains(version)) {
            return Err(StoreError::TablesNew { found, wanted });
        }
        if self.missing().is_empty() { Ok(()) } else { Err(StoreError::TablesOld { found, wanted }) }
    }
}

impl Engine {
    pub(in crate::store) async fn versions(&self) -> Result<Versions, StoreError> {
        let migrator = match &self.pools {
            Pools::Postgres(_) => &*ON_POSTGRES,
            Pools::Sqlite { .. } => &*ON_SQLITE,
        };
        let wanted = migrator.iter().map(|migration| migration.version).collect();
        let sql = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
        let found = match self.read("read which tables exist", sql, Vec::new()).await {
            Ok(rows) => rows.iter().map(|row| row.get("version")).collect::<Result<_, _>>()?,
            Err(error) if error.is_missing_table() => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Versions { found, wanted })
    }

    /// The versions that are declared additive; none before the tables have room for that.
    pub(in crate::store) async fn declared_additive(&self) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT version FROM table_changes WHERE kind = 'additive'";
        match self.read("read what the migrations changed", sql, Vec::new()).await {
            Ok(rows) => rows.iter().map(|row| row.get("version")).collect(),
            Err(error) if error.is_missing_table() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Writes down what this program's migrations are. Before they are made, so that no worker meets one that says nothing of
    /// itself, and after, where they made the table.
    pub(in crate::store) async fn declare_changes(&self) -> Result<(), StoreError> {
        let declared = self.declared_versions().await?;
        let Some(declared) = declared else { return Ok(()) };
        for version in self.versions().await?.wanted.into_iter().filter(|version| !declared.contains(version)) {
            let kind = match change_of(version).0 {
                Change::Additive => "additive",
                Change::Contracting => "contracting",
            };
            let sql = "INSERT INTO table_changes (version, kind) VALUES ($1, $2) ON CONFLICT (version) DO NOTHING";
            self.write("write what a migration changes", sql, args![version, kind]).await?;
        }
        Ok(())
    }

    async fn declared_versions(&self) -> Result<Option<Vec<i64>>, StoreError> {
        match self.read("read what the migrations changed", "SELECT version FROM table_changes", Vec::new()).await {
            Ok(rows) => rows.iter().map(|row| row.get("version")).collect::<Result<_, _>>().map(Some),
            Err(error) if error.is_missing_table() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &[i64], additive: &[i64]) -> Result<(), StoreError> {
        Versions { found: found.to_vec(), wanted: vec![1, 2, 3] }.check(additive)
    }

    #[test]
    fn newer_tables_are_worked_with_where_all_that_changed_is_declared_additive() {
        assert!(check(&[1, 2, 3], &[]).is_ok());
        assert!(check(&[1, 2, 3, 4, 5], &[4, 5]).is_ok());
        assert!(matches!(check(&[1, 2, 3, 4, 5], &[5]), Err(StoreError::TablesNew { found: 5, wanted: 3 })));
    }

    #[test]
    fn what_is_missing_is_old_whatever_else_is_there() {
        assert!(matches!(check(&[], &[]), Err(StoreError::TablesMissing)));
        assert!(matches!(check(&[1, 2], &[]), Err(StoreError::TablesOld { found: 2, wanted: 3 })));
        assert!(matches!(check(&[1, 3], &[]), Err(StoreError::TablesOld { .. })));
    }
}
