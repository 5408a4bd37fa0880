//! One lane per switch: at most one push at a time, everything that waits in one commit.
//!
//! A lane sleeps until it is poked. Then it takes the switch's lease and pushes until no work is left.
//! While a commit runs, the next group gathers in the database, whichever worker takes it in. Where
//! another worker has the lease, the lane watches the outcomes of the messages it holds. What is frozen is not
//! touched: its messages go to the ladder, and `freezes` wakes the lane when it goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::call_off::{InFlight, called_off};
use super::context::Context;
use super::push::{self, site_limit};
use super::session::Session;
use super::settle::{Verdict, settle, verdict_of};
use crate::domain::{Code, Failure, FailureClass, Freeze, MessageKey, SwitchName};
use crate::metrics::DATABASE;
use crate::store::{Circuit, CommandOutcome, Lease, StoreError};

/// Pushes in a row that may end unanswered before their messages go to the ladder.
const UNANSWERED_MAX: u32 = 3;
/// Time between two looks whether a site may have a commit more.
const PACE: Duration = Duration::from_secs(2);
/// Time after which the messages of a site that may have none come again; the lane goes on without them before that.
const MINUTE: Duration = Duration::from_secs(60);

/// Runs one switch's lane until the worker stops.
pub(super) async fn run(context: Arc<Context>, switch: SwitchName, poke: Arc<Notify>) {
    let session_idle = Duration::from_millis(context.settings.ssh.session_idle_ms);
    let mut lane = Lane { session: Session::new(switch.clone()), context: context.clone(), switch, last_push: None };
    loop {
        tokio::select! {
            () = context.stopping.cancelled() => break,
            () = poke.notified() => lane.drive().await,
            () = tokio::time::sleep(session_idle), if lane.session.is_open() => lane.session.close().await,
            () = context.slots.session_wanted(), if lane.session.is_open() => lane.session.close().await,
        }
    }
    lane.session.close().await;
}

struct Lane {
    context: Arc<Context>,
    switch: SwitchName,
    session: Session,
    last_push: Option<Duration>,
}

/// The lease in hand, and when it was taken or renewed between two pushes. During a push it is renewed apart.
struct Held {
    lease: Lease,
    taken: Instant,
}

impl Held {
    fn new(lease: Lease) -> Self {
        Self { lease, taken: Instant::now() }
    }
}

/// What one turn came to.
enum Turn {
    /// Nothing waits for the switch.
    Idle,
    /// A group went through, or part of it; there may be more.
    Progress,
    /// Another worker has the lease.
    Elsewhere,
    /// The switch's site is frozen.
    Frozen(Freeze),
    /// The switch's site had as many commits in the last minute as it may have.
    Paced(Failure),
    /// Nothing could be done.
    Failed(Failure),
}

impl Lane {
    async fn drive(&mut self) {
        let mut lease = None;
        let (mut unanswered, mut is_paced) = (0, false);
        while !self.context.stopping.is_cancelled() {
            match self.turn(&mut lease).await {
                Ok(Turn::Idle) => break,
                Ok(Turn::Progress) => unanswered = 0,
                Ok(Turn::Elsewhere) => {
                    self.context.metrics.lease_waited();
                    self.context.pause(Duration::from_millis(self.context.settings.lease.poll_ms)).await;
                }
                Ok(Turn::Frozen(freeze)) => {
                    let left = (freeze.until - self.context.store.time().await).to_std().unwrap_or_default();
                    self.hold_back(&freeze.failure(&self.switch), left, true).await;
                    break;
                }
                Ok(Turn::Paced(failure)) => {
                    self.hold_back(&failure, MINUTE, !is_paced).await;
                    is_paced = true;
                    self.context.pause(PACE).await;
                }
                // Both were found just before a commit: the next turn sees them first.
                Ok(Turn::Failed(failure)) if matches!(failure.code, Code::Frozen | Code::SiteLimit) => {}
                // Every row that waited has failed with it and is answered; one that came since is tried by itself.
                Ok(Turn::Failed(failure)) if failure.class() == FailureClass::Permanent => unanswered = 0,
                Ok(Turn::Failed(failure)) => {
                    unanswered += 1;
                    if failure.class() != FailureClass::Unknown || unanswered > UNANSWERED_MAX {
                        self.fail_all(&failure);
                        break;
                    }
                    tracing::warn!(switch = %self.switch, code = %failure.code,
                        error = failure.text, "push ended unanswered; looking at the switch");
                }
                Err(error @ StoreError::LeaseLost { .. }) => {
                    lease = None;
                    tracing::warn!(switch = %self.switch, error = super::chain(&error), "push given up");
                }
                Err(error) => {
                    tracing::warn!(switch = %self.switch, error = super::chain(&error), "lane: the database failed");
                    self.context.metrics.trouble(DATABASE);
                    self.context.pause(Duration::from_secs(1)).await;
                }
            }
        }
        self.release(lease).await;
    }

