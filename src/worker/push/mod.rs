//! One push to one switch, between the switch client and the store.
//!
//! The transaction itself is the switch client's; here is what it writes down on the way (the
//! [`StoreJournal`]), what its report means for the rows, and the spans of both.

mod evidence;
pub(super) mod journal;
mod report;
mod trace;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::call_off::InFlight;
use super::context::Context;
use super::lease;
use super::session::Session;
use super::slots::PushSlot;
use super::stop;
use crate::domain::evidence::Tables;
use crate::domain::{Failure, MessageKey, SiteName, SwitchName};
use crate::store::{CommandOutcome, Lease, StoreError};
use crate::switch::{self, Journal, PushOptions, PushReport, Stage};

pub(super) use journal::site_limit;
use journal::{PushJournal, Rows, StoreJournal};

/// What a push came to, for the messages that wait.
#[derive(Default)]
pub(super) struct Pushed {
    /// True when nothing was to be done.
    pub is_empty: bool,
    /// Commands that have an outcome now.
    pub finished: Vec<(MessageKey, CommandOutcome)>,
    /// Rows whose change failed, but not for good.
    pub failed: Vec<(i64, Failure)>,
    /// Other switches whose turn it is now.
    pub due: Vec<SwitchName>,
    /// Why nothing could be done at all.
    pub whole: Option<Failure>,
}

/// What a push is made under.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    /// The switch's lease, held.
    pub lease: &'a Lease,
    /// Told how far its commit is.
    pub in_flight: &'a InFlight<'a>,
    /// How long the switch's last push took.
    pub last_push: Option<Duration>,
    /// The switch's site.
    pub site: Option<&'a SiteName>,
}

/// Pushes everything that waits for the lane's switch and writes the results. It may be dropped at any moment:
/// the next push finds out what was done.
///
/// # Errors
/// When the results could not be written because the lease is gone or the worker stops.
pub(super) async fn push(
    context: &Arc<Context>,
    session: &mut Session,
    order: Order<'_>,
    slot: PushSlot<'_>,
) -> Result<Pushed, StoreError> {
    let ttl = Duration::from_millis(context.settings.lease.ttl_ms);
    let mut journal = journal_of(context, order);
    let report = tokio::select! {
        report = attempt(context, session, &mut journal, order.site, slot) => report,
        never = lease::keep(&context.store, order.lease, ttl) => match never {},
    };
    if !report.session_usable {
        session.abandon();
    }
    let failures = report.whole.iter().chain(report.results.iter().filter_map(|result| result.end.as_ref().err()));
    stop::consider(context, order.lease, failures).await;
    report::write(context, &mut journal, report).await
}

fn journal_of<'a>(context: &'a Context, order: Order<'a>) -> PushJournal<'a> {
    let Order { lease, in_flight, last_push, .. } = order;
    let (generations, producers, shown) = (HashMap::new(), HashMap::new(), Tables::default());
    let rows = Rows { context, last_push, generations, producers, shown };
    let journal = StoreJournal::new(&context.store, &context.settings, lease, in_flight, rows);
    journal.within(context.settings.limits.site_commits_per_minute_max).settled_with_results()
}

/// Uses the session that is open. One may have died of old age, which says nothing about the switch: then, and where
/// there is none, a new one. While it is opened others may push.
async fn attempt<'a>(
    context: &'a Context,
    session: &mut Session,
    journal: &mut PushJournal<'_>,
    site: Option<&SiteName>,
    slot: PushSlot<'a>,
) -> PushReport {
    let options = PushOptions { confirm_timeout_min: context.settings.ssh.confirm_timeout_min };
    if let Some(client) = session.client() {
        journal.reached(Stage::Connected);
        let mut report = switch::push(client, journal, &options).await;
        if !report.lost_before_use {
            journal.rows.shown = evidence::gather(context, client, &mut report).await;
            return report;
        }
    }
    drop(slot);
    journal.trace.does("connect");
    match session.open(context).await {
        Ok(client) => {
            journal.reached(Stage::Connected);
            let _slot = context.slots.push(site).await;
            let mut report = switch::push(client, journal, &options).await;
            journal.rows.shown = evidence::gather(context, client, &mut report).await;
            report
        }
        Err(failure) => PushReport::failed(failure),
    }
}
