//! The migrations of both engines, from `migrations/`.
//!
//! They are listed by name here, because `sqlx::migrate!`, which reads the folders, compiles the whole of sqlx a second
//! time, for its macros alone.

use std::sync::LazyLock;

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
];

/// The tables of Postgres, from the first to the newest.
pub(in crate::store) static ON_POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(|source| source.postgres));
/// The tables of SQLite, from the first to the newest.
pub(in crate::store) static ON_SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(|source| source.sqlite));

fn migrator(text: fn(&Source) -> &'static str) -> Migrator {
    Migrator::with_migrations(SOURCES.iter().map(|source| migration(source.name, text(source))).collect())
}

fn migration(name: &'static str, text: &'static str) -> Migration {
    let (version, description) = name.split_once('_').expect("a name such as 0001_tables");
    let version = version.parse().expect("a number before the underscore");
    Migration::new(version, description.replace('_', " ").into(), MigrationType::Simple, text.into_sql_str(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_name_is_a_version_and_a_description() {
        let newest = ON_SQLITE.iter().last().expect("a migration");
        assert!(newest.version > 0 && !newest.description.contains('_'), "{newest:?}");
    }
}
