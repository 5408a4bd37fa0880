//! One claimed switch: pushes until nothing more is due there, under one lease. While a commit runs, the next group
//! gathers in the database, whichever worker admits it.
//!
//! A lane that panics gives its lease back with a time for the next try; its work is still due.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use crate::domain::{Code, Failure, SwitchName, chain};
use crate::failpoint;
use crate::store::{Lease, RecordedPush, StoreError};
use crate::worker::checks::in_force;
use crate::worker::context::Context;
use crate::worker::push::call_off::{InFlight, called_off};
use crate::worker::push::save_results;
use crate::worker::push::{self, PushOrder, Pushed};
use crate::worker::slots::{PushSlot, SiteSlot};
use crate::worker::switches::lease::LeaseInHand;
use crate::worker::switches::session::SwitchSession;

/// A switch that was claimed.
pub(in crate::worker) struct Claimed {
    pub lease: Lease,
    /// When the lease was asked for.
    pub asked: Instant,
    pub slot: PushSlot,
    /// Kept until nothing more is due on the switch.
    pub site_slot: SiteSlot,
}

/// Starts the lane in a task of its own.
pub(in crate::worker) fn start(context: &Arc<Context>, claimed: Claimed) {
    let context = context.clone();
    context.clone().lanes.spawn(async move { run(&context, claimed).await });
}

async fn run(context: &Arc<Context>, claimed: Claimed) {
    let ttl = Duration::from_millis(context.settings.lease.ttl_ms);
    let Claimed { lease, asked, slot, site_slot } = claimed;
    failpoint::hit("lane::claimed");
    let lease = context.leases.hold(LeaseInHand::new(lease, asked, ttl));
    let session = context.idle_sessions.take(&lease.lease.switch).await;
    let mut lane = Lane { context, lease: &lease, session };
    let driven = AssertUnwindSafe(lane.drive(slot)).catch_unwind().await;
    if driven.is_err() {
        context.metrics.task_restarted("lane");
        let failure = Failure::new(Code::WorkerTrouble, format!("the worker {} panicked", context.holder));
        lane.give_up(&failure).await;
    }
    let session = lane.session;
    let loan = context.idle_sessions.lend(&lease.lease.switch);
    if context.leases.let_go(&lease) {
        context.work_admitted.notify_one();
    }
    drop(site_slot);
    let mut session = read_ahead(context, session).await;
    in_force::after_pushes(context, &mut session, &lease.lease.switch).await;
    context.idle_sessions.put_back(session);
    drop(loan);
}

/// Reads what the switch holds now for its next push, while nobody waits for it. The lease is not needed: the
/// next push compares under the lock.
async fn read_ahead(context: &Context, mut session: SwitchSession) -> SwitchSession {
    let looked = context.stopping.run_until_cancelled(session.read_ahead(context)).await;
    match looked {
        Some(Ok(())) => {}
        Some(Err(error)) if !error.breaks_session() => {
            tracing::debug!(%error, "could not read the switch ahead of its next push")
        }
        Some(Err(_)) | None => session.abandon(),
    }
    session
}

struct Lane<'a> {
    context: &'a Arc<Context>,
    lease: &'a Arc<LeaseInHand>,
    session: SwitchSession,
}

impl Lane<'_> {
    async fn drive(&mut self, slot: PushSlot) {
        let (mut slot, mut last_push) = (Some(slot), None);
        loop {
            let started = Instant::now();
            match self.push(&mut slot, last_push).await {
                Ok(Some(recorded)) if recorded.lease_kept && !self.context.stopping.is_cancelled() => {
                    last_push = Some(started.elapsed());
                }
                Ok(Some(recorded)) if recorded.lease_kept => return self.release().await,
                Ok(Some(_)) => return,
                Ok(None) => return self.release().await,
                Err(StoreError::LeaseLost { .. }) => {
                    tracing::warn!(switch = %self.switch(), "the lease went to another worker during a push");
                    return;
                }
                Err(error) => {
                    let failure = Failure::new(Code::DatabaseTrouble, chain(&error));
                    return self.give_up(&failure).await;
                }
            }
        }
    }

    /// One push; none where the worker stops before its commit.
    async fn push(
        &mut self,
        slot: &mut Option<PushSlot>,
        last_push: Option<Duration>,
    ) -> Result<Option<RecordedPush>, StoreError> {
        let in_flight = InFlight::new(&self.context.commits_in_flight);
        let order = PushOrder { lease: self.lease, in_flight: &in_flight, last_push };
        let patience = Duration::from_millis(self.context.settings.worker.shutdown_grace_ms) / 4;
        tokio::select! {
            pushed = push::push(self.context, &mut self.session, order, slot) => {
                let Pushed { recorded, bound } = pushed?;
                self.session.unasked.extend(bound);
                Ok(Some(recorded))
            }
            () = called_off(&self.context.stopping, patience, in_flight.phases()) => {
                tracing::warn!(switch = %self.switch(), "push called off, no commit is in flight: the worker stops");
                self.session.abandon();
                Ok(None)
            }
        }
    }

    /// Records why the switch is paused until its next try.
    async fn give_up(&mut self, failure: &Failure) {
        self.session.abandon();
        if let Err(error) = save_results::save_trouble(self.context, &self.lease.lease, failure).await {
            tracing::warn!(switch = %self.switch(), error = chain(&error), "could not record the switch's problem");
            self.release().await;
        }
    }

    async fn release(&self) {
        if let Err(error) = self.context.store.leases().release(&self.lease.lease).await {
            tracing::warn!(switch = %self.switch(), error = chain(&error), "lease not released; it expires by itself");
        }
    }

    fn switch(&self) -> &SwitchName {
        &self.lease.lease.switch
    }
}
