//! The journal of one push: what is asked when it is opened, and what is recorded before its commit is sent.
//!
//! Each is one step. The statement that records a push checks in itself that the lease is held and that the site may
//! have a commit, so nothing lies between the check and the write.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::{Code, Failure};
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::{Statement, Tx};
use crate::store::freezes::{FREEZE_COLUMNS, FREEZE_JOIN};
use crate::store::inventory::KnownSwitch;
use crate::store::parts::Pushes;
use crate::store::pushes::{PushRow, PushState};
use crate::store::work::leases::{Lease, TROUBLE_COLUMNS};

/// The time in which a site's commits are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// The commits of the site of the switch `$switch` since `$since`.
const COMMITS_OF_LATE: &str = "(SELECT COUNT(*) FROM pushes c JOIN switches d ON d.name = c.switch
    WHERE c.sent_at > $since
        AND COALESCE(d.site, '-') = (SELECT COALESCE(o.site, '-') FROM switches o WHERE o.name = $switch))";

fn commits_of_late(switch: &str, since: &str) -> String {
    COMMITS_OF_LATE.replace("$switch", switch).replace("$since", since)
}

/// The limits on a site's commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteLimits {
    /// Whether a freeze holds the push back; an operator may push despite one.
    pub heeds_freezes: bool,
    /// Commits that the site may have in a minute, by all workers; 0 for any number.
    pub commits_per_minute_max: i64,
}

/// What is known of a switch when a push to it is opened.
#[derive(Debug, Clone)]
pub struct OpenedPush {
    /// The switch, with its site's freeze.
    pub known: KnownSwitch,
    /// Why nothing may be committed there now.
    pub held_back: Option<Failure>,
    /// Earlier pushes whose end is not known, oldest first.
    pub unresolved: Vec<PushRow>,
}

/// The configuration that is committed before a push.
#[derive(Debug, Clone, Copy)]
pub enum PushBefore<'a> {
    /// The text, byte for byte.
    Text(&'a [u8]),
    /// The hash by which it was kept.
    Stored(&'a str),
}

/// A push whose commit is about to be sent.
#[derive(Debug, Clone)]
pub struct SentPush<'a> {
    /// Its id, which is also in the switch's commit log.
    pub id: &'a str,
    /// What it changes.
    pub plan: Value,
    /// How many changes that is.
    pub changes: i64,
    /// The configuration that is committed until then.
    pub before: PushBefore<'a>,
    /// Its backup, where it was kept for a push just before.
    pub backup_id: Option<i64>,
}

impl Pushes<'_> {
    /// Reads everything that must be known before a push, in one statement.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; [`StoreError::NotFound`] for a switch that the inventory no longer has; or when the
    /// database fails.
    pub async fn open(self, lease: &Lease, limits: SiteLimits) -> Result<OpenedPush, StoreError> {
        let now = self.store.now().await?;
        let sql = format!(
            "SELECT s.*, {FREEZE_COLUMNS}, {TROUBLE_COLUMNS},
                 CASE WHEN $6 > 0 THEN {} ELSE 0 END AS commits, p.id AS push_id, p.plan AS push_plan,
                 p.changes AS push_changes, p.backup_id AS push_backup_id
             FROM switch_leases l LEFT JOIN switches s ON s.name = l.switch {FREEZE_JOIN}
             LEFT JOIN pushes p ON p.switch = l.switch AND p.finished_at IS NULL
             WHERE l.switch = $2 AND l.token = $3 AND l.holder = $4 AND l.expires_at_ms > $5
             ORDER BY p.started_at, p.id",
            commits_of_late("l.switch", "$7")
        );
        let max = limits.commits_per_minute_max;
        let arguments = args![
            now,
            lease.switch.as_str(),
            lease.token,
            lease.holder.as_str(),
            now.timestamp_millis(),
            max,
            now - MINUTE
        ];
        let rows = self.store.engine.read("open a push", &sql, arguments).await?;
        let row = rows.first().ok_or_else(|| lease.lost())?;
        if row.get::<Option<String>>("name")?.is_none() {
            return Err(StoreError::NotFound { what: "switch", id: lease.switch.to_string() });
        }
        let known = KnownSwitch::from_row(row)?;
        let is_full = max > 0 && row.get::<i64>("commits")? >= max;
        let freeze = known.freeze.as_ref().filter(|_| limits.heeds_freezes);
        let frozen = freeze.map(|freeze| freeze.failure(&lease.switch));
        let held_back = frozen.or_else(|| is_full.then(|| site_limit(lease, max)));
        let unresolved: Result<Vec<_>, _> = rows.iter().filter_map(|row| unresolved(row).transpose()).collect();
        Ok(OpenedPush { known, held_back, unresolved: unresolved? })
    }

    /// Keeps the backup and records that the commit is about to be sent, if the lease is held and the site may have
    /// it: one transaction. Returns the backup's number, or why nothing may be committed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or when the database fails; nothing was written then.
    pub async fn record_sent(
        self,
        lease: &Lease,
        push: &SentPush<'_>,
        limits: SiteLimits,
    ) -> Result<Result<i64, Failure>, StoreError> {
        let what = "record that a commit is sent";
        let now = self.store.now().await?;
        let mut tx = self.store.begin(what).await?;
        if limits.commits_per_minute_max > 0 {
            hold_site(&mut tx, lease).await?;
        }
        let backup_id = match (push.backup_id, push.before) {
            (Some(backup_id), _) => backup_id,
            (None, PushBefore::Text(text)) => {
                self.store.backups().keep_backup(&mut tx, &lease.switch, text, push.id, now).await?
            }
            (None, PushBefore::Stored(hash)) => {
                self.store.backups().keep_backup_of(&mut tx, &lease.switch, hash, push.id, now).await?
            }
        };
        if write_sent(&mut tx, lease, push, backup_id, limits, now).await? {
            tx.commit(what).await?;
            return Ok(Ok(backup_id));
        }
        drop(tx);
        // The lease is lost, the site is frozen, or its limit is reached: find out which.
        let opened = self.open(lease, limits).await?;
        Ok(Err(opened.held_back.unwrap_or_else(|| site_limit(lease, limits.commits_per_minute_max))))
    }
}

