//! What a push writes down on its way, in the store.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;

use super::trace::PushTrace;
use crate::config::Settings;
use crate::domain::evidence::Tables;
use crate::domain::plan::{Ownership, PresentBinding, Wish};
use crate::domain::{Code, Failure, SwitchName, TraceId};
use crate::store::{Lease, PushRow, PushState, Store, StoreError, WorkItem, WorkPort};
use crate::switch::{Demand, Journal, PushEnd, PushIntent, Stage};
use crate::worker::call_off::InFlight;
use crate::worker::context::Context;
use crate::worker::lease::failure;

/// The journal of one change of a switch; `R` is what it knows of the rows.
pub(in crate::worker) struct StoreJournal<'a, R> {
    pub store: &'a Store,
    pub lease: &'a Lease,
    pub rows: R,
    pub(super) trace: PushTrace,
    settings: &'a Settings,
    in_flight: &'a InFlight<'a>,
    /// Whether a freeze of the site says nothing.
    despite_freeze: bool,
    /// Commits that the site may have in a minute; 0 for any number.
    commits_max: u32,
    /// The pushes that were confirmed, where that is written down together with their results.
    confirmed: Option<Vec<String>>,
}

/// The rows that a push drives.
pub(in crate::worker) struct Rows<'a> {
    pub context: &'a Context,
    /// How long the switch's last push took.
    pub last_push: Option<Duration>,
    /// The generation of each row when it was gathered.
    pub generations: HashMap<i64, i64>,
    /// The producers' traces, by row.
    pub producers: HashMap<i64, TraceId>,
    /// What the switch's tables showed after the push.
    pub shown: Tables,
}

/// The journal of one push.
pub(super) type PushJournal<'a> = StoreJournal<'a, Rows<'a>>;

impl<'a, R> StoreJournal<'a, R> {
    pub fn new(
        store: &'a Store,
        settings: &'a Settings,
        lease: &'a Lease,
        in_flight: &'a InFlight<'a>,
        rows: R,
    ) -> Self {
        let trace = PushTrace::begin(&lease.switch);
        Self { store, settings, lease, in_flight, rows, trace, despite_freeze: false, commits_max: 0, confirmed: None }
    }

    /// The same, whether or not the site is frozen.
    pub fn despite_freeze(self, despite_freeze: bool) -> Self {
        Self { despite_freeze, ..self }
    }

    /// The same, held back where the site had so many commits in the last minute; 0 for any number.
    pub fn within(self, commits_max: u32) -> Self {
        Self { commits_max, ..self }
    }

    /// The same, with what was confirmed left to whoever writes the results down.
    pub fn settled_with_results(self) -> Self {
        Self { confirmed: Some(Vec::new()), ..self }
    }

    /// The pushes whose confirmation is yet to be written down.
    pub fn confirmed(&self) -> &[String] {
        self.confirmed.as_deref().unwrap_or_default()
    }

    /// Fails where the switch's site is frozen.
    async fn check_freeze(&self) -> Result<(), Failure> {
        let known = self.store.switch(&self.lease.switch).await.map_err(|error| failure(&error))?;
        known.freeze.map_or(Ok(()), |freeze| Err(freeze.failure(&self.lease.switch)))
    }

    async fn sent_within(&self, push_id: &str) -> Result<(), Failure> {
        match self.store.push_sent_within(self.lease, push_id, self.commits_max.into()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(site_limit(&self.lease.switch, self.commits_max)),
            Err(error) => Err(failure(&error)),
        }
    }
}

