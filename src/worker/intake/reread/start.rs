//! Where reading begins: behind what the database has, and a little before that.

use std::collections::HashSet;

use super::extent::RereadError;
use super::page::{Page, is_nameless};
use super::reading::{PATIENCE, messages};
use crate::broker::{Archive, ArchiveStart, Archived};
use crate::store::{DeadLetter, Incoming, Store};
use crate::worker::intake::arrival_numbers::ArrivalNumbers;

/// How far from the end it is asked first; each further time four times as far.
const FIRST_STEP: i64 = 1_000;
const FURTHER: i64 = 4;
/// How many messages are compared at each of these places.
const COMPARED: usize = 20;
/// Messages before the first known one that are read too: those of several producers may stand in another order here than in
/// the queue.
const MARGIN: i64 = 1_000;

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    At(ArchiveStart),
    /// Nothing was ever taken from the queue.
    NothingLost,
    /// The database has no command to begin at, and something was taken from the queue.
    EmptyDatabase,
}

/// Where to begin between the two places; of the queue the identity of the message at its head, if that is known, and how many wait in it.
pub(super) async fn start(
    store: &Store,
    archive: &Archive,
    queue: (Option<&str>, i64),
    (oldest, end): (i64, i64),
) -> Result<Start, RereadError> {
    if store.intake().newest_command_at().await?.is_none() {
        return without_commands(archive, queue, (oldest, end)).await;
    }
    let mut step = FIRST_STEP;
    loop {
        let at = (end - step + 1).max(oldest);
        let (first, is_known) = compare(store, archive, at, end).await?;
        if at == oldest || first > at {
            return Ok(Start::At(ArchiveStart::Offset(oldest)));
        }
        if is_known {
            return Ok(Start::At(ArchiveStart::Offset((at - MARGIN).max(oldest))));
        }
        step = step.saturating_mul(FURTHER);
    }
}

async fn without_commands(
    archive: &Archive,
    (head, queued): (Option<&str>, i64),
    (oldest, end): (i64, i64),
) -> Result<Start, RereadError> {
    let first = messages_at(archive, ArchiveStart::Offset(oldest), end, 1).await?;
    let all_wait = first
        .first()
        .is_none_or(|first| head.is_some_and(|head| first.message.identity() == head) || end - first.offset < queued);
    Ok(if all_wait { Start::NothingLost } else { Start::EmptyDatabase })
}

/// The first place there is from `at` on, and whether the database has what is there.
async fn compare(store: &Store, archive: &Archive, at: i64, end: i64) -> Result<(i64, bool), RereadError> {
    let found = messages_at(archive, ArchiveStart::Offset(at), end, COMPARED).await?;
    let Some(first) = found.first().map(|message| message.offset) else { return Err(RereadError::Silent) };
    let page = Page::of(found, &ArrivalNumbers::default(), store.time().await.timestamp_millis());
    Ok((first, is_known(store, &page).await?))
}

async fn messages_at(
    archive: &Archive,
    start: ArchiveStart,
    end: i64,
    max: usize,
) -> Result<Vec<Archived>, RereadError> {
    let mut reader = archive.read(start).await?;
    let found = messages(&mut reader, end, max, PATIENCE).await;
    reader.close().await;
    Ok(found?)
}

/// Whether the first message that has a name of its own is known; where none has, whether any is.
async fn is_known(store: &Store, page: &Page) -> Result<bool, RereadError> {
    let commands: Vec<&Incoming> = page.commands.iter().map(|(_, command)| command).collect();
    let letters: Vec<&DeadLetter> = page.letters.iter().map(|(_, letter)| letter).collect();
    let known = store.intake().known(&commands, &letters).await?;
    let named = page.commands.iter().find(|(_, command)| !is_nameless(command));
    let letter = page.letters.first();
    Ok(match (named, letter) {
        (Some((at, command)), letter) if letter.is_none_or(|(other, _)| at < other) => known.has(command),
        (_, Some((_, letter))) => known.has_letter(letter),
        (_, None) => {
            let identities: HashSet<&str> = commands.iter().map(|one| one.message_identity.as_str()).collect();
            !store.intake().without_id(&identities, i64::MIN).await?.is_empty()
        }
    })
}
