//! Who looks at which switch when, and what such a look found.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;
use serde_json::json;

use crate::domain::drift::Drift;
use crate::domain::{BindingState, Desired, DriftMode, Status, SwitchName};
use crate::store::commands::lock_vmacs;
use crate::store::connect::Store;
use crate::store::database::clock::millis;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::events::body::drift_row;
use crate::store::events::outbox::write_events;
use crate::store::vmacs::Vmac;
use crate::store::work::queue;

/// How often switches are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Time between two looks at what a switch holds.
    pub interval: Duration,
    /// Time between two looks at its commit history; none where that is not looked at in between.
    pub history_interval: Option<Duration>,
    /// What holds for switches whose inventory does not say.
    pub mode: DriftMode,
}

/// A switch that is to be looked at now, by whoever claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookDue {
    /// The switch.
    pub switch: SwitchName,
    /// What it holds is due, not only its history.
    pub whole: bool,
    /// The newest commit that a look saw.
    pub last_commit: Option<String>,
    /// What is done about what is found.
    pub mode: DriftMode,
}

/// How a look ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookEnd {
    /// The switch answered.
    Seen {
        /// Its newest commit.
        commit: Option<String>,
        /// What it holds was looked at, not only its history.
        whole: bool,
    },
    /// It did not, or the database did not.
    Failed,
}

/// What a look found, to be written down.
#[derive(Debug)]
pub struct Settlement<'a> {
    /// The switch.
    pub switch: &'a SwitchName,
    /// What drifted.
    pub found: &'a [Drift],
    /// When each row last changed, as read before the look: a row that changed since is left alone.
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

impl Store {
    /// Claims switches whose look is due, at most so many: no other worker looks at them before it has ended. Switches
    /// that do not answer are passed over until they are tried again. Those seen for the first time are spread over the interval.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_looks(&self, pace: &Pace, limit: i64) -> Result<Vec<LookDue>, StoreError> {
        let now = self.now().await?;
        let now_ms = now.timestamp_millis();
        self.spread_looks(pace, now_ms).await?;
        let until_ms = now_ms + millis(CLAIM);
        let arguments = args![now_ms, until_ms, pace.mode.as_str(), limit];
        let rows = self.engine.write("claim switches to check", CLAIM_DUE, arguments).await?;
        rows.iter().map(|row| due(row, until_ms, pace.mode)).collect()
    }

    /// Gives switches that have no time yet, or one that an earlier and slower pace gave them, one within the interval.
    async fn spread_looks(&self, pace: &Pace, now_ms: i64) -> Result<(), StoreError> {
        let (interval_ms, history) = (millis(pace.interval), pace.history_interval.map(millis));
        let (drift_max_ms, history_max_ms) =
            (now_ms + interval_ms + millis(CLAIM), now_ms + history.unwrap_or(millis(YEAR)) + millis(CLAIM));
        let sql = "SELECT name FROM switches WHERE drift_due_at_ms IS NULL OR drift_due_at_ms > $1
                   OR history_due_at_ms IS NULL OR history_due_at_ms > $2 ORDER BY name";
        let arguments = args![drift_max_ms, history_max_ms];
        let rows = self.engine.read("find switches without a time", sql, arguments).await?;
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
        self.engine.write("spread the checks of switches", sql, arguments).await.map(|_| ())
    }

    /// Ends a look that was claimed: the next one has its time.
    ///
    /// # Errors
    /// When the database fails; the claim then runs out by itself.
    pub async fn end_look(&self, due: &LookDue, pace: &Pace, end: LookEnd) -> Result<(), StoreError> {
        let now = self.now().await?;
        let at_ms = |after: Duration| now.timestamp_millis() + millis(after);
        let (drift_ms, commit, seen_at) = match end {
            LookEnd::Seen { commit, whole: true } => (Some(at_ms(pace.interval)), commit, Some(now)),
            LookEnd::Seen { commit, whole: false } => (None, commit, None),
            LookEnd::Failed => (due.whole.then(|| at_ms(pace.interval / SOONER)), None, None),
        };
        let sql = "UPDATE switches SET drift_due_at_ms = COALESCE($2, drift_due_at_ms), history_due_at_ms = $3,
                       last_commit_seen = COALESCE($4, last_commit_seen), drift_seen_at = COALESCE($5, drift_seen_at)
                   WHERE name = $1";
        let history_ms = at_ms(pace.history_interval.unwrap_or(YEAR));
        let arguments = args![due.switch.as_str(), drift_ms, history_ms, commit, seen_at];
        self.engine.write("end a check", sql, arguments).await.map(|_| ())
    }

    /// Writes what a look found: an event for what is new, and what is to be pushed again is queued. What stands is
    /// remembered, so that it is told once. Answers with what is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle_drift(&self, settlement: &Settlement<'_>) -> Result<Vec<Drift>, StoreError> {
        let now = self.now().await?;
        let mut tx = self.begin("record a drift check").await?;
        lock(&mut tx, settlement.switch).await?;
        let known = standing(&mut tx, settlement.switch).await?;
        if settlement.found.is_empty() && known.is_empty() {
            return Ok(Vec::new());
        }
        let ids = settlement.found.iter().map(|drift| json!({"id": drift.vmac_id})).collect();
        let vmacs = lock_vmacs(&mut tx, ids).await?;
        let found: Vec<&Drift> =
            settlement.found.iter().filter(|drift| is_as_it_was(drift, &vmacs, settlement)).collect();
        let is_mended = |drift: &Drift| settlement.enforce && drift.kind.is_mendable();
        let new =
            |drift: &&&Drift| known.get(&key(drift)) != Some(&(drift.kind.as_str().to_owned(), drift.text.clone()));
        let new: Vec<Drift> = found.iter().filter(new).map(|drift| (*drift).clone()).collect();
        let stand: Vec<&Drift> = found.iter().copied().filter(|drift| !is_mended(drift)).collect();
        remember(&mut tx, settlement.switch, &stand, now).await?;
        let event = |drift: &Drift| {
            let done = if is_mended(drift) { "queued to be pushed again" } else { "left as it is" };
            let text = format!("{}: {}; {done}", settlement.switch, drift.text);
            drift_row(&vmacs[&drift.vmac_id], drift.kind, text, now)
        };
        write_events(&mut tx, new.iter().map(event).collect(), now).await?;
        let mended =
            vmacs.values().filter(|vmac| found.iter().any(|drift| drift.vmac_id == vmac.id && is_mended(drift)));
        queue(&mut tx, settlement.switch, mended.cloned().collect(), now).await?;
        tx.commit("record a drift check").await?;
        Ok(new)
    }
}

