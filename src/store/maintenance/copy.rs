//! A copy of a SQLite database while it is written to.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{Connection, Row, SqliteConnection};

use crate::store::connect::Store;
use crate::store::database::engine::Pools;
use crate::store::database::error::StoreError;
use crate::store::database::private_files;

const WHAT: &str = "copy itself";

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseCopy {
    /// Where it is.
    pub file: PathBuf,
    /// Its size, bytes.
    pub bytes: u64,
    /// The version of its tables.
    pub tables: i64,
}

impl Store {
    /// Writes a copy of the database to a file that only its owner may read: all rows as of one moment, checked with
    /// `integrity_check`. Workers go on meanwhile. It takes another file's place only where `overwrite` says so, and only
    /// once it is whole.
    ///
    /// # Errors
    /// [`StoreError::CopyFile`], [`StoreError::TablesMissing`], [`StoreError::NotSqlite`], or when the database fails.
    pub async fn copy_to(&self, file: &Path, overwrite: bool) -> Result<DatabaseCopy, StoreError> {
        let Pools::Sqlite { read, .. } = &self.engine.pools else { return Err(StoreError::NotSqlite) };
        let tables = self.engine.tables_found().await?.ok_or(StoreError::TablesMissing)?;
        let at_fault = |source: io::Error| StoreError::CopyFile { file: file.to_owned(), source: Arc::new(source) };
        refuse_own_files(read.connect_options().get_filename(), file).map_err(at_fault)?;
        let place = TargetFile::take(file, overwrite).map_err(at_fault)?;
        write(read, &place.part).await?;
        let bytes = place.fill().map_err(at_fault)?;
        Ok(DatabaseCopy { file: file.to_owned(), bytes, tables })
    }
}

/// A copy over the database itself would lose it.
fn refuse_own_files(database: &Path, file: &Path) -> io::Result<()> {
    let Ok(target) = file.canonicalize() else { return Ok(()) };
    let is_own = |own: &PathBuf| own.canonicalize().is_ok_and(|own| own == target);
    match private_files::of_sqlite(database).iter().any(is_own) {
        true => Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is the database itself")),
        false => Ok(()),
    }
}

/// `VACUUM INTO` reads within one transaction (sqlite.org/lang_vacuum.html), on a connection of its own: it may take
/// longer than any statement.
async fn write(read: &SqlitePool, part: &str) -> Result<(), StoreError> {
    let failed = |source| StoreError::Query { what: WHAT, source: Arc::new(source) };
    let mut database = SqliteConnection::connect_with(&read.connect_options()).await.map_err(failed)?;
    let copied = sqlx::query("VACUUM INTO $1").bind(part).execute(&mut database).await;
    let _ = database.close().await;
    copied.map_err(failed)?;
    let problems = check(part).await.map_err(failed)?;
    if problems == ["ok"] { Ok(()) } else { Err(StoreError::Damaged { problems: problems.join("; ") }) }
}

async fn check(part: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut copy = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(part)).await?;
    let rows = sqlx::query("PRAGMA integrity_check(10)").fetch_all(&mut copy).await;
    copy.close().await?;
    rows?.iter().map(|row| row.try_get(0)).collect()
}

/// The place of a file that is being written under another name beside it. What was not finished is removed.
struct TargetFile {
    file: PathBuf,
    /// That name; SQLite takes text.
    part: String,
    /// An empty file of ours that keeps the place.
    is_kept: bool,
}

impl TargetFile {
    fn take(file: &Path, overwrite: bool) -> io::Result<Self> {
        if file.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let name = file.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8"))?;
        let part = format!("{name}.part-{}", std::process::id());
        let mut place = Self { file: file.to_owned(), part, is_kept: false };
        if !overwrite {
            private_files::create(&place.file)?;
            place.is_kept = true;
        }
        // SQLite writes into an empty file that is there, and leaves its mode.
        private_files::create(place.part.as_ref())?;
        Ok(place)
    }

    /// Puts what was written into its place, durably; returns its size.
    fn fill(mut self) -> io::Result<u64> {
        let written = File::open(&self.part)?;
        written.sync_all()?;
        let bytes = written.metadata()?.len();
        fs::rename(&self.part, &self.file)?;
        self.is_kept = false;
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    }
}

impl Drop for TargetFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.part);
        if self.is_kept {
            let _ = fs::remove_file(&self.file);
        }
    }
}
