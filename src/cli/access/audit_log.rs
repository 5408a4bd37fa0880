//! `vmacd audit-log`: who changed what, and whether the log is as it was written.

use chrono::SecondsFormat;
use serde_json::Value;

use crate::cli::app_env::AppEnv;
use crate::cli::args::{AuditLogArgs, AuditLogVerb};
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::printable;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::Cell;
use crate::domain::LogEntry;
use crate::store::{CheckedLog, LogFilter, Store};

/// Entries read at once.
const PART: i64 = 1_000;

pub async fn run(env: AppEnv, output: Output, verb: AuditLogVerb) -> Result<(), Fault> {
    let store = env.store().await?;
    match verb {
        AuditLogVerb::List(args) => list(&store, output, args).await,
        AuditLogVerb::Verify => verify(&store, output).await,
    }
}

/// Newest first.
async fn list(store: &Store, output: Output, args: AuditLogArgs) -> Result<(), Fault> {
    let mut filter = Some(LogFilter { who: args.who, action: args.action, before: None });
    let read = async || {
        let Some(at) = filter.take() else { return Ok(None) };
        let entries = store.audit_log().list(&at, PART).await?;
        filter = entries.last().map(|last| LogFilter { before: Some(last.id), ..at });
        Ok(Some(entries))
    };
    output.stream(&["ENTRY", "TIME", "WHO", "VIA", "FROM", "ACTION", "SUBJECT", "DETAILS"], row, read).await
}

fn row(LogEntry { id, at, entry, .. }: &LogEntry) -> Vec<Cell> {
    let details = match &entry.details {
        Value::Object(fields) if fields.is_empty() => String::new(),
        details => details.to_string(),
    };
    vec![
        id.to_string().into(),
        at.to_rfc3339_opts(SecondsFormat::Secs, true).into(),
        printable(&entry.who).to_string().into(),
        entry.via.as_str().into(),
        entry.address.clone().unwrap_or_default().into(),
        printable(&entry.action).to_string().into(),
        printable(&entry.subject).to_string().into(),
        printable(&details).to_string().into(),
    ]
}

/// A log that is not as it was written is a fault, so that a timer notices.
async fn verify(store: &Store, output: Output) -> Result<(), Fault> {
    let checked = store.audit_log().check().await?;
    let CheckedLog { entries, hash, fault } = &checked;
    output.item(&checked, || match fault {
        None => format!("{entries} entries, none changed or removed; the last hash is {hash}"),
        Some(_) => format!("{entries} entries are as they were written"),
    })?;
    match fault {
        None => Ok(()),
        Some(fault) => Err(Fault::service(anyhow::anyhow!("the log of changes is not as it was written: {fault}"))
            .with_hint("compare it with an earlier `vmacd audit-log list --json` to see what was there")),
    }
}
