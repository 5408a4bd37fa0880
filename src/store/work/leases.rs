//! One lease per switch: a row with a holder, a fencing token that grows for ever, and an expiry; and beside it whether the
//! switch is in trouble, and when it is tried next. The row is made with the switch and never removed.
//!
//! Whoever writes under a lease shows both token and holder. The token alone is not enough: in a database that was
//! restored from a copy the same numbers are handed out again, to other workers. Giving a lease back raises its token, so
//! that nothing said late, or twice, fits the row any more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::domain::{Code, SiteName, SwitchName};
use crate::store::connect::Store;
use crate::store::database::clock::millis;
use crate::store::database::engine::{Arg, Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::Leases;

/// The row of `switch_leases` that a lease is for; its arguments are those of [`Lease::args`].
pub(in crate::store) const HELD: &str = "switch = $1 AND token = $2 AND holder = $3";

/// The right to push to a switch, until it expires or another worker takes it after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The switch.
    pub switch: SwitchName,
    /// The worker.
    pub holder: String,
    /// The fencing token; every write of a push's results must match it, and the holder.
    pub token: i64,
}

/// What became of leases that were to be renewed; those that are in neither list are lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewed {
    /// The switches whose lease was prolonged.
    pub held: Vec<SwitchName>,
    /// Those whose lease is held, and in somebody's hands at the moment: its holder settles a push, or another takes it over.
    pub busy: Vec<SwitchName>,
}

/// The leases of a batch that are held by whom the batch says.
const HELD_OF_BATCH: &str = "SELECT l.switch FROM switch_leases l JOIN {rows} ON l.switch = e.value->>'switch'
        AND l.token = CAST(e.value->>'token' AS BIGINT) AND l.holder = e.value->>'holder'
    WHERE l.switch {in}SELECT e.value->>'switch' FROM {rows}{/in} ORDER BY l.switch";

fn switches(rows: &[Row]) -> Result<Vec<SwitchName>, StoreError> {
    rows.iter().map(|row| row.parse("switch")).collect()
}

/// Why a switch is not brought to what its rows want, and when it is retried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The reason code.
    pub code: Code,
    /// What happened, the last time.
    pub text: String,
    /// Tries in a row that failed.
    pub failures: i64,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is retried.
    pub next_try_at: DateTime<Utc>,
}

impl Lease {
    /// The arguments of a statement with [`HELD`]: `$1` to `$3`, then `more`.
    pub(in crate::store) fn args(&self, mut more: Vec<Arg>) -> Vec<Arg> {
        let mut all = args![self.switch.as_str(), self.token, self.holder.as_str()];
        all.append(&mut more);
        all
    }

    /// What a write under the lease says when the lease is not held any more.
    pub(in crate::store) fn lost(&self) -> StoreError {
        StoreError::LeaseLost { switch: self.switch.to_string() }
    }
}

/// What [`Trouble::from_row`] reads of a row of `switch_leases l`.
pub(in crate::store) const TROUBLE_COLUMNS: &str = "l.failure_code AS trouble_code, l.failure_text AS trouble_text,
    l.failures AS trouble_failures, l.failing_since_ms AS trouble_since_ms, l.next_try_at_ms AS trouble_next_try_at_ms,
    l.seen_at_ms AS seen_at_ms";

impl Trouble {
    /// The trouble of a row with [`TROUBLE_COLUMNS`], where there is any.
    pub(in crate::store) fn from_row(row: &Row) -> Result<Option<Self>, StoreError> {
        let code: Option<String> = row.get("trouble_code")?;
        let Some(code) = code.as_deref().and_then(Code::from_text) else { return Ok(None) };
        let time = |ms: Option<i64>| DateTime::from_timestamp_millis(ms.unwrap_or(0)).unwrap_or_default();
        Ok(Some(Self {
            code,
            text: row.get::<Option<String>>("trouble_text")?.unwrap_or_default(),
            failures: row.get::<Option<i64>>("trouble_failures")?.unwrap_or(0),
            since: time(row.get("trouble_since_ms")?),
            next_try_at: time(row.get("trouble_next_try_at_ms")?),
        }))
    }
}

/// Longer than any lease: one that seems to last longer was written before the clock was set back.
const TTL_MAX: Duration = Duration::from_secs(6 * 3_600);

/// That nobody holds the lease of `l`; `$NOW` and `$BEYOND` are the time, and the time beyond which no lease ends.
const FREE: &str = "(l.expires_at_ms <= $NOW OR l.expires_at_ms > $BEYOND)";

