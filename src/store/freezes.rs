//! Frozen sites. A site has one row, its newest freeze; thawing it ends that now, so that what failed before counts no
//! more.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::connect::Store;
use super::engine::{Row, args};
use super::error::StoreError;
use super::work::lock_work;
use crate::domain::{Failure, Freeze, FreezeKind, FreezeOrder, Scope, SiteName, SwitchName};

/// The freeze of a row of `switches s`, as columns of its own.
pub(super) const FREEZE_COLUMNS: &str = "f.site AS freeze_site, f.until AS freeze_until, f.reason AS freeze_reason,
    f.made_by AS freeze_made_by, f.made_at AS freeze_made_at, f.kind AS freeze_kind";

/// Joins the freeze that covers a row of `switches s` and ends last; `$1` is the time.
pub(super) const FREEZE_JOIN: &str = "LEFT JOIN freezes f ON f.site =
    (SELECT g.site FROM freezes g WHERE g.until > $1 AND g.site IN ('*', COALESCE(s.site, '-'))
     ORDER BY g.until DESC, g.site LIMIT 1)";

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

impl Store {
    /// The sites that are frozen now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn freezes(&self) -> Result<Vec<Freeze>, StoreError> {
        let now = self.now().await?;
        let sql = format!("SELECT {FREEZE_COLUMNS} FROM freezes f WHERE f.until > $1 ORDER BY f.site");
        let rows = self.engine.read("read which sites are frozen", &sql, args![now]).await?;
        rows.iter().filter_map(|row| freeze_of(row).transpose()).collect()
    }

    /// The sites whose freezes ended after this time, by hand or by themselves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn thawed_since(&self, since: DateTime<Utc>) -> Result<Vec<Scope>, StoreError> {
        let sql = "SELECT site FROM freezes WHERE until > $1 AND until <= $2 ORDER BY site";
        let rows = self.engine.read("read which sites were thawed", sql, args![since, self.now().await?]).await?;
        rows.iter().map(|row| row.parse("site")).collect()
    }

    /// The sites of the inventory, with how many switches each has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sites(&self) -> Result<Vec<(Option<SiteName>, i64)>, StoreError> {
        let sql = "SELECT site, COUNT(*) AS switches FROM switches GROUP BY site ORDER BY site";
        let rows = self.engine.read("read the sites", sql, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.parse_optional("site")?, row.get("switches")?))).collect()
    }

    /// Freezes a site, or all; a freeze that it has already is replaced.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a site that no switch stands at, or when the database fails.
    pub async fn freeze(&self, order: &FreezeOrder) -> Result<Freeze, StoreError> {
        if let Scope::Site(site) = &order.site
            && !self.sites().await?.iter().any(|(known, _)| known == site)
        {
            return Err(StoreError::NotFound { what: "site", id: order.site.to_string() });
        }
        let freeze = Freeze {
            site: order.site.clone(),
            until: order.until,
            reason: order.reason.clone(),
            made_by: order.made_by.clone(),
            made_at: self.now().await?,
            kind: FreezeKind::Manual,
        };
        self.put_freeze(&freeze, "").await?;
        Ok(freeze)
    }

    /// Freezes the site until somebody thaws it; false where that was done already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_site(&self, site: Option<&SiteName>, reason: &str, made_by: &str) -> Result<bool, StoreError> {
        let freeze = Freeze {
            site: Scope::Site(site.cloned()),
            until: Freeze::NEVER,
            reason: Some(reason.to_owned()),
            made_by: made_by.to_owned(),
            made_at: self.now().await?,
            kind: FreezeKind::Automatic,
        };
        self.put_freeze(&freeze, "WHERE freezes.kind <> excluded.kind OR freezes.until <= excluded.made_at").await
    }

    async fn put_freeze(&self, freeze: &Freeze, unless: &str) -> Result<bool, StoreError> {
        let sql = format!(
            "INSERT INTO freezes (site, until, reason, made_by, made_at, kind) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (site) DO UPDATE SET until = excluded.until, reason = excluded.reason,
                 made_by = excluded.made_by, made_at = excluded.made_at, kind = excluded.kind
             {unless} RETURNING site"
        );
        let arguments = args![
            freeze.site.to_string(),
            freeze.until,
            freeze.reason.clone(),
            freeze.made_by.as_str(),
            freeze.made_at,
            freeze.kind.as_str()
        ];
        Ok(!self.engine.write("freeze a site", &sql, arguments).await?.is_empty())
    }

    /// Ends the freeze of a site, or the one of all sites; answers with what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where it is not frozen, or when the database fails.
    pub async fn thaw(&self, site: &Scope) -> Result<Freeze, StoreError> {
        let now = self.now().await?;
        let before = self.freezes().await?.into_iter().find(|freeze| freeze.site == *site);
        let sql = "UPDATE freezes SET until = $2 WHERE site = $1 AND until > $2 RETURNING site";
        let ended = self.engine.write("thaw a site", sql, args![site.to_string(), now]).await?;
        match before {
            Some(freeze) if !ended.is_empty() => Ok(freeze),
            _ => Err(StoreError::NotFound { what: "freeze of", id: site.to_string() }),
        }
    }

    /// Writes on every row that waits for the switch why it waits, where that is not said already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_why_waiting(&self, switch: &SwitchName, failure: &Failure) -> Result<(), StoreError> {
        let what = "write down why rows wait";
        let now: DateTime<Utc> = self.now().await?;
        let mut tx = self.engine.begin(what).await?;
        let rows = lock_work(&mut tx, switch, &failure.text).await?;
        let sql = "UPDATE virtual_macs SET failure_code = $2, failure_text = $3, updated_at = $4
                   WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
        let rows = rows.iter().map(|id| json!({"id": id})).collect();
        tx.batch(what, sql, rows, args![failure.code.as_str(), failure.text.as_str(), now]).await?;
        tx.commit(what).await
    }
}
