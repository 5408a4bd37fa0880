//! What a push records in the store on its way.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;

use super::trace::PushTrace;
use crate::domain::plan::{Ownership, PresentBinding, Wish, unaccounted};
use crate::domain::{Code, Failure, TraceId};
use crate::failpoint;
use crate::store::{
    GatheredRow, PushBefore, PushRow, PushState, Recognised, SentPush, SiteLimits, Store, WorkItem, WorkPort,
};
use crate::switch::{Journal, KnownConfiguration, PushBackup, PushEnd, PushIntent, RowSource, Stage};
use crate::worker::context::Context;
use crate::worker::push::call_off::InFlight;
use crate::worker::switches::lease::{LeaseInHand, failure};

/// The journal of one change of a switch; `R` is what it knows of the rows.
pub(in crate::worker) struct StoreJournal<'a, R> {
    pub store: &'a Store,
    pub lease: &'a LeaseInHand,
    pub rows: R,
    /// Earlier pushes whose end is not known.
    pub unresolved: Vec<PushRow>,
    /// What is known of the switch; valid while its version is the newest.
    pub known: Option<KnownConfiguration>,
    pub(super) trace: PushTrace,
    in_flight: &'a InFlight<'a>,
    limits: SiteLimits,
    /// How pushes ended: recorded together with their results.
    ends: Vec<(String, PushState)>,
    /// The backup of what was committed before, once it is kept.
    backup_id: Option<i64>,
}

/// The conditions of a push.
#[derive(Clone, Copy)]
pub(in crate::worker) struct PushOrder<'a> {
    /// The switch's lease.
    pub lease: &'a LeaseInHand,
    /// Follows how far its commit is.
    pub in_flight: &'a InFlight<'a>,
    /// How long the push before it under the same lease took.
    pub last_push: Option<Duration>,
}

/// The rows that a push drives.
pub(in crate::worker) struct Rows<'a> {
    pub context: &'a Context,
    pub order: PushOrder<'a>,
    /// Each row as it was gathered.
    pub gathered: HashMap<i64, GatheredRow>,
    /// The producers' traces, by row.
    pub producers: HashMap<i64, TraceId>,
}

/// The journal of one push.
pub(super) type PushJournal<'a> = StoreJournal<'a, Rows<'a>>;

impl<'a, R> StoreJournal<'a, R> {
    pub fn new(
        store: &'a Store,
        lease: &'a LeaseInHand,
        in_flight: &'a InFlight<'a>,
        limits: SiteLimits,
        rows: R,
    ) -> Self {
        let trace = PushTrace::begin(&lease.lease.switch);
        let (unresolved, known, ends, backup_id) = (Vec::new(), None, Vec::new(), None);
        Self { store, lease, rows, unresolved, known, trace, in_flight, limits, ends, backup_id }
    }

    /// How pushes ended, to be recorded.
    pub fn ends(&self) -> &[(String, PushState)] {
        &self.ends
    }
}

impl<R> Journal for StoreJournal<'_, R> {
    fn reached(&mut self, stage: Stage) {
        tracing::debug!(switch = %self.lease.lease.switch, stage = stage.as_str(), "push");
        self.trace.reached(stage);
        self.in_flight.reached(stage);
        failpoint::hit_with(|| format!("push::{}", stage.as_str()));
    }

    fn unresolved(&mut self) -> Result<Vec<PushIntent>, Failure> {
        let intent = |row: PushRow| {
            let content = serde_json::from_value(row.plan).map_err(|error| {
                Failure::new(Code::DatabaseTrouble, format!("push {}: its plan cannot be read: {error}", row.id))
            })?;
            Ok(PushIntent { id: row.id, content, backup_id: row.backup_id })
        };
        std::mem::take(&mut self.unresolved).into_iter().map(intent).collect()
    }

    fn known(&mut self) -> Option<KnownConfiguration> {
        self.known.take()
    }

    fn still_known(&mut self, known: KnownConfiguration) {
        self.known = Some(known);
    }

    async fn sent(&mut self, push: &PushIntent, before: &PushBackup) -> Result<i64, Failure> {
        self.lease.check()?;
        let sent = SentPush {
            id: &push.id,
            plan: json!(push.content),
            changes: i64::try_from(push.content.len()).unwrap_or(i64::MAX),
            before: match before {
                PushBackup::Text(text) => PushBefore::Text(text),
                PushBackup::Stored(hash) => PushBefore::Stored(hash),
            },
            backup_id: self.backup_id,
        };
        let written = self.store.pushes().record_sent(&self.lease.lease, &sent, self.limits).await;
        let backup_id = written.map_err(|error| failure(&error))??;
        // The write may have taken long.
        self.lease.check()?;
        self.backup_id = Some(backup_id);
        self.trace.sent(push, backup_id);
        Ok(backup_id)
    }

    fn may_commit(&self) -> Result<(), Failure> {
        self.lease.check()
    }

    fn resolved(&mut self, push_id: &str, end: PushEnd) {
        let state = match end {
            PushEnd::Confirmed => PushState::Confirmed,
            PushEnd::Refused => {
                self.trace.refused();
                PushState::Refused
            }
            PushEnd::NotApplied => PushState::NotApplied,
        };
        self.ends.push((push_id.to_owned(), state));
    }
}