/// That work `w` is due. A time that is further ahead than any delay is one of a clock that has been put back since.
pub(in crate::store) const DUE: &str = "(w.due_at_ms <= $NOW OR w.due_at_ms > $LATEST)";

/// The same for the next try of the switch of `l`.
const TO_BE_TRIED: &str = "(l.next_try_at_ms <= $NOW OR l.next_try_at_ms > $LATEST)";

/// A condition with the arguments that its names stand for.
fn with(sql: &str, arguments: &[(&str, &str)]) -> String {
    arguments.iter().fold(sql.to_owned(), |sql, (name, argument)| sql.replace(name, argument))
}

/// That the switch of a lease `l` is due: nobody has it, it may be tried, and something waits for it.
pub(in crate::store) fn switch_is_due(now: &str, beyond: &str, latest: &str) -> String {
    // One index lookup for each end: an OR within one would read everything that is due later.
    let waits = |when: &str| format!("EXISTS (SELECT 1 FROM switch_work w WHERE w.switch = l.switch AND {when})");
    let (due, of_another_clock) = (waits("w.due_at_ms <= $NOW"), waits("w.due_at_ms > $LATEST"));
    let sql = format!("{FREE} AND {TO_BE_TRIED} AND ({due} OR {of_another_clock})");
    with(&sql, &[("$NOW", now), ("$BEYOND", beyond), ("$LATEST", latest)])
}

/// [`DUE`] with these arguments.
pub(in crate::store) fn work_is_due(now: &str, latest: &str) -> String {
    with(DUE, &[("$NOW", now), ("$LATEST", latest)])
}

impl Leases<'_> {
    /// Takes the leases of at most `limit` switches that are due, those first whose work has been due longest, and answers
    /// with them and their sites. Switches of the sites in `full` are left to others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_due(
        self,
        holder: &str,
        limit: usize,
        ttl: Duration,
        full: &[Option<SiteName>],
    ) -> Result<Vec<(Lease, Option<SiteName>)>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let not_full = if full.is_empty() {
            ""
        } else {
            "AND NOT EXISTS (SELECT 1 FROM switches s WHERE s.name = l.switch
                 AND COALESCE(s.site, '-') {in}SELECT e.value->>'site' FROM {rows}{/in})"
        };
        // Sites are always an argument, also where none is named: the others keep their numbers.
        let sql = format!(
            "UPDATE switch_leases SET holder = $2, token = token + 1, expires_at_ms = $3
             WHERE switch {{in}}SELECT l.switch FROM switch_leases l
                 WHERE {} {not_full} AND CAST($1 AS TEXT) IS NOT NULL
                 ORDER BY (SELECT MIN(w.due_at_ms) FROM switch_work w WHERE w.switch = l.switch), l.switch
                 LIMIT $7 {{skip_locked}}{{/in}}
             RETURNING switch, token,
                 (SELECT s.site FROM switches s WHERE s.name = switch_leases.switch) AS site",
            switch_is_due("$4", "$5", "$6")
        );
        let sites = full.iter().map(|site| json!({"site": site.as_ref().map_or("-", SiteName::as_str)})).collect();
        let mut arguments = vec![batch_arg(sites)];
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let beyond_ms = now_ms + millis(TTL_MAX.max(ttl * 2));
        arguments.extend(args![holder, now_ms + millis(ttl), now_ms, beyond_ms, self.store.latest_ms(now_ms), limit]);
        // No need to wait for the disk: whatever is written under the lease waits for it, and takes the claim along. Where
        // Postgres crashes before that, the claim never was, and nothing was done under it.
        let rows = self.store.engine.write_unsynced("claim switches", &sql, arguments).await?;
        let lease = |row: &Row| {
            let lease = Lease { switch: row.parse("switch")?, holder: holder.to_owned(), token: row.get("token")? };
            Ok((lease, row.parse_optional("site")?))
        };
        rows.iter().map(lease).collect()
    }

    /// Takes one switch's lease when nobody has it, or its time has run out, whether or not the switch is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acquire(self, switch: &SwitchName, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = "INSERT INTO switch_leases (switch, holder, token, expires_at_ms) VALUES ($1, $2, 1, $4)
                   ON CONFLICT (switch) DO UPDATE SET holder = excluded.holder, token = switch_leases.token + 1,
                       expires_at_ms = excluded.expires_at_ms
                   WHERE switch_leases.expires_at_ms <= $3 OR switch_leases.expires_at_ms > $5
                   RETURNING token";
        let beyond_ms = now_ms + millis(TTL_MAX.max(ttl * 2));
        let arguments = args![switch.as_str(), holder, now_ms, now_ms + millis(ttl), beyond_ms];
        let rows = self.store.engine.write("take a lease", sql, arguments).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Lease { switch: switch.clone(), holder: holder.to_owned(), token: row.get("token")? }))
    }

    /// Prolongs leases of one holder without waiting: a lease whose row another transaction has locked is left as it is and
    /// reported as busy.
    /// One that ran out but was not taken is prolonged too: nobody else did anything meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew(self, leases: &[Lease], ttl: Duration) -> Result<Renewed, StoreError> {
        if leases.is_empty() {
            return Ok(Renewed::default());
        }
        let expires_at_ms = self.store.now().await?.timestamp_millis() + millis(ttl);
        let row = |lease: &Lease| json!({"switch": lease.switch, "token": lease.token, "holder": lease.holder});
        let asked = || batch_arg(leases.iter().map(row).collect());
        let sql = format!(
            "UPDATE switch_leases SET expires_at_ms = $2
             WHERE switch {{in}}{HELD_OF_BATCH} {{skip_locked}}{{/in}} RETURNING switch"
        );
        let rows = self.store.engine.write("renew leases", &sql, vec![asked(), expires_at_ms.into()]).await?;
        let held = switches(&rows)?;
        if held.len() == leases.len() {
            return Ok(Renewed { held, busy: Vec::new() });
        }
        // What is still ours as far as anybody has committed was locked a moment ago.
        let rows = self.store.engine.read("read which leases are held", HELD_OF_BATCH, vec![asked()]).await?;
        let busy = switches(&rows)?.into_iter().filter(|switch| !held.contains(switch)).collect();
        Ok(Renewed { held, busy })
    }

    /// Gives the lease back, so that another worker may have it at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(self, lease: &Lease) -> Result<(), StoreError> {
        let sql = format!("UPDATE switch_leases SET expires_at_ms = 0, token = token + 1 WHERE {HELD}");
        self.store.engine.write("release a lease", &sql, lease.args(Vec::new())).await.map(|_| ())
    }

    /// True while the lease is held and has not run out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(self, lease: &Lease) -> Result<bool, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = format!("SELECT token FROM switch_leases WHERE {HELD} AND expires_at_ms > $4");
        Ok(!self.store.engine.read("check a lease", &sql, lease.args(args![now_ms])).await?.is_empty())
    }

    /// Who holds the switch's lease now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holder(self, switch: &SwitchName) -> Result<Option<String>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = "SELECT holder FROM switch_leases WHERE switch = $1 AND expires_at_ms > $2";
        let rows = self.store.engine.read("read who has a lease", sql, args![switch.as_str(), now_ms]).await?;
        rows.first().map(|row| row.get("holder")).transpose()
    }
}

