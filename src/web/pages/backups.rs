//! One backup: what came of it until the next one, and what it holds.

use axum::extract::State;
use maud::{Markup, html};

use super::components::{diff, exact_time, safe, url_encoded};
use super::error_page::PageError;
use super::extract::Path;
use super::layout::page;
use crate::domain::redacted;
use crate::web::app_state::AppState;
use crate::web::backup_diff::diff_since;

/// Shows it, its secrets hidden.
pub(super) async fn show(State(app): State<AppState>, Path(id): Path<i64>) -> Result<Markup, PageError> {
    let (backup, content) = app.store.backups().get(id).await?;
    let between = diff_since(&app.store, id, None).await?;
    let content = html! {
        dl {
            dt { "Switch" } dd { a href={ "/switches/" (backup.switch) } { (backup.switch) } }
            dt { "Taken" } dd { (exact_time(backup.taken_at)) }
            dt { "Before push" } dd {
                @if let Some(push) = &backup.push_id { a .mono href={ "/pushes/" (url_encoded(push)) } { (safe(push)) } } @else { "–" }
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
