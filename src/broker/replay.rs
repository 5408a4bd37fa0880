//! Sending dead letters to the work queue again.

use super::error::BrokerError;
use super::message::Message;
use super::port::Broker;
use crate::store::{DeadLetterFilter, DeadLetterRow, Store, StoreError};

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
}

/// Publishes the dead letters of these numbers that still wait, with their attempts reset, and marks each group once the
/// broker has it; tells after each how many of the numbers are dealt with. Only one group is held in memory. Answers with
/// those that were sent again: others may have replayed or discarded the rest meanwhile.
///
/// # Errors
/// [`ReplayError`]; those before are done.
pub async fn replay(
    broker: &Broker,
    store: &Store,
    ids: &[i64],
    mut progress: impl FnMut(usize),
) -> Result<Vec<i64>, ReplayError> {
    let (mut replayed, mut dealt_with) = (Vec::with_capacity(ids.len()), 0);
    for group in ids.chunks(BATCH) {
        let waiting = DeadLetterFilter { ids: group.to_vec(), ..DeadLetterFilter::default() };
        let letters = store.dead_letters(&waiting).await?;
        broker.publish_commands(letters.iter().map(message_of).collect()).await?;
        replayed.extend(store.mark_replayed(&letters.iter().map(|letter| letter.id).collect::<Vec<_>>()).await?);
        dealt_with += group.len();
        progress(dealt_with);
    }
    Ok(replayed)
}

/// The message as it first came, with its attempts reset and marked as a replay.
pub fn message_of(letter: &DeadLetterRow) -> Message {
    Message {
        message_id: letter.message_id.clone(),
        correlation_id: letter.correlation_id.clone(),
        traceparent: letter.traceparent.clone(),
        routing_key: letter.routing_key.clone(),
        body: letter.body.clone(),
        key: letter.message_key.clone(),
        timestamp: letter.timestamp,
        issued_at_ms: letter.issued_at_ms,
        arrival: letter.arrival,
        replay_number: letter.replay_number + 1,
        headers: letter.headers.as_object().cloned().unwrap_or_default(),
        ..Message::default()
    }
}
