//! A switch that could not be brought to what its rows want, by no fault of theirs: it is recorded once, on the
//! switch, with the time of the next try. The rows say why they wait; each is touched once for a reason, not at each try.
//!
//! How long a row has waited is counted on the switch's own clock of trouble, `failing_ms`, which advances only between
//! tries: neither a clock that jumps nor a time without any try makes a row give up.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::RecordedPush;
use super::finish::Finished;
use super::row_after_push::failed;
use crate::domain::{Code, Failure};
use crate::store::commands::row::open_commands_of;
use crate::store::database::clock::millis;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::events::body::waiting_row;
use crate::store::events::unpublished::write_events;
use crate::store::parts::Pushes;
use crate::store::vmacs::lock_vmacs;
use crate::store::work::leases::{HELD, Lease};

/// A gap between two tries that is longer than planned counts for this much more at most, milliseconds.
const LATE_MAX_MS: i64 = 60_000;

/// Time after which a switch is retried whose site had as many commits in the last minute as it may have.
const LIMITED: Duration = Duration::from_secs(5);

/// When the last freeze ends that the switch's site has now.
async fn frozen_until(tx: &mut Tx, lease: &Lease, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let sql = "SELECT f.until FROM freezes f WHERE f.until > $2 AND f.site IN
                   ('*', COALESCE((SELECT s.site FROM switches s WHERE s.name = $1), '-'))
               ORDER BY f.until DESC LIMIT 1";
    let rows = tx.run("read when a freeze ends", sql, args![lease.switch.as_str(), now]).await?;
    rows.first().map(|row| row.get("until")).transpose()
}

/// The switch's trouble until now.
struct TroubleSoFar {
    failures: i64,
    failing_ms: i64,
    failing_since_ms: i64,
}

impl Pushes<'_> {
    /// Records the trouble, gives the lease back until the next try, and gives up what has waited too long.
    pub(super) async fn write_trouble(
        self,
        tx: &mut Tx,
        lease: &Lease,
        failure: &Failure,
        now: DateTime<Utc>,
    ) -> Result<Vec<Finished>, StoreError> {
        let so_far = so_far(tx, lease, now).await?;
        record_reason(tx, lease, failure, so_far.failing_ms, now).await?;
        let ended = self.give_up(tx, lease, failure, &so_far, now).await?;
        let told_before_ms = now.timestamp_millis() - millis(self.store.retry.tell_after);
        if so_far.failing_since_ms <= told_before_ms {
            notify_producers(tx, lease, failure, told_before_ms, now).await?;
        }
        let next_try_ms = now.timestamp_millis() + millis(self.next_try(tx, lease, failure, &so_far, now).await?);
        let sql = format!(
            "UPDATE switch_leases SET expires_at_ms = 0, token = token + 1, failures = $4, failing_ms = $5,
                 failing_since_ms = $6, tried_at_ms = $7, next_try_at_ms = $8, failure_code = $9, failure_text = $10
             WHERE {HELD} RETURNING token"
        );
        let arguments = lease.args(args![
            so_far.failures,
            so_far.failing_ms,
            so_far.failing_since_ms,
            now.timestamp_millis(),
            next_try_ms,
            failure.code.as_str(),
            failure.text.as_str()
        ]);
        match tx.run("record a switch's problem", &sql, arguments).await?.is_empty() {
            true => Err(lease.lost()),
            false => Ok(ended),
        }
    }

    /// How long from now the switch is retried: a freeze has an end, and a site's commits are counted by the minute.
    async fn next_try(
        self,
        tx: &mut Tx,
        lease: &Lease,
        failure: &Failure,
        so_far: &TroubleSoFar,
        now: DateTime<Utc>,
    ) -> Result<Duration, StoreError> {
        let (min, max) = (self.store.retry.delay_min, self.store.retry.delay_max);
        match failure.code {
            Code::Frozen => {
                let left = frozen_until(tx, lease, now).await?.and_then(|until| (until - now).to_std().ok());
                Ok(left.unwrap_or(min).clamp(min, max))
            }
            Code::SiteLimit => Ok(LIMITED.clamp(min, max)),
            code => Ok(self.store.retry.switch_delay(code, so_far.failures)),
        }
    }

    /// Rows that have waited for the switch for too long fail, and with them the commands that wait for them.
    async fn give_up(
        self,
        tx: &mut Tx,
        lease: &Lease,
        failure: &Failure,
        so_far: &TroubleSoFar,
        now: DateTime<Utc>,
    ) -> Result<Vec<Finished>, StoreError> {
        let in_trouble = Duration::from_millis(so_far.failing_ms.unsigned_abs());
        let Some(over) = self.store.retry.end_of_waiting(failure, in_trouble) else { return Ok(Vec::new()) };
        let sql = "SELECT vmac_id, failing_from_ms FROM switch_work WHERE switch = $1 AND failing_from_ms <= $2";
        let from_ms = so_far.failing_ms - millis(self.store.retry.age_max);
        let rows = tx.run("find what waited too long", sql, args![lease.switch.as_str(), from_ms]).await?;
        let ids = rows.iter().map(|row| Ok(json!({"id": row.get::<i64>("vmac_id")?})));
        let ids = ids.collect::<Result<Vec<_>, StoreError>>()?;
        let vmacs = lock_vmacs(tx, ids).await?;
        let changes: Vec<_> =
            vmacs.into_values().map(|vmac| failed(vmac, &over, lease, so_far.failures, now)).collect();
        let RecordedPush { finished, .. } = self.write_changes(tx, &changes, lease, (&[], None), now).await?;
        Ok(finished)
    }
}