impl<R> Journal for StoreJournal<'_, R> {
    fn reached(&mut self, stage: Stage) {
        tracing::debug!(switch = %self.lease.switch, stage = stage.as_str(), "push");
        self.trace.reached(stage);
        self.in_flight.reached(stage);
        if self.settings.worker.abort_at == stage.as_str() {
            tracing::warn!(stage = stage.as_str(), "aborting, as `worker.abort_at` says");
            std::process::abort();
        }
    }

    async fn unresolved(&mut self) -> Result<Vec<PushIntent>, Failure> {
        let rows = self.store.pushes_unresolved(&self.lease.switch).await.map_err(|error| failure(&error))?;
        let intent = |row: PushRow| {
            let content = serde_json::from_value(row.plan).map_err(|error| {
                Failure::new(Code::DatabaseTrouble, format!("push {}: its plan cannot be read: {error}", row.id))
            })?;
            Ok(PushIntent { id: row.id, content, backup_id: row.backup_id })
        };
        rows.into_iter().map(intent).collect()
    }

    async fn backed_up(&mut self, push_id: &str, text: &str) -> Result<i64, Failure> {
        let saved = self.store.save_backup(&self.lease.switch, text, push_id).await;
        let backup_id = saved.map_err(|error| failure(&error))?;
        self.trace.backed_up(push_id, backup_id);
        Ok(backup_id)
    }

    async fn prepared(&mut self, push: &PushIntent) -> Result<(), Failure> {
        self.trace.prepared(push);
        let row = PushRow {
            id: push.id.clone(),
            plan: json!(push.content),
            changes: i64::try_from(push.content.len()).unwrap_or(i64::MAX),
            backup_id: push.backup_id,
        };
        self.store.push_prepared(self.lease, &row).await.map_err(|error| failure(&error))
    }

    async fn sent(&mut self, push_id: &str) -> Result<(), Failure> {
        if !self.despite_freeze {
            self.check_freeze().await?;
        }
        if self.commits_max > 0 {
            return self.sent_within(push_id).await;
        }
        let advanced = self.store.push_advanced(self.lease, push_id, PushState::Sent, None).await;
        advanced.map_err(|error| failure(&error))
    }

    async fn may_commit(&mut self) -> Result<(), Failure> {
        match self.store.holds(self.lease).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(failure(&StoreError::LeaseLost { switch: self.lease.switch.to_string() })),
            Err(error) => Err(failure(&error)),
        }
    }

    async fn resolved(&mut self, push_id: &str, end: PushEnd) -> Result<(), Failure> {
        let state = match (end, &mut self.confirmed) {
            (PushEnd::Confirmed, Some(confirmed)) => {
                confirmed.push(push_id.to_owned());
                return Ok(());
            }
            (PushEnd::Confirmed, None) => PushState::Confirmed,
            (PushEnd::Refused, _) => {
                self.trace.refused();
                PushState::Refused
            }
            (PushEnd::NotApplied, _) => PushState::NotApplied,
        };
        let advanced = self.store.push_advanced(self.lease, push_id, state, None).await;
        advanced.map_err(|error| failure(&error))
    }
}

// The lifetimes are apart, or the compiler could not tell that a push may move between threads.
impl Demand for StoreJournal<'_, Rows<'_>> {
    async fn gather(&mut self) -> Result<Vec<Wish>, Failure> {
        self.rows.context.arrivals.burst_over(&self.lease.switch, self.rows.last_push).await;
        let limit = i64::try_from(self.rows.context.settings.worker.changes_per_commit_max).unwrap_or(i64::MAX);
        let items = self.store.work(&self.lease.switch, limit).await.map_err(|error| failure(&error))?;
        self.rows.generations = items.iter().map(|item| (item.vmac.id, item.vmac.generation)).collect();
        self.rows.producers = items.iter().filter_map(|item| Some((item.vmac.id, item.trace?.trace_id))).collect();
        self.trace.gathered(self.rows.context, &items);
        Ok(items.iter().flat_map(wishes).collect())
    }

    async fn ownership(&mut self, wishes: &[Wish], present: &[PresentBinding]) -> Result<Ownership, Failure> {
        self.store.ownership(&self.lease.switch, wishes, present).await.map_err(|error| failure(&error))
    }

    fn traces(&self, vmac_ids: &[i64]) -> Vec<TraceId> {
        let mut seen = HashSet::new();
        let traces = vmac_ids.iter().filter_map(|id| self.rows.producers.get(id).copied());
        traces.filter(|trace| seen.insert(*trace)).collect()
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

/// The failure of a change that comes when its site had as many commits as it may have.
pub(in crate::worker) fn site_limit(switch: &SwitchName, commits_max: u32) -> Failure {
    let text = format!("{switch} waits: its site had {commits_max} commits in the last minute, as many as it may have");
    Failure::new(Code::SiteLimit, text)
}
