//! What the database has of messages that are read again from the archive.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::store::admit::Incoming;
use crate::store::database::engine::{Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::dead_letters::keep::DeadLetter;
use crate::store::parts::Intake;

/// Which messages the database has.
#[derive(Debug, Default)]
pub struct KnownMessages {
    commands: HashMap<String, KnownCommand>,
    letters: HashSet<String>,
}

#[derive(Debug)]
struct KnownCommand {
    body_hash: String,
    replay_number: i64,
    arrival: i64,
}

/// Commands without an id, all of one identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithoutId {
    /// How many.
    pub copies: i64,
    /// The arrival number of the newest.
    pub newest_arrival: i64,
}

impl KnownMessages {
    /// Whether it is a command already, as far as its key tells, or one of the dead letters, whatever became of that.
    pub fn has(&self, incoming: &Incoming) -> bool {
        let is_command = self.command(incoming).is_some_and(|known| known.replay_number >= incoming.replay_number);
        is_command || self.letters.contains(&incoming.message_identity)
    }

    /// The arrival number that the command has.
    pub fn arrival(&self, incoming: &Incoming) -> Option<i64> {
        self.command(incoming).map(|known| known.arrival)
    }

    /// Whether it was kept already.
    pub fn has_letter(&self, letter: &DeadLetter) -> bool {
        self.letters.contains(&letter.message_identity)
    }

    fn command(&self, incoming: &Incoming) -> Option<&KnownCommand> {
        self.commands.get(&incoming.key.0).filter(|known| known.body_hash == incoming.body_hash)
    }
}

impl Intake<'_> {
    /// Which of the messages the database has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known(self, commands: &[&Incoming], letters: &[&DeadLetter]) -> Result<KnownMessages, StoreError> {
        let keys = batch_arg(commands.iter().map(|incoming| json!({"key": incoming.key})).collect());
        let sql = "SELECT message_key, body_hash, replay_number, arrival FROM commands
            WHERE message_key {in}SELECT e.value->>'key' FROM {rows}{/in}";
        let mut known = KnownMessages::default();
        for row in self.store.engine.read("find commands", sql, vec![keys]).await? {
            let (body_hash, replay_number) = (row.get("body_hash")?, row.get("replay_number")?);
            let command = KnownCommand { body_hash, replay_number, arrival: row.get("arrival")? };
            known.commands.insert(row.get("message_key")?, command);
        }
        let of_commands = commands.iter().map(|incoming| &incoming.message_identity);
        let identities = of_commands.chain(letters.iter().map(|letter| &letter.message_identity));
        let identities = batch_arg(identities.map(|identity| json!({"identity": identity})).collect());
        let sql = "SELECT DISTINCT message_identity FROM dead_letters
            WHERE message_identity {in}SELECT e.value->>'identity' FROM {rows}{/in}";
        for row in self.store.engine.read("find dead letters", sql, vec![identities]).await? {
            known.letters.insert(row.get("message_identity")?);
        }
        Ok(known)
    }

    /// The commands that came without an id and have one of these identities, of those that arrived after this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn without_id(
        self,
        identities: &HashSet<&str>,
        after_arrival: i64,
    ) -> Result<HashMap<String, WithoutId>, StoreError> {
        let sql = "SELECT message_identity, COUNT(*) AS copies, MAX(arrival) AS newest FROM commands
            WHERE message_id IS NULL AND arrival > $2
                AND message_identity {in}SELECT e.value->>'identity' FROM {rows}{/in} GROUP BY message_identity";
        let mut arguments = args![after_arrival];
        arguments.insert(0, batch_arg(identities.iter().map(|identity| json!({"identity": identity})).collect()));
        let rows = self.store.engine.read("count commands without an id", sql, arguments).await?;
        let of_row = |row: &Row| {
            let of_identity = WithoutId { copies: row.get("copies")?, newest_arrival: row.get("newest")? };
            Ok((row.get("message_identity")?, of_identity))
        };
        rows.iter().map(of_row).collect()
    }

    /// When the newest command came; none where there is none at all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_command_at(self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let sql = "SELECT received_at FROM commands ORDER BY id DESC LIMIT 1";
        let rows = self.store.engine.read("find the newest command", sql, Vec::new()).await?;
        rows.first().map(|row| row.get("received_at")).transpose()
    }
}
