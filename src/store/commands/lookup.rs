//! Looking one command up, for whoever asked for it.

use chrono::{DateTime, Utc};

use crate::domain::MessageKey;
use crate::store::commands::{COLUMNS, CommandOutcome, OpenCommand};
use crate::store::connect::Store;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;

/// A command, and how it ended if it has.
#[derive(Debug, Clone)]
pub struct CommandRecord {
    /// The command.
    pub command: OpenCommand,
    /// Its outcome; none while it is worked on.
    pub outcome: Option<CommandOutcome>,
    /// A hash of its routing key and body.
    pub body_hash: String,
    /// When it had its outcome.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Store {
    /// The command of this key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also while no worker has taken its message in, or when the database fails.
    pub async fn command(&self, key: &MessageKey) -> Result<CommandRecord, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM commands WHERE message_key = $1");
        let rows = self.engine.read("read a command", &sql, args![key.0.as_str()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "command", id: key.0.clone() })?;
        Ok(CommandRecord {
            command: OpenCommand::from_row(row)?,
            outcome: CommandOutcome::from_row(row)?,
            body_hash: row.get("body_hash")?,
            finished_at: row.get("finished_at")?,
        })
    }
}
