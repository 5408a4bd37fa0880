//! What switches showed of bindings: whether each is in force, and the tables that show it. A row is written where that is
//! something else than before, and does not count as changed by it; when a switch was last looked at is kept with the switch.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::evidence::{EvidenceTable, renewed};
use crate::domain::in_force::{InForce, InForceCode, InForceState, InForceVerdict};
use crate::domain::{BindingState, InterfaceName, SwitchBinding, SwitchName};
use crate::store::database::engine::{args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::events::body::in_force_row;
use crate::store::events::unpublished::write_events;
use crate::store::parts::Checks;
use crate::store::vmacs::Vmac;
use crate::store::vmacs::lock_vmacs;

/// Rows written in one transaction.
const BATCH: usize = 500;

const UPDATE: &str = "UPDATE virtual_macs SET switch_bindings = e.value->'switch_bindings'
    FROM {rows} WHERE virtual_macs.id = CAST(e.value->>'id' AS BIGINT)
        AND virtual_macs.id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";

/// What a check of a switch showed of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownInForce {
    /// The row.
    pub vmac_id: i64,
    /// The port.
    pub interface: InterfaceName,
    /// Whether the binding is in force.
    pub verdict: InForceVerdict,
    /// For each table that was read, whether it shows the binding.
    pub tables: BTreeMap<EvidenceTable, bool>,
}

/// A binding of which something else is known than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForceNews {
    /// The row.
    pub vmac_id: i64,
    /// What is known now.
    pub now: InForce,
}

impl Checks<'_> {
    /// Records what a check of the switch showed, for rows that have not changed since they were read before it; what is new
    /// becomes an event. `whole`: all bindings there were checked. Returns what is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_in_force(
        self,
        switch: &SwitchName,
        shown: &[ShownInForce],
        as_of: &HashMap<i64, DateTime<Utc>>,
        whole: bool,
    ) -> Result<Vec<InForceNews>, StoreError> {
        let mut news = Vec::new();
        for shown in of_whole_rows(shown) {
            news.extend(self.note_batch(switch, shown, as_of).await?);
        }
        if whole {
            let asked = shown.iter().map(|shown| json!({"id": shown.vmac_id})).collect();
            let sql = "DELETE FROM not_in_force WHERE switch = $2 AND NOT EXISTS (SELECT 1 FROM {rows}
                           WHERE CAST(e.value->>'id' AS BIGINT) = not_in_force.vmac_id)";
            let arguments = vec![batch_arg(asked), switch.as_str().into()];
            self.store.engine.write("forget what is bound no more", sql, arguments).await?;
            let sql = "UPDATE switches SET in_force_seen_at = $2 WHERE name = $1";
            let arguments = args![switch.as_str(), self.store.now().await?];
            self.store.engine.write("note a check of what is in force", sql, arguments).await?;
        }
        Ok(news)
    }

    /// When each of the row's switches was last asked which of its bindings are in force, where it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn in_force_seen_at(self, vmac: &Vmac) -> Result<HashMap<SwitchName, DateTime<Utc>>, StoreError> {
        let names = vmac.switch_bindings.iter().map(|binding| json!({"name": binding.switch})).collect();
        let sql = "SELECT name, in_force_seen_at FROM switches
                   WHERE in_force_seen_at IS NOT NULL AND name {in}SELECT e.value->>'name' FROM {rows}{/in}";
        let rows = self.store.engine.read("read when switches were checked", sql, vec![batch_arg(names)]).await?;
        rows.iter().map(|row| Ok((row.parse("name")?, row.get("in_force_seen_at")?))).collect()
    }

    /// Those of these rows that have not changed since, and of which something else was shown than they say.
    async fn outdated(
        self,
        switch: &SwitchName,
        shown: &[ShownInForce],
        as_of: &HashMap<i64, DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let ids: BTreeSet<i64> = shown.iter().map(|shown| shown.vmac_id).collect();
        let rows = self.store.vmacs().list(&ids.into_iter().collect::<Vec<_>>()).await?;
        let mut rows: HashMap<i64, Vmac> = rows.into_iter().map(|vmac| (vmac.id, vmac)).collect();
        rows.retain(|id, vmac| as_of.get(id) == Some(&vmac.updated_at));
        let is_outdated = |shown: &&ShownInForce| {
            let binding = rows.get_mut(&shown.vmac_id).and_then(|vmac| binding_at(vmac, switch, &shown.interface));
            binding.is_some_and(|binding| {
                let before = binding.clone();
                note(binding, shown, now);
                *binding != before
            })
        };
        Ok(shown.iter().filter(is_outdated).map(|shown| shown.vmac_id).collect())
    }

    async fn note_batch(
        self,
        switch: &SwitchName,
        shown: &[ShownInForce],
        as_of: &HashMap<i64, DateTime<Utc>>,
    ) -> Result<Vec<InForceNews>, StoreError> {
        let now = self.store.now().await?;
        let ids = self.outdated(switch, shown, as_of, now).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.store.begin("note what is in force").await?;
        let mut vmacs = lock_vmacs(&mut tx, ids.iter().map(|id| json!({"id": id})).collect()).await?;
        vmacs.retain(|id, vmac| as_of.get(id) == Some(&vmac.updated_at));
        let mut news = Vec::new();
        for shown in shown {
            let here = vmacs.get_mut(&shown.vmac_id).and_then(|vmac| binding_at(vmac, switch, &shown.interface));
            news.extend(here.and_then(|binding| note(binding, shown, now)));
        }
        let rows = vmacs.values().map(|vmac| json!({"id": vmac.id, "switch_bindings": vmac.switch_bindings}));
        tx.batch("note what is in force", UPDATE, rows.collect(), Vec::new()).await?;
        remember(&mut tx, switch, vmacs.values(), now).await?;
        let told = worst_of_each_row(&news);
        let events =
            told.iter().filter_map(|news| Some(in_force_row(vmacs.get(&news.vmac_id)?, &news.now, switch, now)));
        write_events(&mut tx, events.collect(), now).await?;
        tx.commit("note what is in force").await?;
        Ok(news)
    }
}

