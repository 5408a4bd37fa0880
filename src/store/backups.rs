//! Configuration backups: stored once for the same content, and packed against an earlier one of the same switch.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::connect::Store;
use super::engine::{Row, Tx, args};
use super::error::StoreError;
use crate::domain::SwitchName;

/// How many times smaller than its base a content packed against it must be; otherwise it becomes a base itself.
const BASE_GAIN_MIN: usize = 8;

/// A content as it is stored.
struct Packed {
    content: Vec<u8>,
    base: Option<String>,
}

fn unpacked(id: i64) -> impl Fn(std::io::Error) -> StoreError {
    move |source| StoreError::Unpack { id, source: Arc::new(source) }
}

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
    /// Size of what is stored of it, bytes: of the whole or of the difference from another.
    pub stored_bytes: i64,
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
            stored_bytes: row.get("stored_bytes")?,
            push_id: row.get("push_id")?,
            taken_at: row.get("taken_at")?,
        })
    }
}

const COLUMNS: &str = "b.id, b.switch, b.content_hash, b.push_id, b.taken_at, c.bytes,
    CAST(LENGTH(c.packed) AS BIGINT) AS stored_bytes
    FROM config_backups b JOIN config_contents c ON c.content_hash = b.content_hash";

impl Store {
    /// Keeps a configuration and answers with the backup's number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_backup(&self, switch: &SwitchName, content: &str, push_id: &str) -> Result<i64, StoreError> {
        let now = self.now().await?;
        let hash = hex::encode(Sha256::digest(content.as_bytes()));
        let mut tx = self.engine.begin("keep a backup").await?;
        // No need to wait for the disk: what is written down before the commit is sent comes after it, and takes it along.
        tx.on_postgres("leave the disk its time", "SET LOCAL synchronous_commit = off").await?;
        if !self.has_content(&mut tx, &hash).await? {
            let packed = self.pack(&mut tx, switch, content).await?;
            let bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
            let sql = "INSERT INTO config_contents (content_hash, packed, base_hash, bytes) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (content_hash) DO UPDATE SET packed = excluded.packed, base_hash = excluded.base_hash";
            tx.run("keep a backup's content", sql, args![hash.as_str(), packed.content, packed.base, bytes]).await?;
        }
        let sql =
            "INSERT INTO config_backups (switch, content_hash, push_id, taken_at) VALUES ($1, $2, $3, $4) RETURNING id";
        let rows = tx.run("keep a backup", sql, args![switch.as_str(), hash, push_id, now]).await?;
        let id = rows.first().ok_or(StoreError::NoAnswer { what: "keep a backup" })?.get("id")?;
        tx.commit("keep a backup").await?;
        Ok(id)
    }

    /// True when the content is there, sealed or not as it is wanted now. A base is left as it is: others are packed
    /// against it.
    async fn has_content(&self, tx: &mut Tx, hash: &str) -> Result<bool, StoreError> {
        let known = "SELECT SUBSTR(c.packed, 1, 32) AS head,
                         EXISTS (SELECT 1 FROM config_contents o WHERE o.base_hash = c.content_hash) AS is_base
                     FROM config_contents c WHERE c.content_hash = $1";
        let rows = tx.run("look for a backup's content", known, args![hash]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let head: Vec<u8> = row.get("head")?;
        let is_base: bool = row.get("is_base")?;
        Ok(is_base || self.vault.is_as_wanted(&head))
    }

    /// Packs against the content that the switch's last backup was packed against, unless little is gained by it.
    async fn pack(&self, tx: &mut Tx, switch: &SwitchName, content: &str) -> Result<Packed, StoreError> {
        let base = "SELECT k.content_hash, k.packed FROM config_contents k WHERE k.content_hash = (
                        SELECT COALESCE(c.base_hash, c.content_hash)
                        FROM config_backups b JOIN config_contents c ON c.content_hash = b.content_hash
                        WHERE b.switch = $1 ORDER BY b.id DESC LIMIT 1)";
        let rows = tx.run("look for a backup's base", base, args![switch.as_str()]).await?;
        let pack = |base: &[u8]| {
            let packed = self.vault.pack(content.as_bytes(), base);
            packed.map_err(|source| StoreError::Pack { switch: switch.to_string(), source: Arc::new(source) })
        };
        if let Some(row) = rows.first() {
            let (base, base_packed): (String, Vec<u8>) = (row.get("content_hash")?, row.get("packed")?);
            // One that is not sealed as is wanted now, or whose key is gone, is no base any more.
            let usable = self.vault.is_as_wanted(&base_packed);
            if let Some(text) = usable.then(|| self.vault.unpack(&base_packed, &[]).ok()).flatten() {
                let content = pack(&text)?;
                if content.len() * BASE_GAIN_MIN <= base_packed.len() {
                    return Ok(Packed { content, base: Some(base) });
                }
            }
        }
        Ok(Packed { content: pack(&[])?, base: None })
    }

    /// A backup and its content.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unpack`], or when the database fails.
    pub async fn backup(&self, id: i64) -> Result<(Backup, String), StoreError> {
        let sql = format!(
            "SELECT c.packed, (SELECT k.packed FROM config_contents k WHERE k.content_hash = c.base_hash) AS base, {COLUMNS}
             WHERE b.id = $1"
        );
        let rows = self.engine.read("read a backup", &sql, args![id]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "backup", id: id.to_string() })?;
        let (packed, base): (Vec<u8>, Option<Vec<u8>>) = (row.get("packed")?, row.get("base")?);
        let base = base.map(|base| self.vault.unpack(&base, &[])).transpose().map_err(unpacked(id))?;
        let content = self.vault.unpack(&packed, &base.unwrap_or_default()).map_err(unpacked(id))?;
        let content = String::from_utf8(content)
            .map_err(|error| unpacked(id)(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
        Ok((Backup::from_row(row)?, content))
    }

    /// The backups of a switch with a smaller number than this, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backups(&self, switch: &SwitchName, before_id: i64, limit: i64) -> Result<Vec<Backup>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE b.switch = $1 AND b.id < $2 ORDER BY b.id DESC LIMIT $3");
        let rows = self.engine.read("list backups", &sql, args![switch.as_str(), before_id, limit]).await?;
        rows.iter().map(Backup::from_row).collect()
    }

    /// The number of the switch's next backup.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backup_after(&self, older: &Backup) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM config_backups WHERE switch = $1 AND id > $2 ORDER BY id LIMIT 1";
        let rows = self.engine.read("look for the next backup", sql, args![older.switch.as_str(), older.id]).await?;
        rows.first().map(|row| row.get("id")).transpose()
    }
}
