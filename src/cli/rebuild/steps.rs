//! The steps of a rebuild.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;

use super::lost::LostOrders;
use super::report::Report;
use super::unknown;
use crate::broker::Broker;
use crate::cli::app_env::AppEnv;
use crate::cli::fault::Fault;
use crate::cli::switches::survey::{Survey, read_switches};
use crate::cli::ui::output::Output;
use crate::domain::adopt::{Adoptable, adopt};
use crate::domain::audit::{AuditedRow, audit};
use crate::domain::plan::PresentBinding;
use crate::domain::{FreezeOrder, Mac, Scope, Status, SwitchName};
use crate::store::{IntakeBatch, Store, StoreError};
use crate::worker::{AdmitLost, Extent, RereadError, RereadReport, Rereading};

/// The reason of the freeze, by which it is found again.
const REASON: &str = "vmacd rebuild";
/// How long it holds unless somebody thaws it.
const FROZEN: TimeDelta = TimeDelta::hours(72);

/// One rebuild.
pub struct Rebuild<'a> {
    pub env: &'a AppEnv,
    pub store: &'a Store,
    pub output: Output,
    pub since: DateTime<Utc>,
    pub dry_run: bool,
    pub thaw: bool,
}

impl Rebuild<'_> {
    pub async fn run(&self) -> Result<Report, Fault> {
        let broker = self.env.broker(self.store).await?;
        if !self.dry_run {
            self.freeze().await?;
        }
        self.check_inventory().await?;
        let was_empty = self.store.intake().newest_command_at().await?.is_none();
        let mut survey = read_switches(self.env, self.store, self.output, &[]).await?;
        let mut lost = LostOrders::default();
        let planned = self.reread(&broker, &mut lost).await?;
        let adopted = self.adopt_what_was_before(&survey, &lost).await?;
        let mut report = Report {
            dry_run: self.dry_run,
            since: self.since,
            workers: running(self.store).await?,
            was_empty,
            switches_read: survey.seen.len(),
            switches_unread: survey.unseen.drain(..).map(|(switch, why)| (switch, why.text)).collect(),
            adopted,
            archive: planned,
            lost: lost.count,
            recognised: 0,
            refused: Vec::new(),
            findings: Vec::new(),
            unknown: Vec::new(),
            thawed: false,
        };
        if !self.dry_run {
            report.archive = self.reread(&broker, &mut Admitting { store: self.store }).await?;
            survey.read_rows_again(self.store).await?;
            report.recognised = self.recognise(&survey).await?;
            survey.read_rows_again(self.store).await?;
            let left = adopt(&survey.seen, &survey.known);
            report.adopted.extend(self.adopt(left.adoptable, None).await?);
            report.refused = left.refused;
            survey.read_rows_again(self.store).await?;
        }
        report.findings = audit(&survey.seen, &survey.known);
        report.unknown = unknown::unknown(&report);
        if self.thaw && !report.has_problems() {
            self.store.freezes().thaw(&Scope::All).await?;
            report.thawed = true;
        }
        Ok(report)
    }

    /// Before anything else: workers may be started at any time.
    async fn freeze(&self) -> Result<(), Fault> {
        let is_ours = |reason: &Option<String>| reason.as_deref() == Some(REASON);
        if self.store.freezes().list().await?.iter().any(|freeze| freeze.site == Scope::All && is_ours(&freeze.reason))
        {
            return Ok(());
        }
        let (now, made_by) = (self.store.now().await?, "vmacd rebuild".to_owned());
        let order = FreezeOrder { site: Scope::All, until: now + FROZEN, reason: Some(REASON.to_owned()), made_by };
        let order = order.checked(now).map_err(|error| Fault::input(error.to_string()))?;
        self.store.freezes().freeze(&order).await?;
        Ok(())
    }

    async fn check_inventory(&self) -> Result<(), Fault> {
        if !self.store.switches().list().await?.is_empty() {
            return Ok(());
        }
        let fault = Fault::input("the database has no inventory, so that nothing can be read or compared");
        Err(fault.with_hint("`vmacd inventory import FILE`, then run `vmacd rebuild` again"))
    }

    async fn reread(&self, broker: &Broker, admit: &mut impl AdmitLost) -> Result<RereadReport, Fault> {
        let extent = Extent::Since { since: self.since, queued: broker.commands_waiting().await? };
        Rereading::new(self.store, broker).reread(&extent, admit).await.map_err(|error| match error {
            RereadError::Broker(error) => error.into(),
            RereadError::Store(error) => error.into(),
            RereadError::Silent => Fault::service(anyhow::Error::new(error)),
        })
    }

    /// Bindings that lost commands did not make were there before them: as of then they are rows.
    async fn adopt_what_was_before(&self, survey: &Survey, lost: &LostOrders) -> Result<Vec<Adoptable>, Fault> {
        let pools = self.env.settings.mac_pools()?;
        let adoptable = adopt(&survey.seen, &survey.known).adoptable.into_iter();
        let before: Vec<Adoptable> = adoptable.filter(|found| !lost.made(found, &pools)).collect();
        if self.dry_run { Ok(before) } else { self.adopt(before, Some(self.since)).await }
    }

    async fn adopt(&self, found: Vec<Adoptable>, as_of: Option<DateTime<Utc>>) -> Result<Vec<Adoptable>, Fault> {
        let made = self.store.vmacs().adopt_as_of(&found, as_of).await?;
        Ok(found.into_iter().filter(|found| made.iter().any(|row| row.ip_address == found.ip_address)).collect())
    }

    /// Gives rows the MACs that are on their ports where commands of theirs had drawn them.
    async fn recognise(&self, survey: &Survey) -> Result<usize, Fault> {
        let bound: BTreeMap<&SwitchName, &Vec<PresentBinding>> =
            survey.seen.iter().map(|seen| (&seen.switch, &seen.bindings)).collect();
        let live = survey.known.rows.iter().filter(|row| row.status != Status::Revoked);
        let found: Vec<(i64, Mac)> = live.flat_map(|row| strange(row, &bound)).collect();
        if found.is_empty() {
            return Ok(0);
        }
        Ok(self.store.vmacs().recognise(&found).await?.len())
    }
}

/// The workers that were heard of just now.
pub async fn running(store: &Store) -> Result<Vec<String>, Fault> {
    let now = store.now().await?;
    let workers = store.workers().list().await?.into_iter().filter(|worker| !worker.is_silent(now));
    Ok(workers.map(|worker| worker.name).collect())
}

/// MACs on the row's ports, for its address, that are not its own.
fn strange(row: &AuditedRow, bound: &BTreeMap<&SwitchName, &Vec<PresentBinding>>) -> Vec<(i64, Mac)> {
    let here = row.bindings.iter().flat_map(|port| {
        let held = bound.get(&port.switch).into_iter().flat_map(|held| held.iter());
        held.filter(move |held| held.ip == row.ip && held.interface.same_interface(&port.interface))
    });
    here.filter(|held| held.is_active() && !row.had(held.mac)).map(|held| (row.id, held.mac)).collect()
}

/// Admits what is lost; no worker does meanwhile.
struct Admitting<'a> {
    store: &'a Store,
}

impl AdmitLost for Admitting<'_> {
    async fn admit(&mut self, lost: IntakeBatch) -> Result<(), StoreError> {
        let mut rng: StdRng = rand::make_rng();
        self.store.intake().admit(&lost.commands, &mut rng).await?;
        self.store.dead_letters().keep(&lost.letters).await
    }
}
