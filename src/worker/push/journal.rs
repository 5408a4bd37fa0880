//! What a push writes down on its way, in the store.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::Order;
use super::trace::PushTrace;
use crate::domain::plan::Wish;
use crate::domain::{Code, Failure, Mac, TraceId};
use crate::store::{Lease, PushRow, PushState, StoreError, WorkItem};
use crate::switch::{Journal, PushEnd, PushIntent, Stage};
use crate::worker::chain;
use crate::worker::context::Context;

/// The journal of one push.
pub(super) struct StoreJournal<'a> {
    pub context: &'a Context,
    pub lease: &'a Lease,
    /// The generation of each row when it was gathered.
    pub generations: HashMap<i64, i64>,
    /// True from before the commit is sent until its end is known: not to be called off.
    committing: &'a AtomicBool,
    last_push: Option<Duration>,
    pub trace: PushTrace,
    /// The producers' traces, by row.
    producers: HashMap<i64, TraceId>,
}

impl<'a> StoreJournal<'a> {
    pub fn new(context: &'a Context, order: Order<'a>) -> Self {
        let Order { lease, committing, last_push } = order;
        let trace = PushTrace::begin(&lease.switch);
        Self { context, lease, generations: HashMap::new(), committing, last_push, trace, producers: HashMap::new() }
    }
}

impl StoreJournal<'_> {
    fn note_committing(&self, committing: bool) {
        let in_flight = &self.context.commits_in_flight;
        match (self.committing.swap(committing, Ordering::Relaxed), committing) {
            (false, true) => _ = in_flight.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = in_flight.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
    }
}

impl Drop for StoreJournal<'_> {
    fn drop(&mut self) {
        self.note_committing(false);
    }
}

fn failure(error: &StoreError) -> Failure {
    let code = match error {
        StoreError::LeaseLost { .. } => Code::LeaseLost,
        _ => Code::DatabaseTrouble,
    };
    Failure::new(code, chain(error))
}

impl Journal for StoreJournal<'_> {
    fn reached(&mut self, stage: Stage) {
        tracing::debug!(switch = %self.lease.switch, stage = stage.as_str(), "push");
        self.trace.reached(stage);
        let committing = matches!(stage, Stage::Sent | Stage::Committed | Stage::ReadBack | Stage::Confirmed);
        self.note_committing(committing);
        if self.context.settings.worker.abort_at == stage.as_str() {
            tracing::warn!(stage = stage.as_str(), "aborting, as `worker.abort_at` says");
            std::process::abort();
        }
    }

    async fn unresolved(&mut self) -> Result<Vec<PushIntent>, Failure> {
        let rows = self.context.store.pushes_unresolved(&self.lease.switch).await.map_err(|error| failure(&error))?;
        let intent = |row: PushRow| {
            let changes = serde_json::from_value(row.plan).map_err(|error| {
                Failure::new(Code::DatabaseTrouble, format!("push {}: its plan cannot be read: {error}", row.id))
            })?;
            Ok(PushIntent { id: row.id, changes, backup_id: row.backup_id })
        };
        rows.into_iter().map(intent).collect()
    }

    async fn backed_up(&mut self, push_id: &str, text: &str) -> Result<i64, Failure> {
        let saved = self.context.store.save_backup(&self.lease.switch, text, push_id).await;
        let backup_id = saved.map_err(|error| failure(&error))?;
        self.trace.backed_up(push_id, backup_id);
        Ok(backup_id)
    }

    async fn gather(&mut self) -> Result<Vec<Wish>, Failure> {
        self.context.arrivals.burst_over(&self.lease.switch, self.last_push).await;
        let limit = i64::try_from(self.context.settings.worker.changes_per_commit_max).unwrap_or(i64::MAX);
        let items = self.context.store.work(&self.lease.switch, limit).await.map_err(|error| failure(&error))?;
        self.generations = items.iter().map(|item| (item.vmac.id, item.vmac.generation)).collect();
        self.producers = items.iter().filter_map(|item| Some((item.vmac.id, item.trace?.trace_id))).collect();
        self.trace.gathered(self.context, &items);
        Ok(items.iter().flat_map(wishes).collect())
    }

    async fn ours(&mut self, macs: &[Mac]) -> Result<HashSet<Mac>, Failure> {
        if macs.is_empty() {
            return Ok(HashSet::new());
        }
        self.context.store.ours_among(macs).await.map_err(|error| failure(&error))
    }

    fn traces(&self, vmac_ids: &[i64]) -> Vec<TraceId> {
        let mut seen = HashSet::new();
        let traces = vmac_ids.iter().filter_map(|id| self.producers.get(id).copied());
        traces.filter(|trace| seen.insert(*trace)).collect()
    }

    async fn prepared(&mut self, push: &PushIntent) -> Result<(), Failure> {
        self.trace.prepared(push);
        let row = PushRow {
            id: push.id.clone(),
            plan: json!(push.changes),
            changes: i64::try_from(push.changes.len()).unwrap_or(i64::MAX),
            backup_id: push.backup_id,
        };
        self.context.store.push_prepared(self.lease, &row).await.map_err(|error| failure(&error))
    }

    async fn sent(&mut self, push_id: &str) -> Result<(), Failure> {
        let advanced = self.context.store.push_advanced(self.lease, push_id, PushState::Sent, None).await;
        advanced.map_err(|error| failure(&error))
    }

    async fn may_commit(&mut self) -> Result<(), Failure> {
        match self.context.store.holds(self.lease).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(failure(&StoreError::LeaseLost { switch: self.lease.switch.to_string() })),
            Err(error) => Err(failure(&error)),
        }
    }

    async fn resolved(&mut self, push_id: &str, end: PushEnd) -> Result<(), Failure> {
        let state = match end {
            PushEnd::Confirmed => PushState::Confirmed,
            PushEnd::Refused => {
                self.trace.refused();
                PushState::Refused
            }
            PushEnd::NotApplied => PushState::NotApplied,
        };
        let advanced = self.context.store.push_advanced(self.lease, push_id, state, None).await;
        advanced.map_err(|error| failure(&error))
    }
}

fn wishes(item: &WorkItem) -> Vec<Wish> {
    let vmac = &item.vmac;
    let wish = |interface: &crate::domain::InterfaceName| Wish {
        vmac_id: vmac.id,
        desired: vmac.desired,
        interface: interface.clone(),
        ip: vmac.ip_address,
        mac: vmac.mac_address,
        pxe_mac: item.pxe_mac,
        primary_ip: item.primary_ip,
        vlan: item.vlan.clone(),
    };
    item.interfaces.iter().map(wish).collect()
}
