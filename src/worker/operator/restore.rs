//! Bringing a switch's configuration back to what a backup holds, as an operator asks for.
//!
//! The same lease and journal as for a push, so that no worker pushes meanwhile and none takes what happened for
//! something else. Rows are level-triggered: those whose bindings differ afterwards are queued before the commit, so
//! that a worker drives them again whatever becomes of this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::config::Settings;
use crate::domain::plan::{PortVlans, PresentBinding, Wish, plan};
use crate::domain::{Desired, Duplicates, Failure, SwitchName};
use crate::store::{PushResults, SiteLimits, Store};
use crate::switch::{self, Journal, PushOptions, RestoreDifference, RestoreEnd, RestoreTarget, Stage};
use crate::worker::operator::session::OperatorSession;
use crate::worker::push::call_off::InFlight;
use crate::worker::push::store_journal::{StoreJournal, wishes};
use crate::worker::switches::lease::{self, LeaseInHand};

/// A session to the switch that is to be restored.
pub struct Restorer {
    session: OperatorSession,
    despite_freeze: bool,
}

/// What a restore would come to.
pub struct RestorePreview {
    /// What would change on the switch.
    pub difference: RestoreDifference,
    /// What rows want otherwise: the workers bring it about again afterwards.
    pub disagreeing: Vec<Disagreement>,
}

/// A row that wants something else than the restored configuration holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The row and what it wants.
    pub wish: Wish,
    /// Why a worker cannot bring it about, where it cannot.
    pub failure: Option<Failure>,
}

impl Disagreement {
    /// True when the configuration lacks a binding that is wanted, false when it has one that is not.
    pub fn is_missing(&self) -> bool {
        self.wish.desired == Desired::Bound
    }
}

impl Restorer {
    /// Logs in to the switch.
    ///
    /// # Errors
    /// A [`Failure`] of the switch, its login or the database.
    pub async fn open(store: Store, settings: Arc<Settings>, switch: &SwitchName) -> Result<Self, Failure> {
        Ok(Self { session: OperatorSession::begin(store, settings, switch, "restore").await?, despite_freeze: false })
    }

    /// The same for an operator who knows that the switch's site is frozen.
    pub fn despite_freeze(self, despite_freeze: bool) -> Self {
        Self { despite_freeze, ..self }
    }

    /// Has the switch report what would change, and changes nothing.
    ///
    /// # Errors
    /// [`crate::domain::Code::LeaseHeld`] where a worker keeps the switch for longer than `patience`, or the switch's
    /// own refusal.
    pub async fn preview(&mut self, wanted: &RestoreTarget, patience: Duration) -> Result<RestorePreview, Failure> {
        let session = &mut self.session;
        let lease = session.lease(patience).await?;
        let preview = switch::preview(&mut session.client, wanted);
        let difference = lease::keeping(&session.store, &lease, preview).await;
        session.release(&lease).await;
        let difference = difference?;
        let disagreeing = self.disagreeing(&difference.bindings).await?;
        Ok(RestorePreview { difference, disagreeing })
    }

    /// Brings the configuration back, if that still changes what the preview says.
    ///
    /// # Errors
    /// As [`Self::preview`]; [`crate::domain::Code::Frozen`] where the switch's site is; of the class unknown where a commit was sent and no answer came: then the next push, or the
    /// switch's own timer, decides.
    pub async fn restore(
        &mut self,
        wanted: &RestoreTarget,
        agreed: &RestorePreview,
        patience: Duration,
    ) -> Result<RestoreEnd, Failure> {
        let lease = self.session.lease(patience).await?;
        let end = self.under(&lease, wanted, agreed).await;
        // Where the results were written, the lease was given back with them.
        self.session.release(&lease).await;
        end
    }

    async fn under(
        &mut self,
        lease: &Arc<LeaseInHand>,
        wanted: &RestoreTarget,
        agreed: &RestorePreview,
    ) -> Result<RestoreEnd, Failure> {
        let rows: Vec<i64> = agreed.disagreeing.iter().map(|row| row.wish.vmac_id).collect();
        let OperatorSession { store, settings, switch, client, .. } = &mut self.session;
        store.work().queue_again(switch, &rows).await.map_err(|error| lease::failure(&error))?;
        let limits = SiteLimits { heeds_freezes: !self.despite_freeze, commits_per_minute_max: 0 };
        let opened = store.pushes().open(&lease.lease, limits).await.map_err(|error| lease::failure(&error))?;
        let count = AtomicUsize::new(0);
        let in_flight = InFlight::new(&count);
        let mut journal = StoreJournal::new(store, lease, &in_flight, limits, ());
        journal.unresolved = opened.unresolved;
        journal.reached(Stage::Connected);
        let options = PushOptions { confirm_timeout_min: settings.ssh.confirm_timeout_min };
        let end = switch::restore(client, &mut journal, &options, wanted, &agreed.difference);
        let end = lease::keeping(store, lease, end).await;
        let results = PushResults { ends: journal.ends(), ..PushResults::default() };
        let written = store.pushes().record(&lease.lease, &results).await.map_err(|error| lease::failure(&error));
        let end = end?;
        written.map(|_| end)
    }

    /// Closes the session in order.
    pub async fn close(self) {
        self.session.end().await;
    }

    /// The rows for which a worker would change something on a switch with these bindings.
    async fn disagreeing(&self, present: &[PresentBinding]) -> Result<Vec<Disagreement>, Failure> {
        let OperatorSession { store, switch, .. } = &self.session;
        // What is bound to no MAC needs nothing removed.
        let addresses: Vec<_> = present.iter().map(|binding| binding.ip).collect();
        let rows = store.work().wanted_on(switch, &addresses).await.map_err(|error| lease::failure(&error))?;
        let wishes: Vec<Wish> = rows.iter().flat_map(wishes).collect();
        let owned = store.vmacs().ownership(switch, &wishes, present).await.map_err(|error| lease::failure(&error))?;
        let steps = plan(&wishes, present, &PortVlans::default(), &owned, Duplicates::UNTOLD);
        let mut disagreeing: HashMap<i64, Disagreement> = HashMap::new();
        for step in steps {
            let row = match step {
                Ok(step) if step.changes.is_empty() => continue,
                Ok(step) => Disagreement { wish: step.wish, failure: None },
                Err((wish, failure)) => Disagreement { wish, failure: Some(failure) },
            };
            disagreeing.entry(row.wish.vmac_id).or_insert(row);
        }
        let mut disagreeing: Vec<_> = disagreeing.into_values().collect();
        disagreeing.sort_by_key(|row| row.wish.vmac_id);
        Ok(disagreeing)
    }
}
