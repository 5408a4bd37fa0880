//! Frozen sites. Each freeze is a row of its own, and a site is frozen while one of its rows has not ended: a short
//! freeze never ends a longer one, nor one that vmacd made itself. Thawing a site ends all of its rows now; they stay, so
//! that what failed before counts no more.

use chrono::{DateTime, Utc};

use crate::domain::{Code, Freeze, FreezeKind, FreezeOrder, Scope, SiteName};
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::Freezes;

/// The freeze of a row of `switches s`, as columns of its own.
pub(super) const FREEZE_COLUMNS: &str = "f.site AS freeze_site, f.until AS freeze_until, f.reason AS freeze_reason,
    f.made_by AS freeze_made_by, f.made_at AS freeze_made_at, f.kind AS freeze_kind";

/// Joins the freeze that covers a row of `switches s` and ends last; `$1` is the time.
pub(super) const FREEZE_JOIN: &str = "LEFT JOIN freezes f ON f.id =
    (SELECT g.id FROM freezes g WHERE g.until > $1 AND g.site IN ('*', COALESCE(s.site, '-'))
     ORDER BY g.until DESC, g.id LIMIT 1)";

/// The freeze of a row with [`FREEZE_COLUMNS`], where there is one.
pub(super) fn freeze_of(row: &Row) -> Result<Option<Freeze>, StoreError> {
    let Some(site) = row.parse_optional("freeze_site")? else { return Ok(None) };
    let kind: String = row.get("freeze_kind")?;
    let kind = if kind == FreezeKind::Automatic.as_str() { FreezeKind::Automatic } else { FreezeKind::Manual };
    Ok(Some(Freeze {
        site,
        until: row.get("freeze_until")?,
        reason: row.get("freeze_reason")?,
        made_by: row.get("freeze_made_by")?,
        made_at: row.get("freeze_made_at")?,
        kind,
    }))
}

impl Freezes<'_> {
    /// The freezes that are in force, by site, of each the one that ends last first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self) -> Result<Vec<Freeze>, StoreError> {
        let now = self.store.now().await?;
        let sql =
            format!("SELECT {FREEZE_COLUMNS} FROM freezes f WHERE f.until > $1 ORDER BY f.site, f.until DESC, f.id");
        let rows = self.store.engine.read("read which sites are frozen", &sql, args![now]).await?;
        rows.iter().filter_map(|row| freeze_of(row).transpose()).collect()
    }

    /// The sites of the inventory, with how many switches each has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sites(self) -> Result<Vec<(Option<SiteName>, i64)>, StoreError> {
        let sql = "SELECT site, COUNT(*) AS switches FROM switches GROUP BY site ORDER BY site";
        let rows = self.store.engine.read("read the sites", sql, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.parse_optional("site")?, row.get("switches")?))).collect()
    }

    /// Freezes a site, or all, beside the freezes that it has: it is frozen until the last of them ends. The same
    /// person's freeze for the same reason is made longer instead, never shorter. Returns the freeze as it is then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a site that has no switch, or when the database fails.
    pub async fn freeze(self, order: &FreezeOrder) -> Result<Freeze, StoreError> {
        if let Scope::Site(site) = &order.site
            && !self.sites().await?.iter().any(|(known, _)| known == site)
        {
            return Err(StoreError::NotFound { what: "site", id: order.site.to_string() });
        }
        let now = self.store.now().await?;
        let mut tx = self.store.begin("freeze a site").await?;
        let known = in_force(&mut tx, &order.site, now).await?;
        let freeze = match known.into_iter().find(|(_, freeze)| freeze.is_of(order)) {
            Some((id, freeze)) => prolong(&mut tx, id, freeze, order.until).await?,
            None => add(&mut tx, order.made(now)).await?,
        };
        tx.commit("freeze a site").await?;
        Ok(freeze)
    }

    /// Freezes the site until somebody thaws it; false where that was done already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn freeze_automatically(
        self,
        site: Option<&SiteName>,
        reason: &str,
        made_by: &str,
    ) -> Result<bool, StoreError> {
        let freeze = Freeze {
            site: Scope::Site(site.cloned()),
            until: Freeze::NEVER,
            reason: Some(reason.to_owned()),
            made_by: made_by.to_owned(),
            made_at: self.store.now().await?,
            kind: FreezeKind::Automatic,
        };
        let mut tx = self.store.begin("freeze a site").await?;
        let known = in_force(&mut tx, &freeze.site, freeze.made_at).await?;
        if known.iter().any(|(_, known)| known.kind == FreezeKind::Automatic) {
            return Ok(false);
        }
        add(&mut tx, freeze).await?;
        tx.commit("freeze a site").await.map(|()| true)
    }

    /// Ends every freeze of a site, or those of all sites; returns the freezes that it ended.
    ///
    /// # Errors
    /// [`StoreError::NotFrozen`] where it has none, or when the database fails.
    pub async fn thaw(self, site: &Scope) -> Result<Vec<Freeze>, StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("thaw a site").await?;
        let ended = in_force(&mut tx, site, now).await?;
        if ended.is_empty() {
            return Err(StoreError::NotFrozen(site.clone()));
        }
        let sql = "UPDATE freezes SET until = $2 WHERE site = $1 AND until > $2";
        tx.run("thaw a site", sql, args![site.to_string(), now]).await?;
        have_tried(&mut tx, site).await?;
        tx.commit("thaw a site").await?;
        Ok(ended.into_iter().map(|(_, freeze)| freeze).collect())
    }
}

