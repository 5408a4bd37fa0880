//! Which switch is checked for drift when and by whom, and what a check found.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;
use serde_json::json;

use crate::domain::drift::Drift;
use crate::domain::{BindingState, Desired, DriftMode, Status, SwitchName};
use crate::store::database::clock::millis;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::events::body::drift_row;
use crate::store::events::unpublished::write_events;
use crate::store::parts::Checks;
use crate::store::vmacs::Vmac;
use crate::store::vmacs::lock_vmacs;
use crate::store::work::queue;

/// How often switches are checked.
#[derive(Debug, Clone, Copy)]
pub struct CheckPace {
    /// Time between two checks of what a switch holds.
    pub interval: Duration,
    /// Time between two checks of its commit history; none where it is not read in between.
    pub history_interval: Option<Duration>,
    /// What holds for switches whose inventory does not say.
    pub mode: DriftMode,
}

/// A switch that is due for a check, claimed by this worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckDue {
    /// The switch.
    pub switch: SwitchName,
    /// What it holds is due, not only its history.
    pub whole: bool,
    /// The newest commit that a check saw.
    pub last_commit: Option<String>,
    /// What is done about what is found.
    pub mode: DriftMode,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckEnd {
    /// The switch answered.
    Seen {
        /// Its newest commit.
        commit: Option<String>,
        /// What it holds was checked, not only its history.
        whole: bool,
    },
    /// It did not, or the database did not.
    Failed,
}

/// What a check found, to be recorded.
#[derive(Debug)]
pub struct DriftFindings<'a> {
    /// The switch.
    pub switch: &'a SwitchName,
    /// What drifted.
    pub found: &'a [Drift],
    /// When each row last changed, as read before the check: a row that changed since is left alone.
    pub as_of: &'a HashMap<i64, DateTime<Utc>>,
    /// What is vmacd's is queued to be pushed again.
    pub enforce: bool,
}

const CLAIM_DUE: &str = "UPDATE switches SET history_due_at_ms = $2,
        drift_due_at_ms = CASE WHEN drift_due_at_ms <= $1 THEN $2 ELSE drift_due_at_ms END
    WHERE name {in}SELECT s.name FROM switches s
        WHERE (s.drift_due_at_ms <= $1 OR s.history_due_at_ms <= $1) AND COALESCE(s.drift, $3) <> 'off'
            AND NOT EXISTS (SELECT 1 FROM switch_leases l WHERE l.switch = s.name AND l.failures > 0
                AND l.failure_code <> 'frozen' AND l.next_try_at_ms > $1)
        ORDER BY s.drift_due_at_ms, s.name LIMIT $4 {skip_locked}{/in}
    RETURNING name, drift, drift_due_at_ms, last_commit_seen";

