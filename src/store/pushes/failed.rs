//! The pushes of a site that failed recently.

use std::time::Duration;

use crate::domain::{FailedPush, SwitchName};
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::parts::Pushes;

impl Pushes<'_> {
    /// The pushes at the switch's site whose commits were rolled back, or after which the switch was lost: within the window
    /// and since the site was last thawed, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failed_at_site_of(self, switch: &SwitchName, window: Duration) -> Result<Vec<FailedPush>, StoreError> {
        let now = self.store.now().await?;
        let sql = "SELECT p.id, p.switch FROM pushes p JOIN switches s ON s.name = p.switch
                   WHERE p.failed_at > $2
                       AND COALESCE(s.site, '-') = (SELECT COALESCE(o.site, '-') FROM switches o WHERE o.name = $1)
                       AND NOT EXISTS (SELECT 1 FROM freezes f WHERE f.site IN ('*', COALESCE(s.site, '-'))
                                       AND f.until <= $3 AND f.until >= p.failed_at)
                   ORDER BY p.failed_at, p.id";
        let rows = self.store.engine.read("read failed pushes", sql, args![switch.as_str(), now - window, now]).await?;
        rows.iter().map(|row| Ok(FailedPush { id: row.get("id")?, switch: row.parse("switch")? })).collect()
    }
}
