//! One pass through the archive: what is known is left, what was lost is admitted.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::copies::{Anchor, Copies, anchor};
use super::extent::{AdmitLost, Extent, RereadError, RereadReport};
use super::page::{Page, is_nameless};
use crate::broker::Archived;
use crate::domain::Issued;
use crate::store::{DeadLetter, Incoming, IntakeBatch, KnownMessages, Store};
use crate::worker::intake::arrival_numbers::ArrivalNumbers;
use crate::worker::intake::read::say_refused;

/// Messages behind the head of the queue that are read too: those of several producers may stand in another order here than
/// in the queue.
const BEHIND_HEAD: i64 = 200;

/// What becomes of a command of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The database has it.
    Known,
    /// It is left to the queue.
    Waits,
    /// It is admitted, and probably waits in the queue as well.
    Early,
    /// It is admitted.
    Lost,
}

/// A pass under way.
pub(super) struct Pass<'a> {
    store: &'a Store,
    arrival_numbers: Arc<ArrivalNumbers>,
    /// The earliest that a lost message without a time may have been issued.
    floor: DateTime<Utc>,
    by_time: bool,
    /// From this place on messages wait in the queue.
    queue_from: Option<i64>,
    copies: Copies,
    pub report: RereadReport,
}

impl<'a> Pass<'a> {
    pub async fn new(
        (store, arrival_numbers): (&'a Store, Arc<ArrivalNumbers>),
        extent: &Extent,
        queue_from: Option<i64>,
        report: RereadReport,
    ) -> Result<Self, RereadError> {
        let newest = store.intake().newest_command_at().await?;
        let (by_time, otherwise) = match extent {
            Extent::Since { since, .. } => (true, *since),
            Extent::Lost { .. } => (false, store.time().await),
        };
        let copies = Copies::default();
        Ok(Self { store, arrival_numbers, floor: newest.unwrap_or(otherwise), by_time, queue_from, copies, report })
    }

    /// True where reading begins at a time, and not at a place.
    pub const fn begins_by_time(&self) -> bool {
        self.by_time
    }

    /// True once nothing more needs to be read.
    pub fn is_past(&self, end: i64) -> bool {
        let until = self.queue_from.filter(|_| !self.by_time).map_or(end, |head| end.min(head + BEHIND_HEAD));
        self.report.to.is_some_and(|at| at >= until)
    }

    /// Compares some messages, and has admitted what the database lacks.
    pub async fn take(&mut self, messages: Vec<Archived>, admit: &mut impl AdmitLost) -> Result<(), RereadError> {
        let first = messages.first().map(|message| message.offset);
        let now = self.store.time().await;
        let page = Page::of(messages, &self.arrival_numbers, now.timestamp_millis());
        self.report.from = self.report.from.or(first);
        let (read, last) = (page.count, page.last);
        let lost = self.lost(page, now).await?;
        if !(lost.commands.is_empty() && lost.letters.is_empty()) {
            lost.letters.iter().for_each(say_refused);
            admit.admit(lost).await?;
        }
        self.report.read += read;
        self.report.to = last.or(self.report.to);
        Ok(())
    }

    async fn lost(&mut self, page: Page, now: DateTime<Utc>) -> Result<IntakeBatch, RereadError> {
        let commands: Vec<&Incoming> = page.commands.iter().map(|(_, command)| command).collect();
        let letters: Vec<&DeadLetter> = page.letters.iter().map(|(_, letter)| letter).collect();
        let known = self.store.intake().known(&commands, &letters).await?;
        self.count_nameless(&page, &known).await?;
        let mut lost = IntakeBatch::default();
        for (offset, command) in page.commands {
            match self.fate(offset, &command, &known) {
                Fate::Known => self.report.known += 1,
                Fate::Waits => self.report.left_to_queue += 1,
                fate => {
                    if fate == Fate::Lost {
                        self.report.commands += 1;
                        self.missing(offset);
                    }
                    lost.commands.push(Incoming { issued: self.issued(command.issued, now), ..command });
                }
            }
        }
        for (offset, letter) in page.letters {
            if known.has_letter(&letter) {
                self.report.known += 1;
            } else if self.waits_in_queue(offset) {
                self.report.left_to_queue += 1;
            } else {
                self.report.dead_letters += 1;
                self.missing(offset);
                lost.letters.push(letter);
            }
        }
        Ok(lost)
    }

    /// What becomes of a command. Behind the head of the queue one with a name is admitted too: it may be lost all the same,
    /// and if it waits, it is known by its name when it comes.
    fn fate(&mut self, offset: i64, command: &Incoming, known: &KnownMessages) -> Fate {
        let (is_nameless, waits) = (is_nameless(command), self.waits_in_queue(offset));
        self.report.nameless += u64::from(is_nameless);
        let is_known = match is_nameless {
            true => self.copies.next_is_known(offset, &command.message_identity),
            false => known.has(command),
        };
        match (is_known, is_nameless, waits) {
            (true, ..) => Fate::Known,
            (false, true, true) => Fate::Waits,
            (false, false, true) => Fate::Early,
            (false, _, false) => Fate::Lost,
        }
    }

    fn missing(&mut self, offset: i64) {
        self.report.first_missing = Some(self.report.first_missing.map_or(offset, |first| first.min(offset)));
    }

    fn waits_in_queue(&self, offset: i64) -> bool {
        self.queue_from.is_some_and(|head| offset >= head)
    }

    /// A message without a time was issued some time since the newest command that is known, and behind what came before it.
    fn issued(&self, issued: Issued, now: DateTime<Utc>) -> Issued {
        match issued {
            Issued::Unsaid => {
                let (from_ms, until_ms) = (self.floor.timestamp_millis(), now.timestamp_millis());
                Issued::Within { from_ms: from_ms.min(until_ms), until_ms }
            }
            said => said,
        }
    }

    /// Counts the commands of the database that are like messages without a name, unless they are counted.
    async fn count_nameless(&mut self, page: &Page, known: &KnownMessages) -> Result<(), RereadError> {
        let nameless: Vec<&(i64, Incoming)> =
            page.commands.iter().filter(|(_, command)| is_nameless(command)).collect();
        let fresh = |identity: &&str| !self.copies.is_counted(identity);
        let identities: HashSet<&str> =
            nameless.iter().map(|(_, command)| command.message_identity.as_str()).filter(fresh).collect();
        if self.copies.anchor.is_none() {
            let named = page
                .commands
                .iter()
                .filter(|(_, command)| !is_nameless(command))
                .filter_map(|(at, command)| Some(Anchor { offset: *at, arrival: known.arrival(command)? }));
            let copies = self.store.intake().without_id(&identities, i64::MIN).await?;
            let unnamed = nameless.iter().filter_map(|(at, command)| {
                let arrival = copies.get(&command.message_identity)?.newest_arrival;
                Some(Anchor { offset: *at, arrival })
            });
            self.copies.anchor = anchor(named, unnamed);
        }
        let Some(Anchor { arrival, .. }) = self.copies.anchor.filter(|_| !identities.is_empty()) else { return Ok(()) };
        let copies = self.store.intake().without_id(&identities, arrival).await?;
        for identity in identities {
            self.copies.count(identity, copies.get(identity).map_or(0, |of_identity| of_identity.copies));
        }
        Ok(())
    }
}