    async fn turn(&mut self, lease: &mut Option<Held>) -> Result<Turn, StoreError> {
        if !self.context.store.has_work(&self.switch).await? {
            self.reconcile().await?;
            return Ok(Turn::Idle);
        }
        let known = self.context.store.switch(&self.switch).await?;
        if let Some(freeze) = known.freeze {
            return Ok(Turn::Frozen(freeze));
        }
        if let Some(failure) = self.open_circuit(known.circuit) {
            return Ok(Turn::Failed(failure));
        }
        // Before the lease: a switch whose turn has not come is left to other workers.
        let site = known.switch.site;
        let slot = tokio::select! {
            slot = self.context.slots.push(site.as_ref()) => slot,
            () = self.context.stopping.cancelled() => return Ok(Turn::Idle),
        };
        if let Some(failure) = self.paced().await? {
            return Ok(Turn::Paced(failure));
        }
        let Some(lease) = self.lease(lease).await? else {
            self.reconcile().await?;
            return Ok(Turn::Elsewhere);
        };
        let in_flight = InFlight::new(&self.context.commits_in_flight);
        let order = push::Order { lease, in_flight: &in_flight, last_push: self.last_push, site: site.as_ref() };
        let patience = Duration::from_millis(self.context.settings.worker.shutdown_grace_ms) / 4;
        let started = Instant::now();
        let done = tokio::select! {
            done = push::push(&self.context, &mut self.session, order, slot) => done?,
            () = called_off(&self.context.stopping, patience, in_flight.phases()) => {
                tracing::warn!(switch = %self.switch, "push called off, no commit is in flight: the worker stops");
                self.session.abandon();
                return Ok(Turn::Idle);
            }
        };
        self.last_push = Some(started.elapsed());
        self.count(started.elapsed(), &done);
        finish(&self.context, &done.finished, Some(&self.switch));
        for (vmac_id, failure) in &done.failed {
            self.fail(*vmac_id, failure);
        }
        done.due.iter().for_each(|switch| self.context.lanes.poke(&self.context, switch));
        self.context.events_due.notify_one();
        if done.is_empty {
            // Another worker did it, or it waits for another switch: looking again at once would be looking for ever.
            self.reconcile().await?;
            return Ok(Turn::Idle);
        }
        Ok(done.whole.map_or(Turn::Progress, Turn::Failed))
    }

    fn count(&self, took: Duration, done: &push::Pushed) {
        match &done.whole {
            // Held back is not failed.
            Some(failure) if matches!(failure.code, Code::Frozen | Code::SiteLimit) => {}
            Some(failure) => self.context.metrics.push_failed(failure.code.as_str()),
            None => self.context.metrics.pushed(took, done.finished.len()),
        }
    }