/// Locks the row of the site's first switch: whoever has it counts the site's commits and sends its own before the next one
/// counts.
async fn hold_site(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    let sql = "SELECT s.name FROM switches s
               WHERE COALESCE(s.site, '-') = (SELECT COALESCE(o.site, '-') FROM switches o WHERE o.name = $1)
               ORDER BY s.name LIMIT 1 {for_update}";
    tx.run("lock a site's commits", sql, args![lease.switch.as_str()]).await.map(|_| ())
}

/// Records the push if it is allowed. The lease's row is held until the transaction ends: whoever takes the lease after it
/// finds the push.
async fn write_sent(
    tx: &mut Tx,
    lease: &Lease,
    push: &SentPush<'_>,
    backup_id: i64,
    limits: SiteLimits,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let sql = format!(
        "INSERT INTO pushes (id, switch, lease_token, worker, state, plan, backup_id, changes, started_at, sent_at)
         SELECT $4, l.switch, l.token, l.holder, $5, $6, $7, $8, $9, $9
         FROM switch_leases l
         WHERE l.switch = $1 AND l.token = $2 AND l.holder = $3 AND l.expires_at_ms > $10
             AND ($11 = 0 OR NOT EXISTS
                 (SELECT 1 FROM freezes f WHERE f.until > $9 AND f.site IN
                     ('*', COALESCE((SELECT s.site FROM switches s WHERE s.name = l.switch), '-'))))
             AND ($12 = 0 OR {} < $12)
         {{for_update}} RETURNING id",
        commits_of_late("l.switch", "$13")
    );
    let arguments = lease.args(args![
        push.id,
        PushState::Sent.as_str(),
        push.plan.clone(),
        backup_id,
        push.changes,
        now,
        now.timestamp_millis(),
        i64::from(limits.heeds_freezes),
        limits.commits_per_minute_max,
        now - MINUTE,
    ]);
    Ok(!tx.run("record a push", &sql, arguments).await?.is_empty())
}

fn unresolved(row: &Row) -> Result<Option<PushRow>, StoreError> {
    let Some(id) = row.get::<Option<String>>("push_id")? else { return Ok(None) };
    let (plan, changes) = (row.json("push_plan")?, row.get("push_changes")?);
    Ok(Some(PushRow { id, plan, changes, backup_id: row.get("push_backup_id")? }))
}

/// The failure of a change whose site has reached its limit of commits.
fn site_limit(lease: &Lease, max: i64) -> Failure {
    let switch = &lease.switch;
    let text = format!("{switch} waits: its site had {max} commits in the last minute, as many as it may have");
    Failure::new(Code::SiteLimit, text)
}

/// Records how pushes to the lease's switch ended, with `why` where they are not on the switch. Its transaction checks the
/// lease.
pub(in crate::store) fn write_ends(
    lease: &Lease,
    ends: &[(String, PushState)],
    why: Option<&str>,
    now: DateTime<Utc>,
) -> Option<Statement> {
    let row = |(id, state): &(String, PushState)| {
        let why = why.filter(|_| *state != PushState::Confirmed);
        json!({"id": id, "state": state.as_str(), "error": why})
    };
    let rows = ends.iter().map(row).collect();
    let sql = "UPDATE pushes SET state = e.value->>'state', error = e.value->>'error', finished_at = $2
               FROM {rows} WHERE pushes.switch = $3 AND pushes.id = e.value->>'id'
                   AND pushes.id {in}SELECT e.value->>'id' FROM {rows}{/in}";
    Statement::batch(sql, rows, args![now, lease.switch.as_str()])
}

/// Notes the pushes made under the lease whose commits were rolled back, or after which the switch was lost. True where
/// there are new ones.
pub(in crate::store) async fn note_failed(
    tx: &mut Tx,
    lease: &Lease,
    why: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let sql = "UPDATE pushes SET failed_at = $4, error = COALESCE(error, $5)
               WHERE switch = $1 AND lease_token = $2 AND worker = $3 AND failed_at IS NULL
                   AND state IN ('sent', 'not_applied')
               RETURNING id";
    Ok(!tx.run("record failed pushes", sql, lease.args(args![now, why.map(str::to_owned)])).await?.is_empty())
}
