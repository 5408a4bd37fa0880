//! Reading commands again that a database has lost. It acknowledged them and came back older than it was: a standby that lagged
//! behind took over, or a backup was restored. RabbitMQ's archive still has every command, so that those which the database
//! lacks are admitted once more, in their order and before anything new.
//!
//! What a database comes back with is a beginning of what it had. So commands are compared from the end backwards, until one
//! is known ([`start`]); from a little before that on they are read ([`pass`]). What is known counts by its key; messages that
//! have neither an id nor a time are counted ([`copies`]).

mod copies;
pub mod extent;
mod page;
mod pass;
mod reading;
mod start;

use std::sync::Arc;

use crate::broker::{Archive, ArchiveReader, ArchiveStart, Broker};
use crate::store::Store;
use crate::worker::intake::arrival_numbers::ArrivalNumbers;
use extent::{AdmitLost, Extent, RereadError, RereadReport};
use pass::Pass;
use reading::{PATIENCE, QUIET_MAX, end_of, messages, oldest_since};
use start::Start;

/// Messages compared and admitted together.
const PAGE: usize = 500;
/// Messages of the queue that may be handed out and not acknowledged.
const HANDED_OUT_MAX: i64 = 2_000;
/// Messages from the end of the archive in which the head of the queue is looked for at most.
const SEARCHED_MAX: i64 = 200_000;

/// What commands are read from, and what they are compared with.
pub struct Rereading<'a> {
    store: &'a Store,
    broker: &'a Broker,
    arrival_numbers: Arc<ArrivalNumbers>,
}

impl<'a> Rereading<'a> {
    /// For a process that admits nothing else.
    pub fn new(store: &'a Store, broker: &'a Broker) -> Self {
        Self::beside(store, broker, Arc::default())
    }

    /// For a worker, whose messages get their numbers from these too.
    pub(in crate::worker) const fn beside(
        store: &'a Store,
        broker: &'a Broker,
        arrival_numbers: Arc<ArrivalNumbers>,
    ) -> Self {
        Self { store, broker, arrival_numbers }
    }

    /// Reads again, and has what the database lacks admitted.
    ///
    /// # Errors
    /// [`RereadError`]; what was admitted until then is known the next time.
    pub async fn reread(&self, extent: &Extent, admit: &mut impl AdmitLost) -> Result<RereadReport, RereadError> {
        let Some(archive) = self.broker.archive().await? else { return Ok(RereadReport::default()) };
        let report = self.over(&archive, extent, admit).await;
        archive.close().await;
        report
    }

    async fn over(
        &self,
        archive: &Archive,
        extent: &Extent,
        admit: &mut impl AdmitLost,
    ) -> Result<RereadReport, RereadError> {
        let report = RereadReport { is_archived: true, ..RereadReport::default() };
        let Some(end) = end_of(archive).await? else { return Ok(report) };
        let start = match extent {
            Extent::Since { since, .. } => ArchiveStart::since(*since),
            Extent::Lost { head, queued, since } => {
                let Some(oldest) = oldest_since(archive, *since, end).await? else { return Ok(report) };
                match start::start(self.store, archive, (head.as_deref(), *queued), (oldest, end)).await? {
                    Start::At(start) => start,
                    Start::NothingLost => return Ok(report),
                    Start::EmptyDatabase => {
                        return Ok(RereadReport { is_empty_database: true, first_missing: Some(-1), ..report });
                    }
                }
            }
        };
        let queue_from = queue_from(archive, extent, end).await?;
        let numbers = self.arrival_numbers.clone();
        let mut pass = Pass::new((self.store, numbers), extent, queue_from, report).await?;
        let mut reader = archive.read(start).await?;
        let passed = pass_through(&mut reader, end, &mut pass, admit).await;
        reader.close().await;
        passed.map(|()| pass.report)
    }
}

async fn pass_through(
    reader: &mut ArchiveReader,
    end: i64,
    pass: &mut Pass<'_>,
    admit: &mut impl AdmitLost,
) -> Result<(), RereadError> {
    // What is read by time may begin behind the end, and then nothing comes.
    let mut patience = if pass.begins_by_time() { QUIET_MAX } else { PATIENCE };
    while !pass.is_past(end) {
        let messages = messages(reader, end, PAGE, patience).await?;
        if messages.is_empty() && pass.report.read == 0 && pass.begins_by_time() {
            return Ok(());
        }
        if messages.is_empty() {
            return Err(RereadError::Silent);
        }
        patience = PATIENCE;
        pass.take(messages, admit).await?;
    }
    Ok(())
}

/// The place from which on messages wait in the queue. Where several messages are the same as its head it is the last of
/// them: what counts as lost by mistake is admitted twice, which leaves everything as it was; the other way round it would be lost.
async fn queue_from(archive: &Archive, extent: &Extent, end: i64) -> Result<Option<i64>, RereadError> {
    let (head, queued) = match extent {
        Extent::Since { queued, .. } | Extent::Lost { head: None, queued, .. } => return Ok(Some(end - queued + 1)),
        Extent::Lost { head: Some(head), queued, .. } => (head, *queued),
    };
    let searched = queued.saturating_add(HANDED_OUT_MAX).min(SEARCHED_MAX);
    let mut reader = archive.read(ArchiveStart::Offset(end - searched)).await?;
    let mut found = None;
    while let Some(message) = reader.next(PATIENCE).await? {
        if message.message.identity() == *head {
            found = Some(message.offset);
        }
        if message.offset >= end {
            break;
        }
    }
    reader.close().await;
    Ok(found)
}
