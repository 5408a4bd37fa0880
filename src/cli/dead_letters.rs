//! `vmacd dead-letters`: look, send again, put aside.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::args::{DeadLetterChange, DeadLetterSelection, DeadLettersVerb};
use super::fault::Fault;
use super::open::Session;
use super::output::{Output, or_dash, printable};
use crate::broker;
use crate::store::{DeadLetterFilter, DeadLetterRow, Store};

/// Runs one of the verbs.
pub(super) async fn run(session: Session, output: Output, verb: DeadLettersVerb) -> Result<(), Fault> {
    let store = session.store().await?;
    match verb {
        DeadLettersVerb::List(selection) => list(&store, output, &selection).await,
        DeadLettersVerb::Show { id } => show(&store, output, id).await,
        DeadLettersVerb::Replay(change) => replay(&session, &store, output, &change).await,
        DeadLettersVerb::Discard(change) => discard(&store, output, &change).await,
    }
}

async fn list(store: &Store, output: Output, selection: &DeadLetterSelection) -> Result<(), Fault> {
    let letters = store.dead_letters(&filter(selection)?).await?;
    output.list(
        &letters,
        &["ID", "REASON", "SERVER", "ADDRESS", "SWITCH", "ATTEMPTS", "REPLAYS", "LAST FAILED", "ERROR"],
        |letter| {
            vec![
                letter.id.to_string(),
                letter.reason_code.clone(),
                or_dash(letter.server_id.as_ref()),
                or_dash(letter.ip_address.as_ref()),
                or_dash(letter.switch.as_ref()),
                letter.attempts.to_string(),
                letter.replays.to_string(),
                letter.last_failed_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                letter.error_text.clone(),
            ]
        },
    )
}

async fn show(store: &Store, output: Output, id: i64) -> Result<(), Fault> {
    let letter = store.dead_letter(id).await?;
    output.one(&letter, || {
        format!(
            "dead letter {id} ({})\n  reason     {}: {}\n  message    {} {}\n  attempts   {}\n  replays    {}\n  \
             failed     {} to {}\n  headers    {}\n  body       {}",
            letter.state,
            letter.reason_code,
            printable(&letter.error_text),
            printable(&letter.routing_key),
            printable(letter.message_id.as_deref().unwrap_or("(no message_id)")),
            letter.attempts,
            letter.replays,
            letter.first_failed_at.to_rfc3339(),
            letter.last_failed_at.to_rfc3339(),
            printable(&letter.headers.to_string()),
            printable(&String::from_utf8_lossy(&letter.body)),
        )
    })
}

async fn replay(session: &Session, store: &Store, output: Output, change: &DeadLetterChange) -> Result<(), Fault> {
    let chosen = chosen(store, change).await?;
    if change.dry_run {
        return told(output, "would be replayed", &chosen);
    }
    let broker = session.broker(store).await?;
    broker::replay(&broker, store, &chosen, |_| ()).await?;
    told(output, "replayed", &chosen)
}

async fn discard(store: &Store, output: Output, change: &DeadLetterChange) -> Result<(), Fault> {
    let chosen = chosen(store, change).await?;
    if change.dry_run {
        return told(output, "would be discarded", &chosen);
    }
    let ids: Vec<i64> = chosen.iter().map(|letter| letter.id).collect();
    store.discard(&ids).await?;
    told(output, "discarded", &chosen)
}

fn told(output: Output, what: &str, letters: &[DeadLetterRow]) -> Result<(), Fault> {
    let ids: Vec<i64> = letters.iter().map(|letter| letter.id).collect();
    output.one(&json!({"count": ids.len(), "what": what, "ids": ids}), || format!("{} {what}", ids.len()))
}

async fn chosen(store: &Store, change: &DeadLetterChange) -> Result<Vec<DeadLetterRow>, Fault> {
    let selection = &change.selection;
    let nothing_said = selection.id.is_empty()
        && !selection.all
        && selection.reason.is_none()
        && selection.switch.is_none()
        && selection.since.is_none();
    if nothing_said {
        return Err(Fault::input("say which: --id 1,2, --all, --reason CODE, --switch NAME or --since 2h"));
    }
    let letters = store.dead_letters(&filter(selection)?).await?;
    match selection.id.iter().find(|id| letters.iter().all(|letter| letter.id != **id)) {
        Some(id) => {
            Err(Fault::input(format!("no dead letter {id} waits; `vmacd dead-letters list` shows those that do")))
        }
        None => Ok(letters),
    }
}

fn filter(selection: &DeadLetterSelection) -> Result<DeadLetterFilter, Fault> {
    Ok(DeadLetterFilter {
        ids: selection.id.clone(),
        reason: selection.reason.clone(),
        switch: selection.switch.clone(),
        since: selection.since.as_deref().map(since).transpose()?,
        ..DeadLetterFilter::default()
    })
}

fn since(text: &str) -> Result<DateTime<Utc>, Fault> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let ago: Duration = humantime::parse_duration(text).map_err(|_| {
        Fault::input(format!("`{}` is neither a time span such as 2h nor an RFC 3339 time", printable(text)))
    })?;
    Ok(Utc::now() - ago)
}
