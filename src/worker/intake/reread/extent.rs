//! How far is read, what that came to, and who takes what was lost.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::reading::PATIENCE;
use crate::broker::BrokerError;
use crate::store::{IntakeBatch, StoreError};

/// How far is read.
#[derive(Debug, Clone)]
pub enum Extent {
    /// What the database has lost at its end, up to the message at the head of the queue.
    Lost {
        /// The identity of that message, where it is known.
        head: Option<String>,
        /// How many messages wait in the queue behind those that were handed out.
        queued: i64,
        /// Nothing older counts: the archive keeps its last segment for ever, and the commands of old messages are removed
        /// (`retention.commands_days`).
        since: DateTime<Utc>,
    },
    /// Everything since this time, but for the last messages, which still wait in the queue.
    Since {
        /// The time.
        since: DateTime<Utc>,
        /// How many messages wait in the queue, which nobody consumes now.
        queued: i64,
    },
}

/// What reading again came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RereadReport {
    /// Whether there is an archive.
    pub is_archived: bool,
    /// Whether the database has no command at all while the archive has some that are not in the queue any more: then it is
    /// not known what there was before.
    pub is_empty_database: bool,
    /// The place of the first message that was read.
    pub from: Option<i64>,
    /// The place of the last one.
    pub to: Option<i64>,
    /// Messages read.
    pub read: u64,
    /// Messages that the database has.
    pub known: u64,
    /// Commands that it lacked.
    pub commands: u64,
    /// Dead letters that it lacked, of what is not a command.
    pub dead_letters: u64,
    /// The place of the first that it lacked; -1 where it has no command at all.
    pub first_missing: Option<i64>,
    /// Messages that have neither an id nor a time.
    pub nameless: u64,
    /// Of these, and of what is not a command, those that still wait in the queue.
    pub left_to_queue: u64,
}

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
pub enum RereadError {
    /// RabbitMQ failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The database failed, or another worker admits messages now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A message that is in the archive did not come.
    #[error("the archive of commands did not deliver a message within {} s", PATIENCE.as_secs())]
    Silent,
}

/// Takes what the database lacked.
#[allow(async_fn_in_trait, reason = "used within this crate, by one task")]
pub trait AdmitLost {
    /// Admits it, in its order.
    async fn admit(&mut self, lost: IntakeBatch) -> Result<(), StoreError>;
}
