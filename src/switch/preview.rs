//! What changes would come to: loaded into the locked candidate, compared by the switch itself, and discarded again.

use std::collections::VecDeque;

use super::client::SwitchClient;
use super::error::SwitchError;
use super::narrow::{AddressSteps, by_address, narrow};
use super::planning::planned;
use crate::domain::Failure;
use crate::domain::plan::{Change, Ownership, Planned, Step, Wish};

/// What bringing about some wishes would change on a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePreview {
    /// In the switch's own words, as `show | compare` prints it; empty when nothing changes.
    pub difference: String,
    /// What each wish needs, or why it cannot be: the plan's reasons, and the switch's own where it refused the load.
    pub planned: Vec<Planned>,
}

/// Plans, loads, has the switch compare, and discards: what a push would do up to its commit, without a trace. `owned`
/// says which of the bindings for the addresses are vmacd's.
///
/// # Errors
/// The switch's trouble as a [`Failure`]; nothing was changed.
pub async fn preview_changes(
    client: &mut SwitchClient,
    wishes: Vec<Wish>,
    owned: &Ownership,
) -> Result<ChangePreview, Failure> {
    client.lock().await.map_err(|error| error.failure())?;
    let preview = look(client, wishes, owned).await;
    given_back(client, preview).await
}

/// Discards what was loaded under our lock, and unlocks.
pub(super) async fn given_back<T>(client: &mut SwitchClient, seen: Result<T, SwitchError>) -> Result<T, Failure> {
    let tidied = match client.discard().await {
        Ok(()) => client.unlock().await,
        Err(error) => Err(error),
    };
    let seen = seen.map_err(|error| error.failure())?;
    tidied.map(|()| seen).map_err(|error| error.failure())
}

async fn look(client: &mut SwitchClient, wishes: Vec<Wish>, owned: &Ownership) -> Result<ChangePreview, SwitchError> {
    let present = client.bindings().await?;
    let (changing, mut settled): (Vec<_>, Vec<_>) = planned(client, wishes, &present, None, owned)
        .await?
        .into_iter()
        .partition(|step| step.as_ref().is_ok_and(|step| !step.changes.is_empty()));
    settled.extend(load(client, changing.into_iter().flatten().collect()).await?);
    Ok(ChangePreview { difference: client.difference().await?, planned: settled })
}

/// Loads the steps; what the switch refuses is narrowed as in a push, so that the candidate holds all the others.
async fn load(client: &mut SwitchClient, steps: Vec<Step>) -> Result<Vec<Planned>, SwitchError> {
    let (mut loaded, mut refused): (Vec<Step>, Vec<Planned>) = (Vec::new(), Vec::new());
    let mut groups: VecDeque<Vec<AddressSteps>> = VecDeque::from([by_address(steps)]);
    while let Some(group) = groups.pop_front().filter(|group| !group.is_empty()) {
        match client.load(&changes(group.iter().flatten())).await {
            Ok(()) => loaded.extend(group.into_iter().flatten()),
            Err(error) => {
                let SwitchError::Refused { errors, .. } = &error else { return Err(error) };
                load_again(client, &loaded).await?;
                if group.len() > 1 {
                    narrow(group, errors).into_iter().rev().for_each(|part| groups.push_front(part));
                    continue;
                }
                for alone in group.into_iter().flatten() {
                    refused.push(Err((alone.wish, error.failure())));
                }
            }
        }
    }
    Ok(loaded.into_iter().map(Ok).chain(refused).collect())
}

/// After a refusal nobody knows what of it the candidate holds.
async fn load_again(client: &mut SwitchClient, loaded: &[Step]) -> Result<(), SwitchError> {
    client.discard().await?;
    if loaded.is_empty() { Ok(()) } else { client.load(&changes(loaded.iter())).await }
}

fn changes<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<Change> {
    steps.flat_map(|step| step.changes.clone()).collect()
}
