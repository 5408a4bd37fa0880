//! Has a switch's configuration ready before its lock is taken, so that under the lock only the version is compared.

use std::time::Duration;

use crate::domain::{Switch, chain};
use crate::switch::{KnownConfiguration, PushBackup, SwitchClient, SwitchError, Version};
use crate::worker::context::Context;

/// How long what was read counts as the newest without asking. It is compared under the lock all the same: a wrong guess
/// costs time there.
const FRESH: Duration = Duration::from_secs(20);

/// The switch's configuration: remembered, else read now. `None` leaves the reading to the push, under its lock.
///
/// # Errors
/// [`SwitchError`]; nothing was changed.
pub(in crate::worker) async fn known_configuration(
    context: &Context,
    client: &mut SwitchClient,
    switch: &Switch,
) -> Result<Option<KnownConfiguration>, SwitchError> {
    if let Some((known, age)) = context.memory.take(switch) {
        let is_newest = age < FRESH
            || match client.history().await {
                Err(error) if error.breaks_session() => return Err(error),
                history => history.is_ok_and(|history| known.is_of(&history)),
            };
        if is_newest {
            return Ok(Some(known));
        }
    }
    match client.read_ahead().await {
        Ok(Some(known)) => Ok(Some(with_stored_backup(context, switch, known).await)),
        Err(error) if error.breaks_session() => Err(error),
        // What the switch refuses now it refuses under the lock, where the error is reported in full.
        Ok(None) | Err(_) => Ok(None),
    }
}

/// Remembers the switch's configuration, with its text in the database.
pub(in crate::worker) async fn remember(context: &Context, switch: &Switch, known: KnownConfiguration) {
    if known.version.is_some() {
        let known = with_stored_backup(context, switch, known).await;
        if matches!(known.backup, PushBackup::Stored(_)) {
            context.memory.put(switch, known);
        }
    }
}

/// The same with its text stored in the database; if that fails, the push stores it.
async fn with_stored_backup(context: &Context, switch: &Switch, mut known: KnownConfiguration) -> KnownConfiguration {
    if let PushBackup::Text(text) = &known.backup {
        match context.store.backups().keep_content(&switch.name, text).await {
            Ok(hash) => known.backup = PushBackup::Stored(hash),
            Err(error) => {
                tracing::debug!(switch = %switch.name, error = chain(&error), "could not store the configuration ahead of the push")
            }
        }
    }
    known
}

/// Reads the switch's configuration while nobody waits for it. With the version that the push left, this is one request less.
///
/// # Errors
/// [`SwitchError`]; nothing was changed.
pub(in crate::worker) async fn read(
    context: &Context,
    client: &mut SwitchClient,
    switch: &Switch,
    left_at: Option<Version>,
) -> Result<(), SwitchError> {
    let mut known = match left_at {
        Some(version) => client.read_left(version).await?,
        None => None,
    };
    if known.is_none() {
        known = client.read_ahead().await?;
    }
    if let Some(known) = known {
        remember(context, switch, known).await;
    }
    Ok(())
}
