//! Slow checks of what the switches hold: level-triggered, shared among workers, and read-only on the switch.
//!
//! A switch is claimed in the database, so that one worker checks it at a time; the checks are spread over the interval.
//! Each is a short session of its own, in the line for switches in doubt, and locks nothing. In between a session asks for
//! the commit history alone: one request. Sessions of lanes are not used: a switch that nobody pushes to has none, and one
//! that is pushed to should not wait for a check.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};

use crate::domain::drift::{Drift, drift};
use crate::domain::plan::{Wish, macs_at};
use crate::domain::{BindingState, Desired, DriftMode, Failure, Status, chain};
use crate::failpoint;
use crate::metrics::DATABASE;
use crate::store::{CheckDue, CheckEnd, CheckPace, DriftFindings, StoreError, WorkItem};
use crate::switch::{CommitEntry, SwitchClient, commits_since};
use crate::worker::checks::in_force;
use crate::worker::context::Context;
use crate::worker::push::store_journal::wishes;
use crate::worker::supervision::task_health::Beat;
use crate::worker::switches::connect::connect;
use crate::worker::switches::lease::failure;

/// Switches checked at the same time.
const SIDE_BY_SIDE: usize = 8;
/// How many times per interval it is asked whether a check is due.
const TICKS: u32 = 10;
/// Bounds of the time between.
const TICK_MIN: Duration = Duration::from_millis(100);
const TICK_MAX: Duration = Duration::from_secs(5);

/// Checks until the worker stops.
pub(in crate::worker) async fn run(context: Arc<Context>, beat: Beat) {
    let pace = pace(&context);
    let shortest = pace.history_interval.unwrap_or(pace.interval).min(pace.interval);
    let tick = (shortest / TICKS).clamp(TICK_MIN, TICK_MAX);
    let room = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut checks = JoinSet::new();
    while context.pause(tick).await {
        beat.now();
        failpoint::pause("drift::check").await;
        while let Some(ended) = checks.try_join_next() {
            // A check that panics is a panic of this task.
            if let Err(panic) = ended.map_err(JoinError::try_into_panic)
                && let Ok(panic) = panic
            {
                std::panic::resume_unwind(panic);
            }
        }
        let due = claim(&context, &pace, room.available_permits()).await;
        for due in due {
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            checks.spawn(check(context.clone(), pace, due, permit));
        }
    }
}

fn pace(context: &Context) -> CheckPace {
    let settings = &context.settings.drift;
    let history_interval = Duration::from_millis(settings.history_interval_ms);
    CheckPace {
        interval: Duration::from_millis(settings.interval_ms),
        history_interval: (!history_interval.is_zero()).then_some(history_interval),
        mode: settings.mode,
    }
}

async fn claim(context: &Context, pace: &CheckPace, room: usize) -> Vec<CheckDue> {
    if room == 0 {
        return Vec::new();
    }
    let limit = i64::try_from(room).unwrap_or(i64::MAX);
    context.store.checks().claim(pace, limit).await.unwrap_or_else(|error| {
        tracing::warn!(error = chain(&error), "cannot claim a switch to check for drift; trying again");
        context.metrics.trouble(DATABASE);
        Vec::new()
    })
}

/// One check. A switch that does not answer is checked again sooner than after an interval.
async fn check(context: Arc<Context>, pace: CheckPace, due: CheckDue, _permit: OwnedSemaphorePermit) {
    let checked = tokio::select! {
        checked = open_and_check(&context, &due) => checked,
        () = context.stopping.cancelled() => return,
    };
    let end = checked.unwrap_or_else(|failure| {
        tracing::warn!(switch = %due.switch, code = %failure.code, error = failure.text, "not checked for drift");
        CheckEnd::Failed
    });
    if let Err(error) = context.store.checks().end(&due, &pace, end).await {
        tracing::warn!(switch = %due.switch, error = chain(&error), "could not record the drift check; it is retried after the claim expires");
        context.metrics.trouble(DATABASE);
    }
}

async fn open_and_check(context: &Arc<Context>, due: &CheckDue) -> Result<CheckEnd, Failure> {
    let known = context.store.switches().get(&due.switch).await.map_err(trouble)?;
    let opening = connect(&context.settings, &known.switch, known.dialect_found);
    let (client, _slot) = context.slots.open(true, opening).await;
    let mut client = client?;
    let checked = DriftCheck { context, due, client: &mut client }.run().await;
    client.close().await;
    checked
}

