//! What changed between two backups, for the API and the pages.

use crate::domain::difference;
use crate::store::{Backup, Store, StoreError};

/// Two backups, and how they differ.
pub(super) struct BackupComparison {
    pub from: Backup,
    pub to: Backup,
    /// A unified diff, secrets hidden.
    pub diff: String,
}

/// Compares a backup with another, or with the switch's next one; none where that is not there yet.
pub(super) async fn diff_since(
    store: &Store,
    from: i64,
    to: Option<i64>,
) -> Result<Option<BackupComparison>, StoreError> {
    let (from, old) = store.backups().get(from).await?;
    let to = match to {
        Some(to) => Some(to),
        None => store.backups().next_after(&from).await?,
    };
    let Some(to) = to else { return Ok(None) };
    let (to, new) = store.backups().get(to).await?;
    let names = [&from, &to].map(|backup| format!("{}/{} {}", backup.switch, backup.id, backup.taken_at.to_rfc3339()));
    let diff = difference((&names[0], &old), (&names[1], &new));
    Ok(Some(BackupComparison { from, to, diff }))
}
