//! What somebody is about to change at the command line, written into the log before it is done.

use serde_json::Value;

use crate::cli::fault::Fault;
use crate::domain::{NewLogEntry, Via};
use crate::store::Store;

/// Writes an entry: the verb, what it is done to, and what was asked.
pub async fn note(store: &Store, action: &str, subject: impl ToString, details: Value) -> Result<(), Fault> {
    let entry = NewLogEntry {
        who: person(),
        // Whoever has the database's credentials may do everything.
        role: String::new(),
        via: Via::CommandLine,
        address: None,
        action: action.to_owned(),
        subject: subject.to_string(),
        details,
    };
    store.audit_log().add(entry).await?;
    Ok(())
}

/// Who types: the login, also behind sudo.
pub fn person() -> String {
    let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "the command line".to_owned())
}
