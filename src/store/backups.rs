//! Configuration backups: compressed, and stored once for the same content.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::connect::Store;
use super::engine::{Row, args};
use super::error::StoreError;
use crate::domain::SwitchName;

/// zstd's own default: most of the gain at little cost.
const ZSTD_LEVEL: i32 = 3;

/// A configuration kept from before a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Its number.
    pub id: i64,
    /// The switch.
    pub switch: SwitchName,
    /// SHA-256 of the content, hexadecimal.
    pub content_hash: String,
    /// Size of the content, bytes.
    pub bytes: i64,
    /// The push it was taken for.
    pub push_id: Option<String>,
    /// When.
    pub taken_at: DateTime<Utc>,
}

impl Backup {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            switch: row.parse("switch")?,
            content_hash: row.get("content_hash")?,
            bytes: row.get("bytes")?,
            push_id: row.get("push_id")?,
            taken_at: row.get("taken_at")?,
        })
    }
}

const COLUMNS: &str = "b.id, b.switch, b.content_hash, b.push_id, b.taken_at, c.bytes
    FROM config_backups b JOIN config_contents c ON c.content_hash = b.content_hash";

impl Store {
    /// Keeps a configuration and answers with the backup's number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_backup(&self, switch: &SwitchName, content: &str, push_id: &str) -> Result<i64, StoreError> {
        let now = self.now().await?;
        let hash = hex::encode(Sha256::digest(content.as_bytes()));
        let known = "SELECT 1 AS known FROM config_contents WHERE content_hash = $1";
        let mut tx = self.engine.begin("keep a backup").await?;
        if tx.run("look for a backup's content", known, args![hash.as_str()]).await?.is_empty() {
            let packed = zstd::encode_all(content.as_bytes(), ZSTD_LEVEL)
                .map_err(|source| StoreError::Unpack { id: 0, source: Arc::new(source) })?;
            let bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
            let sql = "INSERT INTO config_contents (content_hash, zstd, bytes) VALUES ($1, $2, $3)
                       ON CONFLICT (content_hash) DO NOTHING";
            tx.run("keep a backup's content", sql, args![hash.as_str(), packed, bytes]).await?;
        }
        let sql =
            "INSERT INTO config_backups (switch, content_hash, push_id, taken_at) VALUES ($1, $2, $3, $4) RETURNING id";
        let rows = tx.run("keep a backup", sql, args![switch.as_str(), hash, push_id, now]).await?;
        let id = rows.first().ok_or(StoreError::NoAnswer { what: "keep a backup" })?.get("id")?;
        tx.commit("keep a backup").await?;
        Ok(id)
    }

    /// A backup and its content.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unpack`], or when the database fails.
    pub async fn backup(&self, id: i64) -> Result<(Backup, String), StoreError> {
        let sql = format!("SELECT c.zstd, {COLUMNS} WHERE b.id = $1");
        let rows = self.engine.read("read a backup", &sql, args![id]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "backup", id: id.to_string() })?;
        let packed: Vec<u8> = row.get("zstd")?;
        let unpack = |source| StoreError::Unpack { id, source: Arc::new(source) };
        let content = zstd::decode_all(&*packed).map_err(unpack)?;
        let content = String::from_utf8(content)
            .map_err(|error| unpack(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
        Ok((Backup::from_row(row)?, content))
    }

    /// The backups of a switch, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backups(&self, switch: &SwitchName, limit: i64) -> Result<Vec<Backup>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE b.switch = $1 ORDER BY b.id DESC LIMIT $2");
        let rows = self.engine.read("list backups", &sql, args![switch.as_str(), limit]).await?;
        rows.iter().map(Backup::from_row).collect()
    }
}
