//! One backup: what came of it until the next one, and what it holds.

use axum::extract::State;
use maud::{Markup, html};

use super::components::{Path, diff, encoded, moment, safe};
use super::error_page::Failed;
use super::layout::page;
use crate::domain::redacted;
use crate::web::App;
use crate::web::backup_diff::since;

/// Shows it, its secrets hidden.
pub(super) async fn show(State(app): State<App>, Path(id): Path<i64>) -> Result<Markup, Failed> {
    let (backup, content) = app.store.backup(id).await?;
    let between = since(&app.store, id, None).await?;
    let content = html! {
        dl {
            dt { "Switch" } dd { a href={ "/switches/" (backup.switch) } { (backup.switch) } }
            dt { "Taken" } dd { (moment(backup.taken_at)) }
            dt { "Before push" } dd {
                @if let Some(push) = &backup.push_id { a .mono href={ "/pushes/" (encoded(push)) } { (safe(push)) } } @else { "–" }
            }
            dt { "SHA-256" } dd .mono { (backup.content_hash) }
        }
        @match &between {
            Some(between) => {
                h2 { "Changes up to " a href={ "/backups/" (between.to.id) } { "backup " (between.to.id) } }
                (diff(&between.diff))
            }
            None => p .faint { "This is the newest backup of this switch." },
        }
        h2 { "Configuration" }
        details { summary { (backup.bytes) " bytes, secrets hidden" } pre { @for line in redacted(&content).lines() { (safe(line)) "\n" } } }
    };
    Ok(page(&format!("Backup {id}"), "/switches", content))
}
