//! `vmacd dead-letters`: list, show, replay, discard.

use std::collections::HashSet;

use serde_json::json;

use crate::broker;
use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::{DeadLetterChange, DeadLetterSelection, DeadLettersVerb};
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::terminal::escape::{or_dash, printable};
use crate::cli::times::time_ago;
use crate::cli::ui::confirm;
use crate::cli::ui::output::Output;
use crate::cli::ui::progress::Progress;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::BODY_BYTES_MAX;
use crate::store::{DeadLetterFilter, DeadLetterRow, FullDeadLetter, Store};

/// Dead letters read at once.
const PART: i64 = 1_000;
/// Dead letters discarded with one statement.
const DISCARDED_AT_ONCE: usize = 500;

pub async fn run(env: AppEnv, output: Output, verb: DeadLettersVerb) -> Result<(), Fault> {
    let store = env.store().await?;
    match verb {
        DeadLettersVerb::List(selection) => list(&store, output, &selection).await,
        DeadLettersVerb::Show { id } => show(&store, output, id).await,
        DeadLettersVerb::Replay(change) => replay(&env, &store, output, &change).await,
        DeadLettersVerb::Discard { change, yes } => discard(&store, output, &change, yes).await,
    }
}

const COLUMNS: &[&str] =
    &["ID", "REASON", "SERVER", "ADDRESS", "SWITCH", "ATTEMPTS", "REPLAYS", "LAST FAILED", "ERROR"];

/// Newest first.
async fn list(store: &Store, output: Output, selection: &DeadLetterSelection) -> Result<(), Fault> {
    did_you_mean::known_reason(store, selection.reason.as_deref()).await?;
    let all = filter(store, selection).await?;
    let mut filter = Some(DeadLetterFilter { newest_first: true, limit: PART, ..all });
    let read = async || {
        let Some(at) = filter.take() else { return Ok(None) };
        let letters = store.dead_letters().list(&at).await?;
        filter = letters.last().map(|last| DeadLetterFilter { after_id: last.id, ..at });
        Ok(Some(letters))
    };
    output.stream(COLUMNS, row, read).await
}

fn row(letter: &DeadLetterRow) -> Vec<Cell> {
    vec![
        letter.id.to_string().into(),
        Cell::new(Tone::Bad, letter.reason_code.as_str()),
        or_dash(letter.server_id.as_ref()).into(),
        or_dash(letter.ip_address.as_ref()).into(),
        or_dash(letter.switch.as_ref()).into(),
        letter.attempts.to_string().into(),
        letter.replays.to_string().into(),
        letter.last_failed_at.format("%Y-%m-%d %H:%M:%S").to_string().into(),
        letter.error_text.as_str().into(),
    ]
}

async fn show(store: &Store, output: Output, id: i64) -> Result<(), Fault> {
    let letter = store.dead_letters().get(id).await?;
    output.item(&letter, || {
        let FullDeadLetter { row, body, headers } = &letter;
        format!(
            "dead letter {id} ({})\n  reason     {}: {}\n  message    {} {}\n  attempts   {}\n  replays    {}\n  \
             copies     {}\n  failed     {} to {}\n  headers    {}\n  body       {}{}",
            row.state,
            row.reason_code,
            printable(&row.error_text),
            printable(&row.routing_key),
            printable(row.message_id.as_deref().unwrap_or("(no message_id)")),
            row.attempts,
            row.replays,
            row.copies,
            row.first_failed_at.to_rfc3339(),
            row.last_failed_at.to_rfc3339(),
            printable(&headers.to_string()),
            kept_in_part(row),
            printable(&String::from_utf8_lossy(body)),
        )
    })
}

/// The note before a body of which only the beginning is stored.
fn kept_in_part(row: &DeadLetterRow) -> String {
    if !row.is_too_long() {
        return String::new();
    }
    let hash = row.body_sha256.as_ref().map(|hash| format!(", SHA-256 of the whole {hash}")).unwrap_or_default();
    format!("the first {BODY_BYTES_MAX} of {} bytes{hash}; it cannot be replayed\n             ", row.body_bytes)
}

