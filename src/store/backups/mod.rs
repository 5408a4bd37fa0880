//! Configuration backups: stored once for the same content, and packed against an earlier one of the same switch.

pub(super) mod packer;
pub(super) mod seal;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::SwitchName;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::{Statement, Tx};
use crate::store::parts::Backups;

/// How many times smaller than its base a content packed against it must be; otherwise it becomes a base itself.
const BASE_GAIN_MIN: usize = 8;

/// A content as it is stored.
struct Packed {
    content: Vec<u8>,
    base: Option<String>,
}

/// What is kept already that a new backup may be like.
struct Kept {
    /// The beginning of the same content, where it is there.
    head: Option<Vec<u8>>,
    /// Others are packed against the same content: it is left as it is.
    is_base: bool,
    /// What the switch's last backup was packed against, or its own content, with its hash.
    base: Option<(String, Vec<u8>)>,
}

impl Kept {
    async fn read(tx: &mut Tx, switch: &SwitchName, hash: &str) -> Result<Self, StoreError> {
        let sql = "SELECT (SELECT SUBSTR(c.packed, 1, 32) FROM config_contents c WHERE c.content_hash = $2) AS head,
                       EXISTS (SELECT 1 FROM config_contents o WHERE o.base_hash = $2) AS is_base,
                       k.content_hash AS base_hash, k.packed AS base_packed
                   FROM (SELECT 1 AS one) AS once LEFT JOIN config_contents k ON k.content_hash = (
                       SELECT COALESCE(c.base_hash, c.content_hash)
                       FROM config_backups b JOIN config_contents c ON c.content_hash = b.content_hash
                       WHERE b.switch = $1 ORDER BY b.id DESC LIMIT 1)";
        let what = "read about a backup";
        let rows = tx.run(what, sql, args![switch.as_str(), hash]).await?;
        let row = rows.first().ok_or(StoreError::NoAnswer { what })?;
        let base: (Option<String>, Option<Vec<u8>>) = (row.get("base_hash")?, row.get("base_packed")?);
        Ok(Self { head: row.get("head")?, is_base: row.get("is_base")?, base: base.0.zip(base.1) })
    }
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

impl Backups<'_> {
    /// Keeps a configuration byte for byte and returns the backup's number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save(self, switch: &SwitchName, content: &[u8], push_id: &str) -> Result<i64, StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("store a backup").await?;
        let id = self.keep_backup(&mut tx, switch, content, push_id, now).await?;
        tx.commit("store a backup").await?;
        Ok(id)
    }

    /// Keeps a configuration that may become a backup, and returns its hash: read ahead, it need not be written while a
    /// switch waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_content(self, switch: &SwitchName, content: &[u8]) -> Result<String, StoreError> {
        let what = "store a configuration";
        let mut tx = self.store.begin(what).await?;
        let (hash, insert) = self.content(&mut tx, switch, content).await?;
        tx.together(what, [insert]).await?;
        tx.commit(what).await?;
        Ok(hash)
    }

    /// A backup of what is kept already.
    pub(super) async fn keep_backup_of(
        self,
        tx: &mut Tx,
        switch: &SwitchName,
        hash: &str,
        push_id: &str,
        now: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        let sql = "INSERT INTO config_backups (switch, content_hash, push_id, taken_at)
                   SELECT $1, c.content_hash, $3, $4 FROM config_contents c WHERE c.content_hash = $2 RETURNING id";
        let rows = tx.run("store a backup", sql, args![switch.as_str(), hash, push_id, now]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "configuration", id: hash.to_owned() })?;
        row.get("id")
    }

    /// The same within a transaction.
    pub(super) async fn keep_backup(
        self,
        tx: &mut Tx,
        switch: &SwitchName,
        content: &[u8],
        push_id: &str,
        now: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        let (hash, insert) = self.content(tx, switch, content).await?;
        let sql =
            "INSERT INTO config_backups (switch, content_hash, push_id, taken_at) VALUES ($1, $2, $3, $4) RETURNING id";
        let backup = Statement::new(sql, args![switch.as_str(), hash, push_id, now]);
        let rows = tx.run_after("store a backup", insert, backup).await?;
        rows.first().ok_or(StoreError::NoAnswer { what: "store a backup" })?.get("id")
    }

    /// The hash of a content, and what inserts it where it is not there as it should be, or keeps it for longer.
    async fn content(
        self,
        tx: &mut Tx,
        switch: &SwitchName,
        content: &[u8],
    ) -> Result<(String, Option<Statement>), StoreError> {
        let hash = hex::encode(Sha256::digest(content));
        let kept = Kept::read(tx, switch, &hash).await?;
        let insert = match &kept.head {
            Some(head) if kept.is_base || self.store.packer.is_as_wanted(head) => Some(Statement::new(
                "UPDATE config_contents SET used_at_ms = {now_ms} WHERE content_hash = $1 AND used_at_ms < {now_ms} - 3600000",
                args![hash.as_str()],
            )),
            _ => Some(self.insert_content(switch, content, &hash, kept)?),
        };
        Ok((hash, insert))
    }

    fn insert_content(
        self,
        switch: &SwitchName,
        content: &[u8],
        hash: &str,
        kept: Kept,
    ) -> Result<Statement, StoreError> {
        let packed = self.pack(switch, content, kept)?;
        let bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
        let sql =
            "INSERT INTO config_contents (content_hash, packed, base_hash, bytes, used_at_ms) VALUES ($1, $2, $3, $4, {now_ms})
             ON CONFLICT (content_hash) DO UPDATE SET packed = excluded.packed, base_hash = excluded.base_hash,
                 used_at_ms = excluded.used_at_ms";
        Ok(Statement::new(sql, args![hash, packed.content, packed.base, bytes]))
    }

    /// Packs against the content that the switch's last backup was packed against, unless little is gained by it.
    fn pack(self, switch: &SwitchName, content: &[u8], kept: Kept) -> Result<Packed, StoreError> {
        let pack = |base: &[u8]| {
            let packed = self.store.packer.pack(content, base);
            packed.map_err(|source| StoreError::Pack { switch: switch.to_string(), source: Arc::new(source) })
        };
        if let Some((base, base_packed)) = kept.base {
            // One that is not sealed as is wanted now, or whose key is gone, is no base any more.
            let usable = self.store.packer.is_as_wanted(&base_packed);
            if let Some(text) = usable.then(|| self.store.packer.unpack(&base_packed, &[]).ok()).flatten() {
                let content = pack(&text)?;
                if content.len() * BASE_GAIN_MIN <= base_packed.len() {
                    return Ok(Packed { content, base: Some(base) });
                }
            }
        }
        Ok(Packed { content: pack(&[])?, base: None })
    }

    /// A backup and its content, byte for byte.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unpack`], or when the database fails.
    pub async fn get(self, id: i64) -> Result<(Backup, Vec<u8>), StoreError> {
        let sql = format!(
            "SELECT c.packed, (SELECT k.packed FROM config_contents k WHERE k.content_hash = c.base_hash) AS base, {COLUMNS}
             WHERE b.id = $1"
        );
        let rows = self.store.engine.read("read a backup", &sql, args![id]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "backup", id: id.to_string() })?;
        let (packed, base): (Vec<u8>, Option<Vec<u8>>) = (row.get("packed")?, row.get("base")?);
        let base = base.map(|base| self.store.packer.unpack(&base, &[])).transpose().map_err(unpacked(id))?;
        let content = self.store.packer.unpack(&packed, &base.unwrap_or_default()).map_err(unpacked(id))?;
        Ok((Backup::from_row(row)?, content))
    }

    /// The backups of a switch with a smaller number than this, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self, switch: &SwitchName, before_id: i64, limit: i64) -> Result<Vec<Backup>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE b.switch = $1 AND b.id < $2 ORDER BY b.id DESC LIMIT $3");
        let rows = self.store.engine.read("list backups", &sql, args![switch.as_str(), before_id, limit]).await?;
        rows.iter().map(Backup::from_row).collect()
    }

    /// The number of the switch's next backup.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_after(self, older: &Backup) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM config_backups WHERE switch = $1 AND id > $2 ORDER BY id LIMIT 1";
        let rows = self.store.engine.read("find the next backup", sql, args![older.switch.as_str(), older.id]).await?;
        rows.first().map(|row| row.get("id")).transpose()
    }
}
