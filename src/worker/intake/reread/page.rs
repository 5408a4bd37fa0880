//! Some messages of the archive, read as they were when the queue had handed them out.

use crate::broker::Archived;
use crate::domain::Issued;
use crate::store::{DeadLetter, Incoming, IntakeBatch};
use crate::worker::intake::arrival_numbers::ArrivalNumbers;
use crate::worker::intake::read::read_message;

/// Commands and what is none, each with the place of its message.
#[derive(Default)]
pub(super) struct Page {
    pub commands: Vec<(i64, Incoming)>,
    pub letters: Vec<(i64, DeadLetter)>,
    /// Messages.
    pub count: u64,
    /// The place of the last one.
    pub last: Option<i64>,
}

impl Page {
    pub fn of(messages: Vec<Archived>, arrival_numbers: &ArrivalNumbers, now_ms: i64) -> Self {
        let mut page = Self::default();
        for Archived { offset, message, .. } in messages {
            let IntakeBatch { commands, letters } = read_message(message, arrival_numbers, now_ms);
            page.commands.extend(commands.into_iter().map(|command| (offset, command)));
            page.letters.extend(letters.into_iter().map(|letter| (offset, letter)));
            page.count += 1;
            page.last = Some(offset);
        }
        page
    }
}

/// True for a command that is told from others by its arrival alone: its message has neither an id nor a time.
pub(super) fn is_nameless(incoming: &Incoming) -> bool {
    let by_arrival = incoming.command.key(None, Issued::Unsaid, incoming.arrival.number);
    incoming.message_id.is_none() && incoming.key == by_arrival
}
