//! Commands that cannot be admitted yet, such as a create for an address that is being released by another server. Any worker
//! retries them when they are due.

use std::time::Duration;

use serde_json::Value;

use crate::store::commands::row::{COLUMNS, CommandRow};
use crate::store::database::clock::millis;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::parts::Intake;

/// How long a worker has for trying commands again before another one may.
pub(in crate::store) const CLAIM: Duration = Duration::from_secs(30);

/// A command that waits, with what its message held.
#[derive(Debug, Clone)]
pub struct WaitingCommand {
    /// The command.
    pub command: CommandRow,
    /// The body as it came.
    pub body: Vec<u8>,
    /// The producer's other headers.
    pub headers: Value,
    /// The property `timestamp` as it came.
    pub timestamp: Option<i64>,
    /// When it was issued, where vmacd stamped it, milliseconds since 1970.
    pub stamped_at_ms: Option<i64>,
}

impl WaitingCommand {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            command: CommandRow::from_row(row)?,
            body: row.get("body")?,
            headers: row.json("headers")?,
            timestamp: row.get("sent_timestamp")?,
            stamped_at_ms: row.get("stamped_at_ms")?,
        })
    }
}

impl Intake<'_> {
    /// Claims at most `limit` commands that wait and are due, in the order in which they are due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_waiting(self, limit: i64) -> Result<Vec<WaitingCommand>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = [
            "UPDATE commands SET due_at_ms = $1 WHERE id {in}SELECT id FROM commands
                 WHERE outcome IS NULL AND vmac_id IS NULL AND (due_at_ms <= $2 OR due_at_ms > $3)
                 ORDER BY due_at_ms, id LIMIT $4 {skip_locked}{/in}
             RETURNING ",
            COLUMNS,
            ", headers, sent_timestamp, stamped_at_ms",
        ]
        .concat();
        let arguments = args![now_ms + millis(CLAIM), now_ms, self.store.latest_ms(now_ms) + millis(CLAIM), limit];
        let rows = self.store.engine.write("claim waiting commands", &sql, arguments).await?;
        let mut waiting = rows.iter().map(WaitingCommand::from_row).collect::<Result<Vec<_>, _>>()?;
        waiting.sort_by_key(|waiting| waiting.command.position);
        Ok(waiting)
    }
}
