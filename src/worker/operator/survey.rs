//! Reading a switch for an audit: one session, nothing locked, nothing changed.

use crate::config::Settings;
use crate::domain::audit::{LearnedMac, SwitchContents};
use crate::domain::{Failure, SwitchName};
use crate::store::Store;
use crate::switch::{SwitchClient, SwitchError};
use crate::worker::switches::connect::connect;
use crate::worker::switches::lease;

/// What the switch holds and has learned.
///
/// # Errors
/// A [`Failure`] of the switch, its login or the database.
pub async fn survey(store: &Store, settings: &Settings, switch: &SwitchName) -> Result<SwitchContents, Failure> {
    let known = store.switches().get(switch).await.map_err(|error| lease::failure(&error))?;
    let mut client = connect(settings, &known.switch, known.dialect_found).await?;
    let seen = read(&mut client, switch).await;
    client.close().await;
    seen.map_err(|error| error.failure())
}

async fn read(client: &mut SwitchClient, switch: &SwitchName) -> Result<SwitchContents, SwitchError> {
    Ok(SwitchContents { switch: switch.clone(), bindings: client.bindings().await?, learned: learned(client).await? })
}

/// A switch that has no such table, or does not show it to this login, is surveyed without it.
async fn learned(client: &mut SwitchClient) -> Result<Vec<LearnedMac>, SwitchError> {
    match client.learned().await {
        Err(SwitchError::Refused { switch, .. } | SwitchError::PermissionDenied { switch, .. }) => {
            tracing::debug!(switch, "the switch does not report the MACs that it has learned");
            Ok(Vec::new())
        }
        learned => learned,
    }
}
