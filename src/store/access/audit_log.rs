//! The log of who changed what. One row says how far it goes: whoever writes an entry holds it, so that each entry has the
//! hash of the one before it.

use std::fmt::Write;

use chrono::DateTime;
use serde::Serialize;

use crate::domain::{ChainFault, LogEntry, NewLogEntry, Via, check_chain};
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::parts::AuditLog;

/// Entries read at once.
const PAGE: i64 = 1_000;

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Those of this token or login.
    pub who: Option<String>,
    /// Those with this action.
    pub action: Option<String>,
    /// Those with a smaller number.
    pub before: Option<i64>,
}

/// How far a log is as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedLog {
    /// How many entries were looked at.
    pub entries: i64,
    /// The hash of the last one: kept elsewhere, it shows later that nothing was removed since.
    pub hash: String,
    /// What is wrong, if something is.
    pub fault: Option<String>,
}

fn from_row(row: &Row) -> Result<LogEntry, StoreError> {
    let (via, details): (String, String) = (row.get("via")?, row.get("details")?);
    let content = |column: &str, text: &str| StoreError::Content { column: column.to_owned(), text: text.to_owned() };
    let entry = NewLogEntry {
        who: row.get("who")?,
        role: row.get("role")?,
        via: Via::ALL.into_iter().find(|one| one.as_str() == via).ok_or_else(|| content("via", &via))?,
        address: row.get("address")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        details: serde_json::from_str(&details).map_err(|_| content("details", &details))?,
    };
    let at = DateTime::from_timestamp_millis(row.get("at_ms")?).unwrap_or_default();
    Ok(LogEntry { id: row.get("id")?, at, entry, hash: row.get("hash")? })
}

impl AuditLog<'_> {
    /// Writes an entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add(self, entry: NewLogEntry) -> Result<LogEntry, StoreError> {
        let what = "write into the log of changes";
        let at = self.store.now().await?;
        let mut tx = self.store.begin(what).await?;
        let head = "UPDATE audit_log_head SET last_id = last_id + 1 RETURNING last_id, hash";
        let rows = tx.run(what, head, Vec::new()).await?;
        let head = rows.first().ok_or(StoreError::NoAnswer { what })?;
        // To a millisecond, as it is kept.
        let at = DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at);
        let entry = LogEntry::chained(head.get("last_id")?, at, entry, &head.get::<String>("hash")?);
        let new = &entry.entry;
        let sql = "INSERT INTO audit_log (id, at_ms, who, role, via, address, action, subject, details, hash)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let arguments = args![
            entry.id,
            entry.at.timestamp_millis(),
            new.who.as_str(),
            new.role.as_str(),
            new.via.as_str(),
            new.address.clone(),
            new.action.as_str(),
            new.subject.as_str(),
            new.details.to_string(),
            entry.hash.as_str()
        ];
        tx.run(what, sql, arguments).await?;
        tx.run(what, "UPDATE audit_log_head SET hash = $1", args![entry.hash.as_str()]).await?;
        tx.commit(what).await?;
        Ok(entry)
    }

    /// Entries, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self, filter: &LogFilter, max: i64) -> Result<Vec<LogEntry>, StoreError> {
        let mut arguments = args![filter.before.unwrap_or(i64::MAX), max];
        let mut conditions = String::new();
        // Only what is asked for is a condition, so that an index finds it.
        for (column, value) in [("who", &filter.who), ("action", &filter.action)] {
            if let Some(value) = value {
                arguments.push(value.as_str().into());
                let _ = write!(conditions, " AND {column} = ${}", arguments.len());
            }
        }
        let sql = format!("SELECT * FROM audit_log WHERE id < $1{conditions} ORDER BY id DESC LIMIT $2");
        let rows = self.store.engine.read("read the log of changes", &sql, arguments).await?;
        rows.iter().map(from_row).collect()
    }

    /// The newest entry of that action about that subject.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest(self, action: &str, subject: &str) -> Result<Option<LogEntry>, StoreError> {
        let sql = "SELECT * FROM audit_log WHERE action = $1 AND subject = $2 ORDER BY id DESC LIMIT 1";
        let rows = self.store.engine.read("read the log of changes", sql, args![action, subject]).await?;
        rows.first().map(from_row).transpose()
    }

    /// Looks through the whole log for what was changed or removed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check(self) -> Result<CheckedLog, StoreError> {
        // What is written meanwhile is behind it.
        let sql = "SELECT last_id, hash FROM audit_log_head";
        let rows = self.store.engine.read("read how far the log of changes goes", sql, Vec::new()).await?;
        let head = rows.first().ok_or(StoreError::NoAnswer { what: "read how far the log of changes goes" })?;
        let head: (i64, String) = (head.get("last_id")?, head.get("hash")?);
        let mut at = (0, String::new());
        while at.0 < head.0 {
            match self.check_some(&at, head.0).await? {
                Ok(next) => at = next,
                Err(fault) => return Ok(broken(at, &fault)),
            }
        }
        Ok(match at == head {
            true => CheckedLog { entries: at.0, hash: at.1, fault: None },
            false => broken(at, &ChainFault::Changed(head.0)),
        })
    }

    async fn check_some(self, at: &(i64, String), until: i64) -> Result<Result<(i64, String), ChainFault>, StoreError> {
        let sql = "SELECT * FROM audit_log WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3";
        let rows = self.store.engine.read("read the log of changes", sql, args![at.0, until, PAGE]).await?;
        let entries = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Ok(Err(ChainFault::Missing { from: at.0 + 1, to: until }));
        }
        Ok(check_chain(at.clone(), &entries))
    }
}

fn broken((entries, hash): (i64, String), fault: &ChainFault) -> CheckedLog {
    CheckedLog { entries, hash, fault: Some(fault.to_string()) }
}