/// Parts of about [`BATCH`]; what is of one row stays together.
fn of_whole_rows(shown: &[ShownInForce]) -> impl Iterator<Item = &[ShownInForce]> {
    let mut rest = shown;
    std::iter::from_fn(move || {
        let mut at = rest.len().min(BATCH);
        while at > 0 && at < rest.len() && rest[at].vmac_id == rest[at - 1].vmac_id {
            at += 1;
        }
        let (part, after) = rest.split_at(at);
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

fn binding_at<'a>(vmac: &'a mut Vmac, switch: &SwitchName, interface: &InterfaceName) -> Option<&'a mut SwitchBinding> {
    let mut here = vmac.switch_bindings.iter_mut().filter(|binding| binding.is_at(switch, interface));
    here.find(|binding| binding.state == BindingState::Bound)
}

fn note(binding: &mut SwitchBinding, shown: &ShownInForce, now: DateTime<Utc>) -> Option<InForceNews> {
    let found = InForce::of(shown.verdict.clone(), now).or_as_before(binding.in_force.as_ref());
    binding.evidence = renewed(&binding.evidence, &shown.tables, now);
    let is_news = found.is_news_after(binding.in_force.as_ref());
    binding.in_force = Some(found.clone());
    is_news.then_some(InForceNews { vmac_id: shown.vmac_id, now: found })
}

/// One event a row: the worst of what is new.
fn worst_of_each_row(news: &[InForceNews]) -> Vec<&InForceNews> {
    let rank = |news: &InForceNews| match news.now.state {
        InForceState::No => 0,
        InForceState::Unknown => 1,
        InForceState::Yes => 2,
    };
    let mut told: Vec<&InForceNews> = news.iter().collect();
    told.sort_by_key(|news| (news.vmac_id, rank(news)));
    told.dedup_by_key(|news| news.vmac_id);
    told
}

/// What of these rows is not in force takes the place of what was; what is the same keeps its time.
async fn remember(
    tx: &mut Tx,
    switch: &SwitchName,
    vmacs: impl Iterator<Item = &Vmac>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<Value> = vmacs
        .flat_map(|vmac| {
            let here = vmac.switch_bindings.iter().filter(|binding| binding.switch == *switch);
            here.map(|binding| {
                let is_not = binding.in_force.as_ref().filter(|known| known.state == InForceState::No);
                let code = is_not.and_then(InForce::code).map(InForceCode::as_str);
                json!({"vmac_id": vmac.id, "interface": binding.interface, "code": code})
            })
        })
        .collect();
    let sql = "DELETE FROM not_in_force WHERE switch = $2
                   AND vmac_id {in}SELECT CAST(e.value->>'vmac_id' AS BIGINT) FROM {rows}{/in}
                   AND NOT EXISTS (SELECT 1 FROM {rows} WHERE CAST(e.value->>'vmac_id' AS BIGINT) = not_in_force.vmac_id
                       AND e.value->>'interface' = not_in_force.interface AND e.value->>'code' IS NOT NULL)";
    tx.batch("forget what is in force", sql, rows.clone(), args![switch.as_str()]).await?;
    let sql = "INSERT INTO not_in_force (switch, vmac_id, interface, code, found_at)
               SELECT $2, CAST(e.value->>'vmac_id' AS BIGINT), e.value->>'interface', e.value->>'code', $3
               FROM {rows} WHERE e.value->>'code' IS NOT NULL
               ON CONFLICT (switch, vmac_id, interface) DO UPDATE SET code = excluded.code,
                   found_at = CASE WHEN not_in_force.code = excluded.code THEN not_in_force.found_at
                              ELSE excluded.found_at END";
    tx.batch("remember what is not in force", sql, rows, args![switch.as_str(), now]).await.map(|_| ())
}
