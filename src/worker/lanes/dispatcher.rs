//! Claims the switches that are due and starts a lane for each, as many as there are free slots: so work spreads over workers.
//!
//! The rows are the truth: what wakes the dispatcher is only a hint. It wakes when this worker admitted something or has a
//! slot free again, and otherwise polls once a second, with one statement.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::domain::chain;
use crate::failpoint;
use crate::metrics::DATABASE;
use crate::store::StoreError;
use crate::worker::context::Context;
use crate::worker::intake::waiting;
use crate::worker::lanes::lane::{self, Claimed};
use crate::worker::supervision::task_health::Beat;

/// Time between two polls of an idle worker.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Why the dispatcher polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// This worker admitted work for a switch whose lease it does not have.
    Admitted,
    /// There was more to do than there were slots, and one is free again.
    SlotFree,
    /// The time between two polls has passed.
    Tick,
}

impl Wake {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::SlotFree => "slot-free",
            Self::Tick => "tick",
        }
    }
}

/// Dispatches until the worker stops.
pub(in crate::worker) async fn run(context: Arc<Context>, beat: Beat) {
    let mut tick = tokio::time::interval(POLL_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Workers that were started together, or that waited for the same database, poll at different times.
    tick.reset_after(POLL_EVERY.mul_f64(rand::random()));
    let mut more = false;
    loop {
        beat.now();
        let wake = tokio::select! {
            () = context.stopping.cancelled() => return,
            () = context.work_admitted.notified() => Wake::Admitted,
            () = context.slots.freed(), if more => Wake::SlotFree,
            _ = tick.tick() => Wake::Tick,
        };
        failpoint::hit("dispatcher::poll");
        match poll(&context, wake).await {
            Ok(left) => more = left,
            Err(error) => {
                tracing::warn!(error = chain(&error), "cannot read what is due; trying again");
                context.metrics.trouble(DATABASE);
            }
        }
    }
}

/// Starts what is due; true where more may be due than there were slots for.
async fn poll(context: &Arc<Context>, wake: Wake) -> Result<bool, StoreError> {
    if wake == Wake::Tick {
        let due = context.store.work().due().await?;
        if due.events {
            context.others_events_due.notify_one();
        }
        context.has_webhooks.store(due.webhooks, Ordering::Relaxed);
        if due.deliveries {
            context.deliveries_due.notify_one();
        }
        if due.commands {
            waiting::try_again(context).await?;
        }
        if !due.switches {
            return Ok(false);
        }
    }
    let claimed = claim(context).await?;
    if claimed.started > 0 {
        context.metrics.woken(wake.as_str());
    }
    Ok(claimed.is_full)
}

struct Claims {
    started: usize,
    is_full: bool,
}

/// Claims as many switches as there are free slots.
async fn claim(context: &Arc<Context>) -> Result<Claims, StoreError> {
    let mut slots = context.slots.free();
    if slots.is_empty() {
        return Ok(Claims { started: 0, is_full: true });
    }
    let ttl = Duration::from_millis(context.settings.lease.ttl_ms);
    let (asked, full) = (Instant::now(), context.slots.full_sites());
    let leases = context.store.leases().claim_due(&context.holder, slots.len(), ttl, &full).await?;
    let (started, is_full) = (leases.len(), leases.len() == slots.len());
    for (lease, site) in leases {
        match (context.slots.site(site.as_ref()), slots.pop()) {
            (Some(site_slot), Some(slot)) => lane::start(context, Claimed { lease, asked, slot, site_slot }),
            // Its site has as many pushes here as it may have: another worker may take it.
            _ => context.store.leases().release(&lease).await?,
        }
    }
    Ok(Claims { started, is_full })
}
