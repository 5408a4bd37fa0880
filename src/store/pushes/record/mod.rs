//! Records the results of a push in one transaction: the journal's ends, bindings, status, outcomes of commands, dead
//! letters, events, what is retried and when, and the lease, given back where nothing more is due.
//!
//! `change` is pure: it puts the results for a row into it. `finish` ends commands, `trouble` records that the switch
//! could not be brought to what its rows want. Locks are taken in one order by everybody: rows, commands, the lease; the
//! lease's statement is the last one, and where the lease is lost everything before it is rolled back.

mod finish;
mod row_after_push;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::plan::WishResult;
use crate::domain::{Failure, FailureClass, SwitchName, speaks_against_site};
use crate::store::commands::close::{bury_failed, close_statement, events_of, have_waiting_tried};
use crate::store::commands::row::open_commands_of;
use crate::store::database::clash::again_on_clash;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::{Statement, Tx};
use crate::store::events::unpublished::write_events;
use crate::store::parts::Pushes;
use crate::store::pushes::PushState;
use crate::store::pushes::open_and_send::{note_failed, write_ends};
use crate::store::vmacs::lock_vmacs;
use crate::store::vmacs::{UPDATE_VMACS, Vmac};
use crate::store::work::leases::{Lease, release_or_keep};
use crate::store::work::{QueuedWork, queue_work};
pub use finish::Finished;
pub use row_after_push::GatheredRow;
use row_after_push::{RowAfterPush, change};

/// The results of a push.
#[derive(Debug, Default)]
pub struct PushResults<'a> {
    /// How pushes in the journal ended.
    pub ends: &'a [(String, PushState)],
    /// The rows that it was to bring to what they want.
    pub gathered: HashMap<i64, GatheredRow>,
    /// What became of their ports.
    pub results: &'a [WishResult],
    /// Why nothing else could be done.
    pub whole: Option<&'a Failure>,
    /// For how long the lease is renewed where it is kept.
    pub keep_for: Duration,
}

/// What was recorded.
#[derive(Debug, Clone, Default)]
pub struct RecordedPush {
    /// Commands that have an outcome now.
    pub finished: Vec<Finished>,
    /// Other switches whose turn it is now.
    pub due: Vec<SwitchName>,
    /// More is due on this switch: the lease is kept for it. Otherwise it was given back.
    pub lease_kept: bool,
    /// Commits under this lease were rolled back, or their switch was lost, and that is new.
    pub failed_pushes: bool,
}

impl Pushes<'_> {
    /// Records the results of a push, if the lease is still held.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], and then nothing was written; or when the database fails.
    pub async fn record(self, lease: &Lease, results: &PushResults<'_>) -> Result<RecordedPush, StoreError> {
        again_on_clash!(self.record_once(lease, results))
    }

    async fn record_once(self, lease: &Lease, results: &PushResults<'_>) -> Result<RecordedPush, StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("record a push's results").await?;
        let trouble = results.whole.filter(|failure| failure.class() == FailureClass::Deferred);
        let mut changes = self.changes(&mut tx, lease, results, now).await?;
        if let (Some(failure), None) = (results.whole, trouble) {
            changes.extend(self.fail_the_rest(&mut tx, lease, failure, &changes, now).await?);
        }
        let mut recorded = self.write_changes(&mut tx, &changes, lease, (results.ends, why(results)), now).await?;
        recorded.failed_pushes = speaks_against(results) && note_failed(&mut tx, lease, why(results), now).await?;
        match trouble {
            Some(failure) => recorded.finished.extend(self.write_trouble(&mut tx, lease, failure, now).await?),
            None => {
                let now_ms = now.timestamp_millis();
                recorded.lease_kept =
                    release_or_keep(&mut tx, lease, now_ms, self.store.latest_ms(now_ms), results.keep_for).await?;
            }
        }
        tx.commit("record a push's results").await?;
        Ok(recorded)
    }

    /// The rows of the push, locked, with their results in them. Rows without one are left out unless nothing is to be
    /// done for them.
    async fn changes(
        self,
        tx: &mut Tx,
        lease: &Lease,
        results: &PushResults<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<RowAfterPush>, StoreError> {
        let mut of_row: BTreeMap<i64, Vec<&WishResult>> = BTreeMap::new();
        if results.whole.is_none() {
            results.gathered.keys().for_each(|id| _ = of_row.entry(*id).or_default());
        }
        results.results.iter().for_each(|result| of_row.entry(result.wish.vmac_id).or_default().push(result));
        let vmacs = lock_vmacs(tx, of_row.keys().map(|id| json!({"id": id})).collect()).await?;
        let of = |(id, results_of): (i64, Vec<&WishResult>)| {
            let gathered = results.gathered.get(&id).copied();
            Some(change(vmacs.get(&id)?.clone(), gathered, &results_of, lease, &self.store.retry, now))
        };
        Ok(of_row.into_iter().filter_map(of).collect())
    }

    /// Every row that still waits for the switch shares a permanent failure.
    async fn fail_the_rest(
        self,
        tx: &mut Tx,
        lease: &Lease,
        failure: &Failure,
        known: &[RowAfterPush],
        now: DateTime<Utc>,
    ) -> Result<Vec<RowAfterPush>, StoreError> {
        let known: BTreeSet<i64> = known.iter().map(|change| change.vmac.id).collect();
        let sql = "SELECT vmac_id FROM switch_work WHERE switch = $1 ORDER BY vmac_id";
        let rows = tx.run("read what waits for a switch", sql, args![lease.switch.as_str()]).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.get("vmac_id")).collect::<Result<_, _>>()?;
        let rest = ids.iter().filter(|id| !known.contains(id)).map(|id| json!({"id": id})).collect();
        let vmacs = lock_vmacs(tx, rest).await?;
        Ok(vmacs.into_values().map(|vmac| row_after_push::failed(vmac, failure, lease, 1, now)).collect())
    }

    /// Writes the journal's ends, rows, their work, and the outcomes of the commands that drove them.
    async fn write_changes(
        self,
        tx: &mut Tx,
        changes: &[RowAfterPush],
        lease: &Lease,
        (ends, why): (&[(String, PushState)], Option<&str>),
        now: DateTime<Utc>,
    ) -> Result<RecordedPush, StoreError> {
        let changed: Vec<&Vmac> =
            changes.iter().filter(|change| change.is_changed).map(|change| &change.vmac).collect();
        let ending = finish::may_end(changes);
        let commands = open_commands_of(tx, ending.keys().copied()).await?;
        let closings = finish::closings(&commands, &ending, lease);
        let letters = bury_failed(tx, &closings, now).await?;
        let statements = [
            write_ends(lease, ends, why, now),
            Statement::batch(UPDATE_VMACS, changed, args![now]),
            drop_work(changes, lease),
            try_again(changes, lease, now),
            close_statement(&closings, now),
        ];
        tx.together("write a push's results", statements).await?;
        let events = events_of(&closings, &letters, now).chain(finish::events_without_command(&ending, &closings, now));
        write_events(tx, events.collect(), now).await?;
        have_waiting_tried(tx, finish::released(&ending).into_iter(), now).await?;
        let due = queue_due(tx, changes, lease, now).await?;
        let finished = closings.iter().map(|closing| finish::finished(closing, now)).collect();
        Ok(RecordedPush { finished, due, ..RecordedPush::default() })
    }
}