    /// The lease in hand, renewed, or a new one; none while another worker has it.
    async fn lease<'a>(&self, lease: &'a mut Option<Held>) -> Result<Option<&'a Lease>, StoreError> {
        let ttl = Duration::from_millis(self.context.settings.lease.ttl_ms);
        let store = &self.context.store;
        *lease = match lease.take() {
            Some(held) if held.taken.elapsed() < ttl / 3 => Some(held),
            Some(Held { lease, .. }) if store.renew(&lease, ttl).await? => Some(Held::new(lease)),
            _ => None,
        };
        if lease.is_none() {
            *lease = store.acquire(&self.switch, &self.context.holder, ttl).await?.map(Held::new);
        }
        Ok(lease.as_ref().map(|held| &held.lease))
    }

    async fn release(&self, held: Option<Held>) {
        if let Some(Held { lease, .. }) = held
            && let Err(error) = self.context.store.release(&lease).await
        {
            tracing::warn!(switch = %self.switch, error = super::chain(&error), "lease not released; it expires by itself");
        }
    }

    /// The failure to answer with while the switch's circuit is open.
    fn open_circuit(&self, circuit: Circuit) -> Option<Failure> {
        let (until, reason) = (circuit.open_until?, circuit.reason.unwrap_or_default());
        let text = format!("{} is not tried until {}: {reason}", self.switch, until.to_rfc3339());
        Some(Failure::new(Code::CircuitOpen, text))
    }

    /// The failure to answer with while the switch's site may have no commit more.
    async fn paced(&self) -> Result<Option<Failure>, StoreError> {
        match self.context.settings.limits.site_commits_per_minute_max {
            0 => Ok(None),
            max if self.context.store.may_site_commit(&self.switch, max.into()).await? => Ok(None),
            max => Ok(Some(site_limit(&self.switch, max))),
        }
    }

    /// The rows say why they wait, where they are to say it, and the messages come again after that.
    async fn hold_back(&self, failure: &Failure, left: Duration, is_said: bool) {
        if is_said && let Err(error) = self.context.store.note_why_waiting(&self.switch, failure).await {
            tracing::warn!(switch = %self.switch, error = super::chain(&error), "the rows do not say why they wait");
        }
        let held = self.context.waiting().take_of_switch(&self.switch);
        let verdict = Verdict::Postpone(failure.clone(), left);
        settle(&self.context, held.into_iter().map(|held| (held, verdict.clone())).collect());
    }

    /// Settles the held messages whose outcome another worker wrote.
    async fn reconcile(&self) -> Result<(), StoreError> {
        let keys = self.context.waiting().keys_of(&self.switch);
        reconcile(&self.context, &keys).await
    }

    fn fail(&self, vmac_id: i64, failure: &Failure) {
        let verdict = verdict_of(failure, &self.switch);
        let held = self.context.waiting().take_of_vmac(vmac_id);
        settle(&self.context, held.into_iter().map(|held| (held, verdict.clone())).collect());
    }

    fn fail_all(&self, failure: &Failure) {
        let verdict = verdict_of(failure, &self.switch);
        let held = self.context.waiting().take_of_switch(&self.switch);
        tracing::warn!(switch = %self.switch, code = %failure.code, error = failure.text,
            messages = held.len(), "push failed");
        settle(&self.context, held.into_iter().map(|held| (held, verdict.clone())).collect());
    }
}

/// Settles those of the messages whose outcome stands in the database.
pub(super) async fn reconcile(context: &Arc<Context>, keys: &[MessageKey]) -> Result<(), StoreError> {
    let outcomes: Vec<_> = context.store.outcomes(keys).await?.into_iter().collect();
    finish(context, &outcomes, None);
    Ok(())
}

/// Settles what is held of these commands, all together. `switch` is the one whose push brought the outcomes, where that
/// is known.
fn finish(context: &Arc<Context>, outcomes: &[(MessageKey, CommandOutcome)], switch: Option<&SwitchName>) {
    let mut settled = Vec::new();
    for (key, outcome) in outcomes {
        let mut waiting = context.waiting();
        let verdict = match outcome.failure() {
            Some(failure) => Verdict::Dead(failure, switch.cloned().or_else(|| waiting.only_switch(key))),
            None => Verdict::Done,
        };
        settled.extend(waiting.take(key).into_iter().map(|held| (held, verdict.clone())));
    }
    settle(context, settled);
}
