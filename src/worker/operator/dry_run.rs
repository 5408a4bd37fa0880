//! What commands would come to, without a trace: the store takes them in and takes them back again, and each switch that
//! they would change compares under its lease what would be loaded.
//!
//! Whatever a message may ask for is shown this way, as it is the worker's own admission and the push's own plan.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;

use crate::broker::Message;
use crate::config::Settings;
use crate::domain::plan::Wish;
use crate::domain::{BindableAddress, Failure, SwitchName};
use crate::store::{Admission, Rehearsal, Store, WorkItem};
use crate::switch::{self, ChangePreview};
use crate::worker::intake::arrival_numbers::ArrivalNumbers;
use crate::worker::intake::read::read_command;
use crate::worker::operator::session::OperatorSession;
use crate::worker::push::store_journal::wishes;
use crate::worker::switches::lease;

/// Switches that are asked side by side.
const SIDE_BY_SIDE: usize = 16;

/// What commands would come to.
#[derive(Debug)]
pub struct DryRun {
    /// What the database says of each address, in the order of the messages.
    pub admissions: Vec<(BindableAddress, Admission)>,
    /// The rows whose MAC was drawn for this: another one is drawn when it is done.
    pub drawn: Vec<i64>,
    /// What each switch says, or why it says nothing.
    pub switches: Vec<(SwitchName, Result<ChangePreview, Failure>)>,
}

/// Tries the messages out. Waits for a switch that a worker keeps for as long as `patience`.
///
/// # Errors
/// What a worker would refuse for its form, or trouble of the database.
pub async fn dry_run(
    store: &Store,
    settings: &Arc<Settings>,
    messages: Vec<Message>,
    patience: Duration,
) -> Result<DryRun, Failure> {
    let now_ms = store.now().await.map_err(|error| lease::failure(&error))?.timestamp_millis();
    let arrival_numbers = ArrivalNumbers::default();
    let read = messages.into_iter().map(|mut message| read_command(&mut message, arrival_numbers.next(None, now_ms)));
    let group = read.collect::<Result<Vec<_>, _>>()?;
    let mut rng: StdRng = rand::make_rng();
    let rehearsal = store.intake().rehearse(&group, &mut rng).await.map_err(|error| lease::failure(&error))?;
    let Rehearsal { admissions, drawn, work } = rehearsal;
    let asked = work.into_iter().map(|(name, items)| async move {
        let seen = on_switch(store, settings, &name, &items, patience).await;
        (name, seen)
    });
    let switches = stream::iter(asked).buffered(SIDE_BY_SIDE).collect().await;
    let addresses = group.iter().map(|incoming| incoming.command.ip_address);
    Ok(DryRun { admissions: addresses.zip(admissions).collect(), drawn, switches })
}

async fn on_switch(
    store: &Store,
    settings: &Arc<Settings>,
    name: &SwitchName,
    items: &[WorkItem],
    patience: Duration,
) -> Result<ChangePreview, Failure> {
    let mut session = OperatorSession::begin(store.clone(), settings.clone(), name, "dry-run").await?;
    let seen = under_lease(&mut session, items.iter().flat_map(wishes).collect(), patience).await;
    session.end().await;
    seen
}

async fn under_lease(
    session: &mut OperatorSession,
    wishes: Vec<Wish>,
    patience: Duration,
) -> Result<ChangePreview, Failure> {
    let present = session.client.bindings().await.map_err(|error| error.failure())?;
    let owned = session.store.vmacs().ownership(&session.switch, &wishes, &present).await;
    let owned = owned.map_err(|error| lease::failure(&error))?;
    let lease = session.lease(patience).await?;
    let preview = switch::preview_changes(&mut session.client, wishes, &owned);
    let seen = lease::keeping(&session.store, &lease, preview).await;
    session.release(&lease).await;
    seen
}
