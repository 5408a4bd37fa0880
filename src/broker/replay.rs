//! Sending dead letters to the work queue again.

use super::backend::Broker;
use super::error::BrokerError;
use super::message::Message;
use crate::domain::BODY_BYTES_MAX;
use crate::store::{DeadLetterFilter, FullDeadLetter, Store, StoreError};

/// Dead letters sent again before they are marked.
const BATCH: usize = 500;

/// Why not all of them were sent again. What was sent but not marked is sent once more by the next replay, which is
/// harmless: it carries the same key.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The broker did not take them.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// They could not be marked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// These are longer than a command may be, and only their beginning is kept; the others were sent.
    #[error(
        "{} cannot be replayed: the body of {} has {bytes} bytes, a command at most {BODY_BYTES_MAX}, and only the \
         beginning is kept; publish a corrected message, then discard the letter", named(ids), ids[0]
    )]
    TooLong {
        /// Their numbers, at least one.
        ids: Vec<i64>,
        /// The size of the first one's body.
        bytes: i64,
    },
}

fn named(ids: &[i64]) -> String {
    match ids {
        [id] => format!("dead letter {id}"),
        [id, ..] => format!("{} dead letters, from {id} on,", ids.len()),
        [] => "nothing".to_owned(),
    }
}

/// Publishes the dead letters of these numbers that still wait, and marks each group once the
/// broker has it; tells after each how many of the numbers are dealt with. Only one group is held in memory. Answers with
/// those that were sent again: others may have replayed or discarded the rest meanwhile.
///
/// # Errors
/// [`ReplayError`]; those before are done, with [`ReplayError::TooLong`] all others.
pub async fn replay(
    broker: &Broker,
    store: &Store,
    ids: &[i64],
    mut progress: impl FnMut(usize),
) -> Result<Vec<i64>, ReplayError> {
    let (mut replayed, mut dealt_with, mut too_long) = (Vec::with_capacity(ids.len()), 0, Vec::new());
    for group in ids.chunks(BATCH) {
        let waiting = DeadLetterFilter { ids: group.to_vec(), ..DeadLetterFilter::default() };
        let (long, letters): (Vec<_>, Vec<_>) =
            store.dead_letters().list_full(&waiting).await?.into_iter().partition(|letter| letter.row.is_too_long());
        too_long.extend(long.iter().map(|letter| (letter.row.id, letter.row.body_bytes)));
        let sent: Vec<i64> = letters.iter().map(|letter| letter.row.id).collect();
        broker.publish_commands(&letters.into_iter().map(message_of).collect::<Vec<_>>()).await?;
        replayed.extend(store.dead_letters().mark_replayed(&sent).await?);
        dealt_with += group.len() - long.len();
        progress(dealt_with);
    }
    match too_long.first() {
        None => Ok(replayed),
        Some((_, bytes)) => {
            Err(ReplayError::TooLong { bytes: *bytes, ids: too_long.iter().map(|(id, _)| *id).collect() })
        }
    }
}

/// The message as it first came, marked as a replay.
pub fn message_of(letter: FullDeadLetter) -> Message {
    let FullDeadLetter { row, body, headers } = letter;
    Message {
        message_id: row.message_id,
        correlation_id: row.correlation_id,
        traceparent: row.traceparent,
        routing_key: row.routing_key,
        body,
        key: row.message_key,
        timestamp: row.timestamp,
        issued_at_ms: row.issued_at_ms,
        arrival: row.arrival,
        replay_number: row.replay_number + 1,
        headers: headers.as_object().cloned().unwrap_or_default(),
        ..Message::default()
    }
}