/// What went wrong: with the push, else with its changes.
fn failures<'a>(results: &'a PushResults<'a>) -> impl Iterator<Item = &'a Failure> {
    results.whole.into_iter().chain(results.results.iter().filter_map(|result| result.end.as_ref().err()))
}

fn why<'a>(results: &'a PushResults<'a>) -> Option<&'a str> {
    failures(results).next().map(|failure| failure.text.as_str())
}

fn speaks_against(results: &PushResults<'_>) -> bool {
    failures(results).any(speaks_against_site)
}

fn drop_work(changes: &[RowAfterPush], lease: &Lease) -> Option<Statement> {
    let done = changes.iter().filter(|change| change.done_here).map(|change| json!({"id": change.vmac.id})).collect();
    let sql = "DELETE FROM switch_work WHERE switch = $2
               AND vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    Statement::batch(sql, done, args![lease.switch.as_str()])
}

/// Notes when the rows that failed by their own fault are retried.
fn try_again(changes: &[RowAfterPush], lease: &Lease, now: DateTime<Utc>) -> Option<Statement> {
    let again = changes.iter().filter_map(|change| {
        let (retry, failure) = (change.retry.as_ref()?, change.failure.as_ref()?);
        Some(json!({"id": change.vmac.id, "attempts": retry.attempts, "due_at_ms": retry.due_at_ms,
            "code": failure.code, "text": failure.text}))
    });
    let sql = "UPDATE switch_work SET attempts = CAST(e.value->>'attempts' AS BIGINT),
                   due_at_ms = CAST(e.value->>'due_at_ms' AS BIGINT), reason_code = e.value->>'code',
                   reason_text = e.value->>'text', first_failed_at_ms = COALESCE(first_failed_at_ms, $3)
               FROM {rows} WHERE switch_work.switch = $2
                   AND switch_work.vmac_id = CAST(e.value->>'id' AS BIGINT)
                   AND switch_work.vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    let arguments = args![lease.switch.as_str(), now.timestamp_millis()];
    Statement::batch(sql, again.collect(), arguments)
}

/// Queues what waited for these results: ports that are left once the address is bound elsewhere.
async fn queue_due(
    tx: &mut Tx,
    changes: &[RowAfterPush],
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Vec<SwitchName>, StoreError> {
    let moving =
        changes.iter().map(|change| &change.vmac).filter(|vmac| vmac.switch_bindings.iter().any(|p| p.leaving));
    let due = moving.flat_map(|vmac| vmac.switches_due().into_iter().map(move |switch| (switch, vmac.id)));
    let due: BTreeSet<_> = due.filter(|(switch, _)| *switch != lease.switch).collect();
    let work = due.iter().map(|(switch, id)| QueuedWork { switch: switch.clone(), vmac_id: *id });
    queue_work(tx, work.collect(), now).await?;
    Ok(due.into_iter().map(|(switch, _)| switch).collect())
}
