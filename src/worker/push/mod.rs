//! One push to one switch, between the switch client and the store.
//!
//! The transaction itself is the switch client's. Here is what it records on the way (the [`StoreJournal`]), how long a push
//! slot is kept for it, its spans, how its results are saved, and how it is called off.

pub(super) mod call_off;
pub(super) mod save_results;
pub(super) mod store_journal;
mod trace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::plan::{EndState, WishResult};
use crate::domain::{Code, Failure, Switch};
use crate::failpoint;
use crate::store::{OpenedPush, PushResults, RecordedPush, SiteLimits, StoreError};
use crate::switch::{self, Journal, PushOptions, PushReport, Stage, SwitchClient};
use crate::worker::auto_freeze;
use crate::worker::context::Context;
use crate::worker::slots::PushSlot;
use crate::worker::switches::lease::failure;
use crate::worker::switches::read_ahead;
use crate::worker::switches::session::SwitchSession;

use save_results::save_results;
pub(super) use store_journal::PushOrder;
use store_journal::{PushJournal, Rows, StoreJournal};

/// How long a push slot is kept while a session is being opened.
const OPENING_MAX: Duration = Duration::from_secs(1);

/// The results of a push.
pub(super) struct Pushed {
    /// What was recorded.
    pub recorded: RecordedPush,
    /// The rows for which something was bound.
    pub bound: BTreeSet<i64>,
}

/// Pushes everything that is due on the switch and writes the results. It may be dropped at any moment: the next push
/// finds out what was done.
///
/// # Errors
/// When the results could not be written because the lease is gone or the worker stops.
pub(super) async fn push(
    context: &Arc<Context>,
    session: &mut SwitchSession,
    order: PushOrder<'_>,
    slot: &mut Option<PushSlot>,
) -> Result<Pushed, StoreError> {
    let started = Instant::now();
    let limits = limits(context);
    let opened = match context.store.pushes().open(&order.lease.lease, limits).await {
        Err(StoreError::LeaseLost { switch }) => return Err(StoreError::LeaseLost { switch }),
        opened => opened.map_err(|error| failure(&error)),
    };
    failpoint::hit("push::opened");
    let mut journal = journal_of(context, order, limits);
    let site = opened.as_ref().ok().and_then(|opened| opened.known.switch.site.clone());
    let mut report = match opened.and_then(may_push) {
        Ok(opened) => attempt(context, session, &mut journal, opened, slot).await,
        Err(failure) => PushReport { session_usable: true, ..PushReport::failed(failure) },
    };
    session.left_at = report.left_at.take();
    session.remember_duplicates(context).await;
    if !report.session_usable {
        session.abandon();
    }
    journal.trace.reported(report.whole.as_ref());
    failpoint::hit("push::reported");
    let recorded = write(context, &mut journal, &report).await?;
    journal.reached(Stage::Settled);
    count(context, started.elapsed(), &report, &recorded);
    if recorded.failed_pushes {
        auto_freeze::consider(context, &order.lease.lease, site.as_ref()).await;
    }
    Ok(Pushed { recorded, bound: bound(&report) })
}

/// The rows for which the push bound something.
fn bound(report: &PushReport) -> BTreeSet<i64> {
    let is_bound = |result: &&WishResult| {
        result.end.as_ref().is_ok_and(|reached| reached.end == EndState::Bound && reached.push.is_some())
    };
    report.results.iter().filter(is_bound).map(|result| result.wish.vmac_id).collect()
}

fn limits(context: &Context) -> SiteLimits {
    let commits_per_minute_max = context.settings.limits.site_commits_per_minute_max.into();
    SiteLimits { heeds_freezes: true, commits_per_minute_max }
}

fn may_push(opened: OpenedPush) -> Result<OpenedPush, Failure> {
    match opened.held_back {
        Some(failure) => Err(failure),
        None => Ok(opened),
    }
}

fn journal_of<'a>(context: &'a Context, order: PushOrder<'a>, limits: SiteLimits) -> PushJournal<'a> {
    let rows = Rows { context, order, gathered: Default::default(), producers: Default::default() };
    StoreJournal::new(&context.store, order.lease, order.in_flight, limits, rows)
}

async fn write(
    context: &Arc<Context>,
    journal: &mut PushJournal<'_>,
    report: &PushReport,
) -> Result<RecordedPush, StoreError> {
    let gathered = std::mem::take(&mut journal.rows.gathered);
    let (ends, results, whole) = (journal.ends(), report.results.as_slice(), report.whole.as_ref());
    let (lease, asked) = (journal.lease, Instant::now());
    let results = PushResults { ends, gathered, results, whole, keep_for: lease.ttl() };
    let recorded = save_results(context, &lease.lease, &results).await?;
    if recorded.lease_kept {
        lease.renewed(asked);
    }
    Ok(recorded)
}

/// Uses the session that is open. An idle one may have been closed, which says nothing about the switch: then, and
/// where there is none, a new one is opened. While that takes long, others may push.
async fn attempt(
    context: &Context,
    session: &mut SwitchSession,
    journal: &mut PushJournal<'_>,
    opened: OpenedPush,
    slot: &mut Option<PushSlot>,
) -> PushReport {
    let options = PushOptions { confirm_timeout_min: context.settings.ssh.confirm_timeout_min };
    journal.unresolved = opened.unresolved;
    let known = opened.known;
    if let Some(client) = session.client() {
        let report = push_on(context, client, journal, &options, &known.switch).await;
        if !report.lost_before_use {
            return report;
        }
    }
    journal.trace.does("connect");
    if known.trouble.is_some() {
        *slot = None;
    }
    let client = {
        let mut opening = std::pin::pin!(session.open(context, &known));
        match tokio::time::timeout(OPENING_MAX, &mut opening).await {
            Ok(client) => client,
            Err(_) => {
                *slot = None;
                opening.await
            }
        }
    };
    let client = match client {
        Ok(client) => client,
        Err(failure) => return PushReport::failed(failure),
    };
    if slot.is_none() {
        *slot = Some(context.slots.push().await);
    }
    push_on(context, client, journal, &options, &known.switch).await
}

/// Pushes on an open session, with what is known of the switch.
async fn push_on(
    context: &Context,
    client: &mut SwitchClient,
    journal: &mut PushJournal<'_>,
    options: &PushOptions,
    switch: &Switch,
) -> PushReport {
    journal.reached(Stage::Connected);
    journal.known = match read_ahead::known_configuration(context, client, switch).await {
        Ok(known) => known,
        Err(error) => return PushReport::not_begun(&error),
    };
    let report = switch::push(client, journal, options).await;
    if let Some(known) = journal.known.take() {
        read_ahead::remember(context, switch, known).await;
    }
    report
}

fn count(context: &Context, took: Duration, report: &PushReport, recorded: &RecordedPush) {
    match &report.whole {
        // A push that was held back has not failed.
        Some(failure) if matches!(failure.code, Code::Frozen | Code::SiteLimit) => {}
        Some(failure) => {
            tracing::warn!(code = %failure.code, error = failure.text, "push failed");
            context.metrics.push_failed(failure.code.as_str());
        }
        None => context.metrics.pushed(took, recorded.finished.len()),
    }
}
