//! What changes would come to: loaded into the locked candidate, compared by the switch itself, and discarded again.

use std::collections::VecDeque;
use std::time::Instant;

use super::blame::{AddressSteps, by_address, is_over, narrow};
use super::planning::planned;
use crate::domain::Failure;
use crate::domain::plan::{Change, Ownership, Planned, Step, Wish};
use crate::switch::client::SwitchClient;
use crate::switch::error::SwitchError;

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
    let preview = load_and_compare(client, wishes, owned).await;
    discard_and_unlock(client, preview).await
}

/// Discards what was loaded under our lock, and unlocks.
pub(in crate::switch) async fn discard_and_unlock<T>(
    client: &mut SwitchClient,
    seen: Result<T, SwitchError>,
) -> Result<T, Failure> {
    let tidied = match client.discard().await {
        Ok(()) => client.unlock().await,
        Err(error) => Err(error),
    };
    let seen = seen.map_err(|error| error.failure())?;
    tidied.map(|()| seen).map_err(|error| error.failure())
}

async fn load_and_compare(
    client: &mut SwitchClient,
    wishes: Vec<Wish>,
    owned: &Ownership,
) -> Result<ChangePreview, SwitchError> {
    let present = client.bindings().await?;
    let (changing, mut settled): (Vec<_>, Vec<_>) = planned(client, wishes, &present, None, owned)
        .await?
        .into_iter()
        .partition(|step| step.as_ref().is_ok_and(|step| !step.changes.is_empty()));
    settled.extend(load(client, changing.into_iter().flatten().collect()).await?);
    Ok(ChangePreview { difference: client.difference().await?, planned: settled })
}

/// Loads the steps; what the switch refuses is narrowed as in a push and within the same bounds, so that the candidate holds
/// all the others. What is left at the bounds fails with the newest refusal.
async fn load(client: &mut SwitchClient, steps: Vec<Step>) -> Result<Vec<Planned>, SwitchError> {
    let (mut loaded, mut refused): (Vec<Step>, Vec<Planned>) = (Vec::new(), Vec::new());
    let mut groups: VecDeque<Vec<AddressSteps>> = VecDeque::from([by_address(steps)]);
    let (mut refusals, mut first_refused) = (0, None);
    while let Some(group) = groups.pop_front().filter(|group| !group.is_empty()) {
        let Err(error) = client.load(&changes(group.iter().flatten())).await else {
            loaded.extend(group.into_iter().flatten());
            continue;
        };
        let SwitchError::Refused { errors, .. } = &error else { return Err(error) };
        load_again(client, &loaded).await?;
        refusals += 1;
        let ends = is_over(refusals, first_refused.get_or_insert_with(Instant::now).elapsed());
        if group.len() > 1 && !ends {
            narrow(group, errors).into_iter().rev().for_each(|part| groups.push_front(part));
            continue;
        }
        let failure = if group.len() > 1 { not_singled_out(&error, refusals) } else { error.failure() };
        refused.extend(failed(group, &failure));
        if ends {
            let failure = not_singled_out(&error, refusals);
            refused.extend(groups.drain(..).flat_map(|group| failed(group, &failure)));
        }
    }
    Ok(loaded.into_iter().map(Ok).chain(refused).collect())
}

fn failed(group: Vec<AddressSteps>, failure: &Failure) -> Vec<Planned> {
    group.into_iter().flatten().map(|step| (step.wish, failure.clone())).map(Err).collect()
}

/// The failure of changes that were refused together and not tried one by one.
fn not_singled_out(error: &SwitchError, refusals: u32) -> Failure {
    let failure = error.failure();
    let text = format!(
        "not tried alone: loading stopped after {refusals} refusals, to keep the lock of the switch short; the last refusal: {}",
        failure.text
    );
    Failure::new(failure.code, text)
}

/// After a refusal nobody knows what of it the candidate holds.
async fn load_again(client: &mut SwitchClient, loaded: &[Step]) -> Result<(), SwitchError> {
    client.discard().await?;
    if loaded.is_empty() { Ok(()) } else { client.load(&changes(loaded.iter())).await }
}

fn changes<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<Change> {
    steps.flat_map(|step| step.changes.clone()).collect()
}