/// The switch's trouble until now, this failure included.
async fn so_far(tx: &mut Tx, lease: &Lease, now: DateTime<Utc>) -> Result<TroubleSoFar, StoreError> {
    let sql = format!(
        "SELECT failures, failing_ms, failing_since_ms, tried_at_ms, next_try_at_ms, failure_code
         FROM switch_leases WHERE {HELD}"
    );
    let rows = tx.run("read a switch's problem", &sql, lease.args(Vec::new())).await?;
    let row = rows.first().ok_or_else(|| lease.lost())?;
    let now_ms = now.timestamp_millis();
    let code: Option<String> = row.get("failure_code")?;
    let aged = code.as_deref().and_then(Code::from_text).is_some_and(Code::ages);
    let since_last_ms = match row.get::<Option<i64>>("tried_at_ms")? {
        Some(tried_ms) if aged => {
            let planned_ms = (row.get::<i64>("next_try_at_ms")? - tried_ms).max(0);
            (now_ms - tried_ms).clamp(0, planned_ms + LATE_MAX_MS)
        }
        _ => 0,
    };
    Ok(TroubleSoFar {
        failures: row.get::<i64>("failures")? + 1,
        failing_ms: row.get::<i64>("failing_ms")? + since_last_ms,
        failing_since_ms: row.get::<Option<i64>>("failing_since_ms")?.unwrap_or(now_ms),
    })
}

/// Records on the rows that wait for the switch why they wait, unless it is there already.
async fn record_reason(
    tx: &mut Tx,
    lease: &Lease,
    failure: &Failure,
    failing_ms: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (switch, code, text) = (lease.switch.as_str(), failure.code.as_str(), failure.text.as_str());
    let sql = "SELECT v.id FROM virtual_macs v
               WHERE v.id {in}SELECT w.vmac_id FROM switch_work w
                   WHERE w.switch = $1 AND COALESCE(w.reason_code, '') <> $2{/in}
               ORDER BY v.id {for_update}";
    let rows = tx.run("lock rows that wait", sql, args![switch, code]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let ids = rows.iter().map(|row| Ok(json!({"id": row.get::<i64>("id")?})));
    let ids = ids.collect::<Result<Vec<_>, StoreError>>()?;
    let sql = "UPDATE virtual_macs SET failure_code = $2, failure_text = $3, updated_at = $4
               WHERE status <> 'failed' AND id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    tx.batch("record why rows wait", sql, ids.clone(), args![code, text, now]).await?;
    let sql = "UPDATE switch_work SET reason_code = $3, reason_text = $4,
                   first_failed_at_ms = COALESCE(first_failed_at_ms, $5), failing_from_ms = COALESCE(failing_from_ms, $6)
               WHERE switch = $2 AND vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    let arguments = args![switch, code, text, now.timestamp_millis(), failing_ms];
    tx.batch("record why changes wait", sql, ids, arguments).await.map(|_| ())
}

/// Notifies the producers of what has waited for a while, once each.
async fn notify_producers(
    tx: &mut Tx,
    lease: &Lease,
    failure: &Failure,
    told_before_ms: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "UPDATE switch_work SET told_at_ms = $2
               WHERE switch = $1 AND told_at_ms IS NULL AND queued_at_ms <= $3 AND first_failed_at_ms IS NOT NULL
               RETURNING vmac_id, first_failed_at_ms";
    let arguments = args![lease.switch.as_str(), now.timestamp_millis(), told_before_ms];
    let rows = tx.run("record that producers were told", sql, arguments).await?;
    let mut since = BTreeMap::new();
    for row in &rows {
        let since_ms: i64 = row.get("first_failed_at_ms")?;
        since.insert(row.get::<i64>("vmac_id")?, DateTime::from_timestamp_millis(since_ms).unwrap_or(now));
    }
    let vmacs = lock_vmacs(tx, since.keys().map(|id| json!({"id": id})).collect()).await?;
    let commands = open_commands_of(tx, since.keys().copied()).await?;
    let events = commands.iter().filter_map(|command| {
        let vmac = vmacs.get(&command.vmac_id?)?;
        Some(waiting_row(vmac, failure, *since.get(&vmac.id)?, command.answered(), now))
    });
    write_events(tx, events.collect(), now).await
}