impl Checks<'_> {
    /// Claims at most `limit` switches that are due: no other worker checks them before this check has ended. Switches
    /// that do not answer are passed over until they are retried. Those seen for the first time are spread over the interval.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(self, pace: &CheckPace, limit: i64) -> Result<Vec<CheckDue>, StoreError> {
        let now = self.store.now().await?;
        let now_ms = now.timestamp_millis();
        self.spread_looks(pace, now_ms).await?;
        let until_ms = now_ms + millis(CLAIM);
        let arguments = args![now_ms, until_ms, pace.mode.as_str(), limit];
        let rows = self.store.engine.write("claim switches to check", CLAIM_DUE, arguments).await?;
        rows.iter().map(|row| due(row, until_ms, pace.mode)).collect()
    }

    /// Gives switches that have no time yet, or one that an earlier and slower pace gave them, one within the interval.
    async fn spread_looks(self, pace: &CheckPace, now_ms: i64) -> Result<(), StoreError> {
        let (interval_ms, history) = (millis(pace.interval), pace.history_interval.map(millis));
        let (drift_max_ms, history_max_ms) =
            (now_ms + interval_ms + millis(CLAIM), now_ms + history.unwrap_or(millis(YEAR)) + millis(CLAIM));
        let sql = "SELECT name FROM switches WHERE drift_due_at_ms IS NULL OR drift_due_at_ms > $1
                   OR history_due_at_ms IS NULL OR history_due_at_ms > $2 ORDER BY name";
        let arguments = args![drift_max_ms, history_max_ms];
        let rows = self.store.engine.read("find switches without a time", sql, arguments).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let within = |span_ms: i64| now_ms + rand::rng().random_range(0..=span_ms.max(0));
        let time = |row: &Row| -> Result<serde_json::Value, StoreError> {
            let history_ms = history.map_or(now_ms + millis(YEAR), within);
            Ok(json!({"name": row.get::<String>("name")?, "due": within(interval_ms), "history": history_ms}))
        };
        let times = rows.iter().map(time).collect::<Result<Vec<_>, _>>()?;
        let sql = "UPDATE switches SET drift_due_at_ms = CAST(e.value->>'due' AS BIGINT),
                       history_due_at_ms = CAST(e.value->>'history' AS BIGINT)
                   FROM {rows} WHERE name = e.value->>'name'
                       AND (drift_due_at_ms IS NULL OR drift_due_at_ms > $2
                           OR history_due_at_ms IS NULL OR history_due_at_ms > $3)";
        let arguments =
            vec![crate::store::database::engine::batch_arg(times), drift_max_ms.into(), history_max_ms.into()];
        self.store.engine.write("spread the checks of switches", sql, arguments).await.map(|_| ())
    }

    /// Ends a claimed check and schedules the next one.
    ///
    /// # Errors
    /// When the database fails; the claim then runs out by itself.
    pub async fn end(self, due: &CheckDue, pace: &CheckPace, end: CheckEnd) -> Result<(), StoreError> {
        let now = self.store.now().await?;
        let at_ms = |after: Duration| now.timestamp_millis() + millis(after);
        let (drift_ms, commit, seen_at) = match end {
            CheckEnd::Seen { commit, whole: true } => (Some(at_ms(pace.interval)), commit, Some(now)),
            CheckEnd::Seen { commit, whole: false } => (None, commit, None),
            CheckEnd::Failed => (due.whole.then(|| at_ms(pace.interval / SOONER)), None, None),
        };
        let sql = "UPDATE switches SET drift_due_at_ms = COALESCE($2, drift_due_at_ms), history_due_at_ms = $3,
                       last_commit_seen = COALESCE($4, last_commit_seen), drift_seen_at = COALESCE($5, drift_seen_at)
                   WHERE name = $1";
        let history_ms = at_ms(pace.history_interval.unwrap_or(YEAR));
        let arguments = args![due.switch.as_str(), drift_ms, history_ms, commit, seen_at];
        self.store.engine.write("end a check", sql, arguments).await.map(|_| ())
    }

    /// Records what a check found: an event for what is new; what is to be pushed again is queued. Drift that is known is
    /// remembered, so that it is reported once. Returns what is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_drift(self, findings: &DriftFindings<'_>) -> Result<Vec<Drift>, StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("record a drift check").await?;
        lock(&mut tx, findings.switch).await?;
        let known = standing(&mut tx, findings.switch).await?;
        if findings.found.is_empty() && known.is_empty() {
            return Ok(Vec::new());
        }
        let ids = findings.found.iter().map(|drift| json!({"id": drift.vmac_id})).collect();
        let vmacs = lock_vmacs(&mut tx, ids).await?;
        let found: Vec<&Drift> = findings.found.iter().filter(|drift| is_as_it_was(drift, &vmacs, findings)).collect();
        let is_mended = |drift: &Drift| findings.enforce && drift.kind.is_mendable();
        let new =
            |drift: &&&Drift| known.get(&key(drift)) != Some(&(drift.kind.as_str().to_owned(), drift.text.clone()));
        let new: Vec<Drift> = found.iter().filter(new).map(|drift| (*drift).clone()).collect();
        let stand: Vec<&Drift> = found.iter().copied().filter(|drift| !is_mended(drift)).collect();
        remember(&mut tx, findings.switch, &stand, now).await?;
        let event = |drift: &Drift| {
            let done = if is_mended(drift) { "queued to be pushed again" } else { "left as it is" };
            let text = format!("{}: {}; {done}", findings.switch, drift.text);
            drift_row(&vmacs[&drift.vmac_id], drift.kind, text, now)
        };
        write_events(&mut tx, new.iter().map(event).collect(), now).await?;
        let mended =
            vmacs.values().filter(|vmac| found.iter().any(|drift| drift.vmac_id == vmac.id && is_mended(drift)));
        queue(&mut tx, findings.switch, mended.cloned().collect(), now).await?;
        tx.commit("record a drift check").await?;
        Ok(new)
    }
}

