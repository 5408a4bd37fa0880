//! One push: what it changed, how far it came, and the backup before it.

use axum::extract::State;
use maud::{Markup, html};

use super::components::{diff, exact_time, exact_time_or_dash, safe, status};
use super::error_page::PageError;
use super::extract::Path;
use super::layout::page;
use crate::domain::plan::Change;
use crate::store::{PushRecord, StoreError};
use crate::switch::PushContent;
use crate::web::app_state::AppState;
use crate::web::backup_diff::diff_since;

pub(super) async fn show(State(app): State<AppState>, Path(id): Path<String>) -> Result<Markup, PageError> {
    let push = app.store.pushes().get(&id).await?;
    let after = configuration_after(&app, &push).await?;
    let content = html! {
        p { (status(&push.state)) }
        @if let Some(error) = &push.error { p .note.bad { (safe(error)) } }
        (facts(&push))
        h2 { "Changes" }
        (diff(&planned(&push)))
        @if let Some(text) = after {
            h2 { "Configuration change, from the backup before the push to the next backup" }
            (diff(&text))
        }
    };
    Ok(page(&format!("Push to {}", push.switch), "/switches", content))
}

fn facts(push: &PushRecord) -> Markup {
    html! {
        dl {
            dt { "Switch" } dd { a href={ "/switches/" (push.switch) } { (push.switch) } }
            dt { "Commit comment" } dd .mono { (safe(&push.id)) }
            dt { "Worker" } dd { (safe(&push.worker)) }
            dt { "Backup before" } dd {
                @if let Some(id) = push.backup_id { a href={ "/backups/" (id) } { "backup " (id) } } @else { "–" }
            }
            dt { "Started" } dd { (exact_time(push.started_at)) }
            dt { "Commit sent" } dd { (exact_time_or_dash(push.sent_at)) }
            dt { "Finished" } dd { (exact_time_or_dash(push.finished_at)) }
        }
    }
}

/// The plan as lines of a difference; as stored if another version wrote it.
fn planned(push: &PushRecord) -> String {
    let plan = push.plan.clone().unwrap_or_default();
    match serde_json::from_value(plan.clone()) {
        Ok(PushContent::Changes(changes)) => changes.iter().map(line).collect::<Vec<_>>().join("\n"),
        Ok(PushContent::Whole { restored_backup_id, .. }) => {
            format!("the whole configuration of backup {restored_backup_id}")
        }
        Err(_) => plan.to_string(),
    }
}

fn line(change: &Change) -> String {
    match change {
        Change::Set { interface, vlan, ip, mac, .. } => format!("+ {interface} {ip} vlan {vlan} mac {mac}"),
        Change::Remove { interface, ip, .. } => format!("- {interface} {ip}"),
    }
}

/// How the configuration had changed when the next backup was taken; none before there is one.
async fn configuration_after(app: &AppState, push: &PushRecord) -> Result<Option<String>, StoreError> {
    let Some(before) = push.backup_id else { return Ok(None) };
    Ok(diff_since(&app.store, before, None).await?.map(|between| between.diff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_read_as_a_difference() {
        let set = serde_json::json!({"change": "set", "interface": "ge-0/0/1.0", "vlan": "VLAN.13", "ip": "10.0.48.6",
            "mac": "02:5e:10:9a:0c:44", "group": null});
        let remove = serde_json::json!({"change": "remove", "interface": "ge-0/0/2.0", "vlan": null, "ip": "10.0.48.7", "group": null});
        let changes: Vec<Change> = [set, remove].map(|change| serde_json::from_value(change).expect("a change")).into();
        let lines: Vec<String> = changes.iter().map(line).collect();
        assert_eq!(lines, ["+ ge-0/0/1.0 10.0.48.6 vlan VLAN.13 mac 02:5e:10:9a:0c:44", "- ge-0/0/2.0 10.0.48.7"]);
    }
}
