//! `vmacd backups`: the configurations kept from before each change.

mod restore;

use crate::cli::app_env::AppEnv;
use crate::cli::args::BackupsVerb;
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::diff::write_diff;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::Cell;
use crate::domain::{difference, readable, redacted};
use crate::store::{Backup, BackupKey, Store};

/// Backups read at once.
const PART: i64 = 1_000;

pub async fn run(env: AppEnv, output: Output, verb: BackupsVerb) -> Result<(), Fault> {
    match verb {
        BackupsVerb::List { switch } => {
            let store = env.store().await?;
            did_you_mean::known_switch(&store, &switch).await?;
            let mut before = Some(i64::MAX);
            let read = async || {
                let Some(at) = before else { return Ok(None) };
                let part = store.backups().list(&switch, at, PART).await?;
                before = part.last().map(|last| last.id);
                Ok(Some(part))
            };
            output.stream(&["ID", "TAKEN", "BYTES", "STORED", "CONTENT", "PUSH"], row, read).await
        }
        BackupsVerb::Show { id, with_secrets } => {
            let (backup, content) = env.store().await?.backups().get(id).await?;
            if with_secrets {
                return show_whole(output, &backup, &content);
            }
            let content = redacted(&content);
            output.item(&serde_json::json!({"backup": backup, "content": content}), || content.trim_end().to_owned())
        }
        BackupsVerb::Diff { from, to } => diff(&env.store().await?, output, from, to).await,
        BackupsVerb::Restore(args) => restore::run(env, output, args).await,
        BackupsVerb::Keygen { file: None } => {
            let key = BackupKey::generate();
            output.item(&serde_json::json!({"key_file": key}), || key.trim_end().to_owned())
        }
        BackupsVerb::Keygen { file: Some(file) } => {
            let at_fault = |error| Fault::input(format!("{}: {error}", file.display()));
            BackupKey::generate_file(&file).map_err(at_fault)?;
            output.item(&serde_json::json!({"written": file}), || format!("wrote a new key to {}", file.display()))
        }
    }
}

/// The configuration with its secrets. What goes into a file or a pipe is what the switch held, byte for byte.
fn show_whole(output: Output, backup: &Backup, content: &[u8]) -> Result<(), Fault> {
    if !output.json && !output.is_terminal() {
        return output.bytes(content);
    }
    let shown = readable(content);
    output.item(&serde_json::json!({"backup": backup, "content": shown}), || shown.trim_end().to_owned())
}

fn row(backup: &Backup) -> Vec<Cell> {
    vec![
        backup.id.to_string().into(),
        backup.taken_at.to_rfc3339().into(),
        backup.bytes.to_string().into(),
        backup.stored_bytes.to_string().into(),
        backup.content_hash.chars().take(12).collect::<String>().into(),
        or_dash(backup.push_id.as_ref()).into(),
    ]
}

async fn diff(store: &Store, output: Output, from: i64, to: Option<i64>) -> Result<(), Fault> {
    let (older, old) = store.backups().get(from).await?;
    let to = match to {
        Some(to) => to,
        None => next_of(store, &older).await?,
    };
    let (newer, new) = store.backups().get(to).await?;
    let names =
        [&older, &newer].map(|backup| format!("{}/{} {}", backup.switch, backup.id, backup.taken_at.to_rfc3339()));
    let text = difference((&names[0], &old), (&names[1], &new));
    let data = serde_json::json!({"from": older, "to": newer, "diff": text});
    output.print(&output.page(&data, |page| write_diff(page, &text))?)
}

async fn next_of(store: &Store, older: &Backup) -> Result<i64, Fault> {
    let next = store.backups().next_after(older).await?;
    next.ok_or_else(|| Fault::input(format!("{} has no backup newer than {}", older.switch, older.id)))
}