// Separate lifetimes: otherwise the compiler cannot prove that a push may move between threads.
impl RowSource for StoreJournal<'_, Rows<'_>> {
    async fn gather(&mut self) -> Result<Vec<Wish>, Failure> {
        let Rows { context, order, .. } = &self.rows;
        let switch = &self.lease.lease.switch;
        context.bursts.over(switch, order.last_push).await;
        let limit = i64::try_from(context.settings.worker.changes_per_commit_max).unwrap_or(i64::MAX);
        // What is admitted from here on is left to the next push.
        self.lease.take_new_work();
        let items = self.store.work().due_on(switch, limit).await.map_err(|error| failure(&error))?;
        let row =
            |item: &WorkItem| (item.vmac.id, GatheredRow { generation: item.vmac.generation, attempts: item.attempts });
        self.rows.gathered = items.iter().map(row).collect();
        self.rows.producers = items.iter().filter_map(|item| Some((item.vmac.id, item.trace?.trace_id))).collect();
        self.trace.gathered(&items);
        Ok(items.iter().flat_map(wishes).collect())
    }

    async fn ownership(&mut self, wishes: &mut [Wish], present: &[PresentBinding]) -> Result<Ownership, Failure> {
        let switch = &self.lease.lease.switch;
        let owned = self.store.vmacs().ownership(switch, wishes, present).await;
        let mut owned = owned.map_err(|error| failure(&error))?;
        let strange = unaccounted(wishes, present, &owned);
        if !strange.is_empty() {
            let recognised = self.store.vmacs().recognise(&strange).await.map_err(|error| failure(&error))?;
            recognised.iter().for_each(|one| self.recognised(one, wishes, &mut owned));
        }
        Ok(owned)
    }

    fn traces(&self, vmac_ids: &[i64]) -> Vec<TraceId> {
        let mut seen = HashSet::new();
        let traces = vmac_ids.iter().filter_map(|id| self.rows.producers.get(id).copied());
        traces.filter(|trace| seen.insert(*trace)).collect()
    }
}

impl StoreJournal<'_, Rows<'_>> {
    /// A binding of vmacd's own that the database had lost.
    fn recognised(&mut self, one: &Recognised, wishes: &mut [Wish], owned: &mut Ownership) {
        let Recognised { vmac_id, mac, is_taken_on } = *one;
        tracing::warn!(switch = %self.lease.lease.switch, vmac_id, %mac, is_taken_on, "a command of the row drew this MAC, and the database had lost it");
        owned.macs.insert(mac);
        if !is_taken_on {
            return;
        }
        for wish in wishes.iter_mut().filter(|wish| wish.vmac_id == vmac_id) {
            owned.macs.insert(std::mem::replace(&mut wish.mac, mac));
        }
        if let Some(row) = self.rows.gathered.get_mut(&vmac_id) {
            row.generation += 1;
        }
    }
}

/// What a row wants on each of its ports.
pub(in crate::worker) fn wishes(item: &WorkItem) -> Vec<Wish> {
    let vmac = &item.vmac;
    let wish = |port: &WorkPort| Wish {
        vmac_id: vmac.id,
        desired: port.desired,
        leaving: port.leaving,
        interface: port.interface.clone(),
        ip: vmac.ip_address,
        mac: vmac.mac_address,
        pxe_mac: port.pxe_mac,
        primary_ip: port.primary_ip,
        vlan: port.vlan.clone(),
    };
    item.ports.iter().map(wish).collect()
}