async fn replay(env: &AppEnv, store: &Store, output: Output, change: &DeadLetterChange) -> Result<(), Fault> {
    let selected = selected(store, change).await?;
    if change.dry_run {
        return print_result(output, "would be replayed", &selected, &selected);
    }
    let broker = env.broker(store).await?;
    note(store, "replay_many", "", json!({"ids": selected})).await?;
    let (progress, mut done) = (Progress::new(output, "replaying", selected.len()), 0);
    let replayed = broker::replay(&broker, store, &selected, |dealt_with| {
        done = dealt_with;
        progress.at(dealt_with);
    });
    let replayed = replayed.await.map_err(|error| partly_done(error.into(), done, selected.len()))?;
    progress.done();
    print_result(output, "replayed", &replayed, &selected)
}

async fn discard(store: &Store, output: Output, change: &DeadLetterChange, yes: bool) -> Result<(), Fault> {
    let selected = selected(store, change).await?;
    if change.dry_run {
        return print_result(output, "would be discarded", &selected, &selected);
    }
    // A discard cannot be undone; letters that were named by id are intended.
    let is_meant = yes || selected.len() < 2 || !change.selection.id.is_empty();
    let question = format!("Discard {} dead letters permanently? They cannot be replayed afterwards.", selected.len());
    confirm::require(is_meant, question, "--yes discards them without asking, --dry-run shows which").await?;
    note(store, "discard_many", "", json!({"ids": selected})).await?;
    let progress = Progress::new(output, "discarding", selected.len());
    let mut discarded = Vec::with_capacity(selected.len());
    for (at, group) in selected.chunks(DISCARDED_AT_ONCE).enumerate() {
        let done = at * DISCARDED_AT_ONCE;
        let gone = store
            .dead_letters()
            .discard(group)
            .await
            .map_err(|error| partly_done(error.into(), done, selected.len()))?;
        discarded.extend(gone);
        progress.at(done + group.len());
    }
    progress.done();
    print_result(output, "discarded", &discarded, &selected)
}

fn partly_done(fault: Fault, done: usize, of: usize) -> Fault {
    fault.context(format!("{done} of {of} are done; the others are still waiting"))
}

/// Prints what was done; some may have been replayed or discarded by others in the meantime.
fn print_result(output: Output, what: &str, done: &[i64], selected: &[i64]) -> Result<(), Fault> {
    let done_set: HashSet<&i64> = done.iter().collect();
    let gone: Vec<&i64> = selected.iter().filter(|id| !done_set.contains(id)).collect();
    output.item(&json!({"count": done.len(), "what": what, "ids": done, "gone": gone}), || match gone.len() {
        0 => format!("{} {what}", done.len()),
        gone => format!("{} {what}, {gone} had already been replayed or discarded", done.len()),
    })
}

async fn selected(store: &Store, change: &DeadLetterChange) -> Result<Vec<i64>, Fault> {
    let selection = &change.selection;
    if selection.is_empty() {
        return Err(Fault::input("choose which ones: --id 1,2, --all, --reason CODE, --switch NAME or --since 2h"));
    }
    did_you_mean::known_reason(store, selection.reason.as_deref()).await?;
    let ids = store.dead_letters().ids(&filter(store, selection).await?).await?;
    match selection.id.iter().find(|id| ids.binary_search(id).is_err()) {
        Some(id) => Err(why_not_selected(store, *id).await?),
        None => Ok(ids),
    }
}

/// Why a dead letter that was named is not among those selected.
async fn why_not_selected(store: &Store, id: i64) -> Result<Fault, Fault> {
    let text = match store.dead_letters().get(id).await?.row.state.as_str() {
        "waiting" => format!("dead letter {id} does not match the other options"),
        state => format!("dead letter {id} was already {state}"),
    };
    Ok(Fault::input(text).with_hint("`vmacd dead-letters list` lists those that are waiting"))
}

async fn filter(store: &Store, selection: &DeadLetterSelection) -> Result<DeadLetterFilter, Fault> {
    let now = store.now().await?;
    Ok(DeadLetterFilter {
        ids: selection.id.clone(),
        reason: selection.reason.clone(),
        switch: selection.switch.clone(),
        since: selection.since.as_deref().map(|text| time_ago("--since", text, now)).transpose()?,
        ..DeadLetterFilter::default()
    })
}