impl Store {
    /// The latest time that anything may be due, where it was recorded by the clock as it is now.
    pub(in crate::store) fn latest_ms(&self, now_ms: i64) -> i64 {
        now_ms + millis(self.retry.delay_max) * 2
    }
}

/// Gives the lease back when no more work is due for its switch; otherwise keeps it for at least `keep_for` from now. Returns
/// whether it is kept. The switch answered, so the trouble noted for it is cleared.
pub(in crate::store) async fn release_or_keep(
    tx: &mut Tx,
    lease: &Lease,
    now_ms: i64,
    latest_ms: i64,
    keep_for: Duration,
) -> Result<bool, StoreError> {
    let more = format!("EXISTS (SELECT 1 FROM switch_work w WHERE w.switch = $1 AND {})", work_is_due("$4", "$5"));
    let sql = format!(
        "UPDATE switch_leases SET expires_at_ms = CASE WHEN NOT {more} THEN 0 WHEN expires_at_ms < $6 THEN $6
                 ELSE expires_at_ms END,
             token = CASE WHEN {more} THEN token ELSE token + 1 END, failures = 0, failing_since_ms = NULL,
             failure_code = NULL, failure_text = NULL, next_try_at_ms = 0, tried_at_ms = NULL, seen_at_ms = $4
         WHERE {HELD} RETURNING expires_at_ms"
    );
    let arguments = lease.args(args![now_ms, latest_ms, now_ms + millis(keep_for)]);
    let rows = tx.run("release a lease or go on", &sql, arguments).await?;
    let row = rows.first().ok_or_else(|| lease.lost())?;
    Ok(row.get::<i64>("expires_at_ms")? > 0)
}