/// Time after which another worker may repeat a check that did not end; its requests have limits that are shorter together.
const CLAIM: Duration = Duration::from_secs(600);
/// A check that failed is repeated after this part of the interval.
const SOONER: u32 = 10;
/// Never: without a pace for histories only what a switch holds is checked.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn due(row: &Row, until_ms: i64, default: DriftMode) -> Result<CheckDue, StoreError> {
    let mode = crate::store::inventory::enum_from_text(row, "drift")?.unwrap_or(default);
    let whole = row.get::<i64>("drift_due_at_ms")? == until_ms;
    Ok(CheckDue { switch: row.parse("name")?, whole, last_commit: row.get("last_commit_seen")?, mode })
}

type Key = (i64, String);

fn key(drift: &Drift) -> Key {
    (drift.vmac_id, drift.interface.to_string())
}

/// One findings at a time for a switch: what another one found is known to the next.
async fn lock(tx: &mut Tx, switch: &SwitchName) -> Result<(), StoreError> {
    let sql = "SELECT name FROM switches WHERE name = $1 {for_update}";
    tx.run("lock a switch", sql, args![switch.as_str()]).await.map(|_| ())
}

/// Drift that was found before and is still there, with its kind and its text.
async fn standing(tx: &mut Tx, switch: &SwitchName) -> Result<HashMap<Key, (String, String)>, StoreError> {
    let sql = "SELECT vmac_id, interface, kind, detail FROM drift WHERE switch = $1";
    let rows = tx.run("read what has drifted", sql, args![switch.as_str()]).await?;
    let entry = |row: &Row| Ok(((row.get("vmac_id")?, row.get("interface")?), (row.get("kind")?, row.get("detail")?)));
    rows.iter().map(entry).collect()
}

/// Whether the row is as it was read before the check, and still says that the binding is there.
fn is_as_it_was(drift: &Drift, vmacs: &HashMap<i64, Vmac>, findings: &DriftFindings<'_>) -> bool {
    vmacs.get(&drift.vmac_id).is_some_and(|vmac| {
        let bound = |binding: &crate::domain::SwitchBinding| {
            binding.switch == *findings.switch
                && binding.interface.same_interface(&drift.interface)
                && binding.state == BindingState::Bound
        };
        vmac.status == Status::Active
            && vmac.desired == Desired::Bound
            && findings.as_of.get(&vmac.id) == Some(&vmac.updated_at)
            && vmac.switch_bindings.iter().any(bound)
    })
}

/// Replaces the known drift by what was found now; what is the same keeps its time.
async fn remember(tx: &mut Tx, switch: &SwitchName, stand: &[&Drift], now: DateTime<Utc>) -> Result<(), StoreError> {
    let rows = |stand: &[&Drift]| {
        let row = |drift: &&Drift| json!({"vmac_id": drift.vmac_id, "interface": drift.interface, "kind": drift.kind.as_str(), "detail": drift.text});
        stand.iter().map(row).collect::<Vec<_>>()
    };
    let sql = "DELETE FROM drift WHERE switch = $2 AND NOT EXISTS (SELECT 1 FROM {rows}
                   WHERE CAST(e.value->>'vmac_id' AS BIGINT) = drift.vmac_id AND e.value->>'interface' = drift.interface)";
    let arguments = vec![crate::store::database::engine::batch_arg(rows(stand)), switch.as_str().into()];
    tx.run("forget what has gone", sql, arguments).await?;
    let sql = "INSERT INTO drift (switch, vmac_id, interface, kind, detail, found_at)
               SELECT $2, CAST(e.value->>'vmac_id' AS BIGINT), e.value->>'interface', e.value->>'kind',
                   e.value->>'detail', $3 FROM {rows} WHERE true
               ON CONFLICT (switch, vmac_id, interface) DO UPDATE SET kind = excluded.kind, detail = excluded.detail,
                   found_at = CASE WHEN drift.kind = excluded.kind AND drift.detail = excluded.detail
                              THEN drift.found_at ELSE excluded.found_at END";
    tx.batch("remember what has drifted", sql, rows(stand), args![switch.as_str(), now]).await.map(|_| ())
}
