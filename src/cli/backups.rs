//! `vmacd backups`: the configurations kept from before each change.

use super::args::BackupsVerb;
use super::fault::Fault;
use super::open::Session;
use super::output::{Output, or_dash};
use crate::domain::{difference, redacted};
use crate::store::{Backup, BackupKey, Store};

/// Most backups listed.
const LISTED_MAX: i64 = 1000;

/// Runs one of the verbs.
pub(super) async fn run(session: Session, output: Output, verb: BackupsVerb) -> Result<(), Fault> {
    match verb {
        BackupsVerb::List { switch } => {
            let store = session.store().await?;
            store.switch(&switch).await?;
            let backups = store.backups(&switch, i64::MAX, LISTED_MAX).await?;
            output.list(&backups, &["ID", "TAKEN", "BYTES", "STORED", "CONTENT", "PUSH"], row)
        }
        BackupsVerb::Show { id, with_secrets } => {
            let (backup, content) = session.store().await?.backup(id).await?;
            let content = if with_secrets { content } else { redacted(&content) };
            output.one(&serde_json::json!({"backup": backup, "content": content}), || content.trim_end().to_owned())
        }
        BackupsVerb::Diff { from, to } => diff(&session.store().await?, output, from, to).await,
        BackupsVerb::Keygen => {
            let key = BackupKey::generate();
            output.one(&serde_json::json!({"key_file": key}), || key.trim_end().to_owned())
        }
    }
}

fn row(backup: &Backup) -> Vec<String> {
    vec![
        backup.id.to_string(),
        backup.taken_at.to_rfc3339(),
        backup.bytes.to_string(),
        backup.stored_bytes.to_string(),
        backup.content_hash.chars().take(12).collect(),
        or_dash(backup.push_id.as_ref()),
    ]
}

async fn diff(store: &Store, output: Output, from: i64, to: Option<i64>) -> Result<(), Fault> {
    let (older, old) = store.backup(from).await?;
    let to = match to {
        Some(to) => to,
        None => next_of(store, &older).await?,
    };
    let (newer, new) = store.backup(to).await?;
    let names =
        [&older, &newer].map(|backup| format!("{}/{} {}", backup.switch, backup.id, backup.taken_at.to_rfc3339()));
    let text = difference((&names[0], &old), (&names[1], &new));
    output.one(&serde_json::json!({"from": older, "to": newer, "diff": text}), || text.trim_end().to_owned())
}

async fn next_of(store: &Store, older: &Backup) -> Result<i64, Fault> {
    let next = store.backup_after(older).await?;
    next.ok_or_else(|| Fault::input(format!("{} has no backup newer than {}", older.switch, older.id)))
}
