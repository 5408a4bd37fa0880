//! A session to a switch for an operator's command, outside of the switch's lane but under its lease.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Settings;
use crate::domain::{Failure, SwitchName, chain};
use crate::store::Store;
use crate::switch::SwitchClient;
use crate::worker::context::holder_name;
use crate::worker::switches::connect::connect;
use crate::worker::switches::lease::{self, LeaseInHand};

/// The session, and what is needed for the lease.
pub(in crate::worker) struct OperatorSession {
    pub store: Store,
    pub settings: Arc<Settings>,
    pub switch: SwitchName,
    pub client: SwitchClient,
    holder: String,
}

impl OperatorSession {
    /// Logs in to the switch. The purpose is the first part of the lease holder's name.
    ///
    /// # Errors
    /// A [`Failure`] of the switch, its login or the database.
    pub async fn begin(
        store: Store,
        settings: Arc<Settings>,
        switch: &SwitchName,
        purpose: &str,
    ) -> Result<Self, Failure> {
        let known = store.switches().get(switch).await.map_err(|error| lease::failure(&error))?;
        let client = connect(&settings, &known.switch, known.dialect_found).await?;
        let holder = format!("{purpose}/{}", holder_name(&settings.worker.name));
        Ok(Self { store, settings, switch: switch.clone(), client, holder })
    }

    /// Takes the lease; waits for its holder.
    ///
    /// # Errors
    /// As [`lease::wait_for`].
    pub async fn lease(&self, patience: Duration) -> Result<Arc<LeaseInHand>, Failure> {
        lease::wait_for(&self.store, &self.settings, &self.switch, &self.holder, patience).await
    }

    /// Gives the lease back.
    pub async fn release(&self, lease: &LeaseInHand) {
        if let Err(error) = self.store.leases().release(&lease.lease).await {
            tracing::warn!(switch = %self.switch, error = chain(&error), "lease not released; it expires by itself");
        }
    }

    /// Closes the session in order.
    pub async fn end(self) {
        self.client.close().await;
    }
}