/// Time after which a look that did not end is another worker's; its requests have limits that are shorter together.
const CLAIM: Duration = Duration::from_secs(600);
/// A look that failed is made again after this part of the interval.
const SOONER: u32 = 10;
/// Never: without a pace for histories only what a switch holds is looked at.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn due(row: &Row, until_ms: i64, default: DriftMode) -> Result<LookDue, StoreError> {
    let mode = crate::store::inventory::of_word(row, "drift")?.unwrap_or(default);
    let whole = row.get::<i64>("drift_due_at_ms")? == until_ms;
    Ok(LookDue { switch: row.parse("name")?, whole, last_commit: row.get("last_commit_seen")?, mode })
}

type Key = (i64, String);

fn key(drift: &Drift) -> Key {
    (drift.vmac_id, drift.interface.to_string())
}

/// One settlement at a time for a switch: what another one found is known to the next.
async fn lock(tx: &mut Tx, switch: &SwitchName) -> Result<(), StoreError> {
    let sql = "SELECT name FROM switches WHERE name = $1 {for_update}";
    tx.run("lock a switch", sql, args![switch.as_str()]).await.map(|_| ())
}

/// What was found before and stands, with its kind and its text.
async fn standing(tx: &mut Tx, switch: &SwitchName) -> Result<HashMap<Key, (String, String)>, StoreError> {
    let sql = "SELECT vmac_id, interface, kind, detail FROM drift WHERE switch = $1";
    let rows = tx.run("read what has drifted", sql, args![switch.as_str()]).await?;
    let entry = |row: &Row| Ok(((row.get("vmac_id")?, row.get("interface")?), (row.get("kind")?, row.get("detail")?)));
    rows.iter().map(entry).collect()
}

/// Whether the row is as it was read before the look, and still says that the binding stands.
fn is_as_it_was(drift: &Drift, vmacs: &HashMap<i64, Vmac>, settlement: &Settlement<'_>) -> bool {
    vmacs.get(&drift.vmac_id).is_some_and(|vmac| {
        let bound = |binding: &crate::domain::SwitchBinding| {
            binding.switch == *settlement.switch
                && binding.interface.same_interface(&drift.interface)
                && binding.state == BindingState::Bound
        };
        vmac.status == Status::Active
            && vmac.desired == Desired::Bound
            && settlement.as_of.get(&vmac.id) == Some(&vmac.updated_at)
            && vmac.switch_bindings.iter().any(bound)
    })
}

/// What stands now takes the place of what stood; what is the same keeps its time.
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
