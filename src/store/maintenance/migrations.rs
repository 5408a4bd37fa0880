//! The migrations of both engines, from `migrations/`.
//!
//! Each is additive, so that workers of the version before go on with its tables, or contracting; `docs/UPGRADING.md` has the
//! rule, and tests hold both against the statements. They are listed by name here, because `sqlx::migrate!`, which reads the folders, compiles the whole of sqlx a second
//! time, for its macros alone.

use std::sync::LazyLock;

use serde::Serialize;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// One migration: its file's name without the ending, and its text for each engine.
struct Source {
    name: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(Source {
            name: $name,
            postgres: include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
        }),*]
    };
}

const SOURCES: &[Source] = sources![
    "0001_tables",
    "0002_backup_bases",
    "0003_indexes",
    "0004_several_servers",
    "0005_taken_macs",
    "0006_sites",
    "0007_drift",
    "0008_rows_in_place",
    "0009_dead_letters_apart",
    "0010_order_of_commands",
    "0011_freezes_side_by_side",
    "0012_long_bodies",
    "0013_page_sessions",
    "0014_rows_drive",
    "0017_workers",
    "0018_in_force",
    "0019_duplicates",
    "0021_ports",
    "0022_in_force_seen",
    "0024_retention",
    "0025_past_holders",
    "0026_reading_again",
    "0027_table_changes",
    "0028_tokens_and_log",
    "0029_webhooks",
];

/// The migrations after which workers of the version before cannot go on, and why. All others are additive.
const CONTRACTING: &[(&str, &str)] = &[
    ("0002_backup_bases", "backups are read and written in another column"),
    ("0008_rows_in_place", "the outbox is a table of its own, and columns of `events` went"),
    ("0009_dead_letters_apart", "a column of dead letters has another name"),
    ("0011_freezes_side_by_side", "freezes have another key"),
    ("0014_rows_drive", "leases, waits and what is known of switches are in other columns"),
];

/// The tables of Postgres, from the first to the newest.
pub(in crate::store) static ON_POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(|source| source.postgres));
/// The tables of SQLite, from the first to the newest.
pub(in crate::store) static ON_SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(|source| source.sqlite));

fn migrator(text: fn(&Source) -> &'static str) -> Migrator {
    let all = SOURCES.iter().map(|source| migration(source.name, text(source))).collect();
    let mut migrator = Migrator::with_migrations(all);
    // Those of a newer version: `check_tables` has seen what they are.
    migrator.set_ignore_missing(true);
    migrator
}

/// What a migration means for workers of the version before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// They go on: no statement of theirs needs anything that changed.
    Additive,
    /// They cannot go on.
    Contracting,
}

/// What the migration of this version is declared to be, and why where it is contracting.
pub(in crate::store) fn change_of(version: i64) -> (Change, Option<&'static str>) {
    let declared =
        CONTRACTING.iter().find(|(name, _)| name.split_once('_').and_then(|(of, _)| of.parse().ok()) == Some(version));
    declared.map_or((Change::Additive, None), |(_, why)| (Change::Contracting, Some(why)))
}

fn migration(name: &'static str, text: &'static str) -> Migration {
    let (version, description) = name.split_once('_').expect("a name such as 0001_tables");
    let version = version.parse().expect("a number before the underscore");
    Migration::new(version, description.replace('_', " ").into(), MigrationType::Simple, text.into_sql_str(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::maintenance::statements::Schema;

    #[test]
    fn every_file_of_both_folders_is_listed() {
        for engine in ["postgres", "sqlite"] {
            let folder = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
            let mut files: Vec<_> = files.map(|file| file.expect("a file").file_name().into_string()).collect();
            files.sort();
            let listed: Vec<_> = SOURCES.iter().map(|source| Ok(format!("{}.sql", source.name))).collect();
            assert_eq!(files, listed, "{folder}");
        }
    }

    /// The declaration against the statements, of both engines.
    #[test]
    fn a_migration_is_contracting_exactly_where_a_statement_of_it_is() {
        let mut before = Schema::default();
        for source in SOURCES {
            let mut contracting = Vec::new();
            for text in [source.postgres, source.sqlite] {
                contracting.extend(before.steps(text).into_iter().filter(|step| step.change == Change::Contracting));
            }
            let is_declared = CONTRACTING.iter().any(|(name, _)| *name == source.name);
            let statements: Vec<_> = contracting.iter().map(|step| step.statement.as_str()).collect();
            assert_eq!(is_declared, !statements.is_empty(), "{}: {statements:#?}", source.name);
        }
    }

    #[test]
    fn what_is_declared_of_a_migration_is_found_by_its_version() {
        assert_eq!(change_of(1), (Change::Additive, None));
        assert_eq!(change_of(14).0, Change::Contracting);
        assert!(CONTRACTING.iter().all(|(name, _)| SOURCES.iter().any(|source| source.name == *name)));
    }

    #[test]
    fn a_name_is_a_version_and_a_description() {
        let newest = ON_SQLITE.iter().last().expect("a migration");
        assert!(newest.version > 0 && !newest.description.contains('_'), "{newest:?}");
    }
}
