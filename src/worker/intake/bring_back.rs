//! What a database may have lost comes in before anything new: the archive is read again for each database that the worker
//! meets, the first included, because nobody knows what became of it while no worker ran. The same after the queue of commands
//! was gone: what was published meanwhile is in the archive alone.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::dead_queue;
use super::read::refused_letters;
use super::reread::Rereading;
use super::reread::extent::{AdmitLost, Extent, RereadError, RereadReport};
use crate::broker::Broker;
use crate::domain::chain;
use crate::metrics::BROKER;
use crate::store::{Admission, Fence, IntakeBatch, StoreError};
use crate::worker::context::Context;

/// How long an archive that cannot be read keeps new commands waiting.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// For which database and which queue the archive was read.
#[derive(Debug, Default)]
pub(super) struct BroughtBack {
    of: Option<(u64, u64)>,
    /// The place of the first message that was missing at the last look.
    missing: Option<i64>,
    failing_since: Option<Instant>,
}

impl BroughtBack {
    /// True where the archive was not read yet for this database and this queue.
    pub fn is_due(&self, context: &Context) -> bool {
        matches!(context.broker, Broker::Amqp(_))
            && context.settings.broker.archive_age_max_ms > 0
            && self.of != Some((context.store.lineage(), context.broker.queues_made()))
    }

    /// Looks whether something is missing; true where it is, and has to be brought back. Another worker may have messages in
    /// hand that it admits only now, so it takes two looks at which the same message is missing. A look needs no turn: whoever
    /// admits is not disturbed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&mut self, context: &Context) -> Result<bool, StoreError> {
        let of = (context.store.lineage(), context.broker.queues_made());
        match read_again(context, None, &mut Looking).await {
            Ok(report) if self.was_only_under_way(&report) => {
                say_none_lost(&report);
                self.done(of);
            }
            Ok(report) if self.missing == report.first_missing => return Ok(true),
            Ok(report) => self.missing = report.first_missing,
            Err(RereadError::Store(error)) => return Err(error),
            Err(error) if self.is_given_up(context, &error).await => self.done(of),
            Err(_) => {}
        }
        Ok(false)
    }

    /// Reads the archive under the fence, and admits what was lost; `head` is the identity of the message at the head of the
    /// queue, where one is in hand. False where it is to be tried again later.
    ///
    /// # Errors
    /// When the database fails, or the fence does not hold.
    pub async fn bring_back(
        &mut self,
        context: &Context,
        fence: &Fence,
        head: Option<&str>,
    ) -> Result<bool, StoreError> {
        let of = (fence.lineage(), context.broker.queues_made());
        // After a failure two looks come first: meanwhile the one who took the turn goes on.
        self.missing = None;
        match read_again(context, head, &mut Fenced { context, fence }).await {
            Ok(report) => {
                say(&report);
                context.metrics.brought_back(report.commands);
            }
            Err(RereadError::Store(error)) => return Err(error),
            Err(error) if self.is_given_up(context, &error).await => {}
            Err(_) => return Ok(false),
        }
        self.done(of);
        Ok(true)
    }

    /// True where nothing is missing, or what was missing at the last look came in meanwhile.
    fn was_only_under_way(&self, report: &RereadReport) -> bool {
        report.first_missing.is_none() || self.missing.is_some_and(|before| report.first_missing != Some(before))
    }

    fn done(&mut self, of: (u64, u64)) {
        *self = Self { of: Some(of), ..Self::default() };
    }

    /// Says that the archive cannot be read, and waits a moment; true where it is not tried any more.
    async fn is_given_up(&mut self, context: &Context, error: &RereadError) -> bool {
        if !may_pass(error) {
            tracing::error!(
                error = chain(error),
                "RabbitMQ does not let this login read the archive of commands: what a database loses cannot be brought back"
            );
            return true;
        }
        if self.failing_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
            tracing::warn!(error = chain(error), "cannot read the archive of commands; trying again");
            context.metrics.trouble(BROKER);
            context.pause(PAUSE).await;
            return false;
        }
        tracing::error!(
            error = chain(error),
            "the archive of commands cannot be read. If the database failed over or was restored, orders may be missing: \
             stop the workers and run `vmacd rebuild`"
        );
        true
    }
}

/// Whether it is worth trying again.
fn may_pass(error: &RereadError) -> bool {
    !matches!(error, RereadError::Broker(error) if error.is_refusal())
}

async fn read_again(
    context: &Context,
    head: Option<&str>,
    admit: &mut impl AdmitLost,
) -> Result<RereadReport, RereadError> {
    let age = Duration::from_millis(context.settings.broker.archive_age_max_ms);
    let since = context.store.time().await - age;
    let extent =
        Extent::Lost { head: head.map(str::to_owned), queued: context.broker.commands_waiting().await?, since };
    let rereading = Rereading::beside(&context.store, &context.broker, context.arrival_numbers.clone());
    rereading.reread(&extent, admit).await
}

fn say(report: &RereadReport) {
    let RereadReport { read, known, commands, dead_letters, .. } = *report;
    match report {
        RereadReport { is_empty_database: true, .. } => tracing::error!(
            "the database has no command, and the archive of commands has some that were done before. If the database was lost, \
             stop the workers and run `vmacd rebuild`"
        ),
        _ if commands + dead_letters > 0 => {
            tracing::warn!(read, known, commands, dead_letters, "admitted again what the database had lost")
        }
        _ => say_none_lost(report),
    }
}

fn say_none_lost(RereadReport { read, known, .. }: &RereadReport) {
    tracing::info!(read, known, "read the archive of commands: the database has lost none");
}

/// Admits nothing.
struct Looking;

impl AdmitLost for Looking {
    async fn admit(&mut self, _lost: IntakeBatch) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Admits as long as the fence holds.
struct Fenced<'a> {
    context: &'a Context,
    fence: &'a Fence,
}

impl AdmitLost for Fenced<'_> {
    async fn admit(&mut self, lost: IntakeBatch) -> Result<(), StoreError> {
        match self.admit_together(&lost).await {
            Err(error) if error.is_transient() || matches!(error, StoreError::TurnLost) => Err(error),
            Err(_) => self.admit_each(lost).await,
            Ok(()) => Ok(()),
        }
    }
}

impl Fenced<'_> {
    async fn admit_together(&self, batch: &IntakeBatch) -> Result<(), StoreError> {
        let mut rng: StdRng = rand::make_rng();
        let admissions = self.context.store.intake().admit_batch(self.fence, batch, &mut rng).await?;
        batch.letters.iter().for_each(|letter| self.context.metrics.buried(letter.reason_code.as_str()));
        admissions.iter().for_each(|admission: &Admission| self.context.admitted(admission));
        self.context.wrote_events();
        Ok(())
    }

    /// To find the message at fault.
    async fn admit_each(&self, batch: IntakeBatch) -> Result<(), StoreError> {
        for part in batch.one_by_one() {
            match self.admit_together(&part).await {
                Err(error) if error.is_transient() || matches!(error, StoreError::TurnLost) => return Err(error),
                Err(error) => {
                    let refused = refused_letters(part, &error, self.context.store.time().await);
                    if !dead_queue::keep(self.context, &refused).await {
                        return Err(StoreError::TurnLost);
                    }
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }
}