fn trouble(error: StoreError) -> Failure {
    failure(&error)
}

struct DriftCheck<'a> {
    context: &'a Arc<Context>,
    due: &'a CheckDue,
    client: &'a mut SwitchClient,
}

impl DriftCheck<'_> {
    async fn run(&mut self) -> Result<CheckEnd, Failure> {
        let history = self.client.history().await.map_err(|error| error.failure())?;
        let whole = self.due.whole || self.others_committed(&history).await?;
        if whole {
            self.compare().await?;
        }
        Ok(CheckEnd::Seen { commit: history.first().map(CommitEntry::identity), whole })
    }

    /// Whether any commit since the last check is not in our journal.
    async fn others_committed(&self, history: &[CommitEntry]) -> Result<bool, Failure> {
        let since = commits_since(history, self.due.last_commit.as_deref());
        let ids: Vec<&str> = since.iter().filter_map(CommitEntry::push_id).collect();
        let ours = self.context.store.pushes().among(&self.due.switch, &ids).await.map_err(trouble)?;
        Ok(since.iter().any(|entry| entry.push_id().is_none_or(|id| !ours.contains(id))))
    }

    /// Compares what the switch holds with the rows as they were before the check.
    async fn compare(&mut self) -> Result<(), Failure> {
        let store = &self.context.store;
        let mut rows = store.work().wanted_on(&self.due.switch, &[]).await.map_err(trouble)?;
        rows.retain(|item| item.vmac.status == Status::Active && item.vmac.desired == Desired::Bound);
        let present = self.client.bindings().await.map_err(|error| error.failure())?;
        let wishes: Vec<Wish> = rows.iter().flat_map(wishes).collect();
        let bound = self.bound(&rows);
        let is_owed = |wish: &Wish| bound.contains(&(wish.vmac_id, wish.interface.port()));
        let ours = store.vmacs().ours_among(&macs_at(&wishes, &present)).await.map_err(trouble)?;
        let found = drift(&wishes, is_owed, &present, ours);
        let as_of = rows.iter().map(|item| (item.vmac.id, item.vmac.updated_at)).collect::<HashMap<_, _>>();
        let enforce = self.due.mode == DriftMode::Enforce;
        let findings = DriftFindings { switch: &self.due.switch, found: &found, as_of: &as_of, enforce };
        let new = store.checks().record_drift(&findings).await.map_err(trouble)?;
        self.report(&new, enforce);
        self.see_what_is_in_force(&rows, &as_of).await
    }

    /// Notes which bindings are in force, and which of the switch's own tables show them.
    async fn see_what_is_in_force(
        &mut self,
        rows: &[WorkItem],
        as_of: &HashMap<i64, DateTime<Utc>>,
    ) -> Result<(), Failure> {
        if !self.context.settings.worker.evidence {
            return Ok(());
        }
        let switch = &self.due.switch;
        let asked = in_force::bound_on(switch, rows.iter().map(|item| &item.vmac));
        let shown = in_force::ask(self.client, &asked).await.map_err(|error| error.failure())?;
        let news = self.context.store.checks().record_in_force(switch, &shown, as_of, true).await.map_err(trouble)?;
        in_force::report(self.context, switch, &news);
        Ok(())
    }

    /// Where rows are bound on this switch according to the database; pending changes are left to their push.
    fn bound<'r>(&self, rows: &'r [WorkItem]) -> HashSet<(i64, &'r str)> {
        let ports = rows.iter().flat_map(|item| item.vmac.switch_bindings.iter().map(move |port| (item.vmac.id, port)));
        let bound = ports.filter(|(_, port)| port.switch == self.due.switch && port.state == BindingState::Bound);
        bound.map(|(id, port)| (id, port.interface.port())).collect()
    }

    fn report(&self, new: &[Drift], enforce: bool) {
        for drift in new {
            let queued = enforce && drift.kind.is_mendable();
            let done = if queued { "queued" } else { "reported" };
            tracing::warn!(switch = %self.due.switch, vmac_id = drift.vmac_id, done, "drift: {}", drift.text);
            self.context.metrics.drifted(drift.kind.as_str(), done);
        }
        if !new.is_empty() {
            self.context.wrote_events();
            self.context.wake(std::slice::from_ref(&self.due.switch));
        }
    }
}
