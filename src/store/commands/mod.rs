//! Commands that were admitted, by their keys, and their outcomes.

pub(super) mod close;
pub(super) mod outcome;
pub(super) mod reread;
pub(super) mod row;
pub(super) mod waiting;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::MessageKey;
use crate::store::commands::outcome::CommandOutcome;
use crate::store::commands::row::{COLUMNS, CommandRow};
use crate::store::database::engine::{args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::parts::Commands;

/// A command, and how it ended if it has.
#[derive(Debug, Clone)]
pub struct CommandRecord {
    /// The command.
    pub command: CommandRow,
    /// Its outcome; none while it is worked on.
    pub outcome: Option<CommandOutcome>,
    /// A hash of its routing key and body.
    pub body_hash: String,
    /// When it had its outcome.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Commands<'_> {
    /// The command of this key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also while no worker has taken its message in, or when the database fails.
    pub async fn get(self, key: &MessageKey) -> Result<CommandRecord, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM commands WHERE message_key = $1");
        let rows = self.store.engine.read("read a command", &sql, args![key.0.as_str()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "command", id: key.0.clone() })?;
        Ok(CommandRecord {
            command: CommandRow::from_row(row)?,
            outcome: CommandOutcome::from_row(row)?,
            body_hash: row.get("body_hash")?,
            finished_at: row.get("finished_at")?,
        })
    }

    /// The outcomes of those of the commands that have one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outcomes(self, keys: &[MessageKey]) -> Result<HashMap<MessageKey, CommandOutcome>, StoreError> {
        let mut outcomes = HashMap::new();
        if keys.is_empty() {
            return Ok(outcomes);
        }
        let sql = "SELECT message_key, vmac_id, outcome, outcome_code, outcome_text FROM commands
                   WHERE outcome IS NOT NULL AND message_key {in}SELECT e.value->>'key' FROM {rows}{/in}";
        let batch = batch_arg(keys.iter().map(|key| json!({"key": key})).collect());
        for row in self.store.engine.read("read outcomes", sql, vec![batch]).await? {
            if let Some(outcome) = CommandOutcome::from_row(&row)? {
                outcomes.insert(MessageKey(row.get("message_key")?), outcome);
            }
        }
        Ok(outcomes)
    }
}