/// The freezes of exactly this scope that are in force, with their ids, the one that ends last first. Nobody else makes
/// or ends one until the transaction ends; whoever only reads is not held up.
async fn in_force(tx: &mut Tx, site: &Scope, now: DateTime<Utc>) -> Result<Vec<(i64, Freeze)>, StoreError> {
    tx.on_postgres("change freezes alone", "LOCK TABLE freezes IN SHARE ROW EXCLUSIVE MODE").await?;
    let sql = format!(
        "SELECT f.id, {FREEZE_COLUMNS} FROM freezes f WHERE f.site = $1 AND f.until > $2 ORDER BY f.until DESC, f.id"
    );
    let rows = tx.run("read a site's freezes", &sql, args![site.to_string(), now]).await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(freeze) = freeze_of(row)? {
            known.push((row.get("id")?, freeze));
        }
    }
    Ok(known)
}

/// Has the switches of a thawed site tried at once.
async fn have_tried(tx: &mut Tx, site: &Scope) -> Result<(), StoreError> {
    let sql = "UPDATE switch_leases SET next_try_at_ms = 0 WHERE failure_code = $2 AND ($1 = '*' OR switch IN
                   (SELECT name FROM switches WHERE COALESCE(site, '-') = $1))";
    tx.run("wake a site's switches", sql, args![site.to_string(), Code::Frozen.as_str()]).await.map(|_| ())
}

async fn prolong(tx: &mut Tx, id: i64, freeze: Freeze, until: DateTime<Utc>) -> Result<Freeze, StoreError> {
    if until <= freeze.until {
        return Ok(freeze);
    }
    tx.run("prolong a freeze", "UPDATE freezes SET until = $2 WHERE id = $1", args![id, until]).await?;
    Ok(Freeze { until, ..freeze })
}

async fn add(tx: &mut Tx, freeze: Freeze) -> Result<Freeze, StoreError> {
    let sql = "INSERT INTO freezes (site, until, reason, made_by, made_at, kind) VALUES ($1, $2, $3, $4, $5, $6)";
    let arguments = args![
        freeze.site.to_string(),
        freeze.until,
        freeze.reason.clone(),
        freeze.made_by.as_str(),
        freeze.made_at,
        freeze.kind.as_str()
    ];
    tx.run("freeze a site", sql, arguments).await?;
    Ok(freeze)
}
