//! Dry runs: what a request would change, as `--dry-run` of the command line shows it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::broker::Message;
use crate::domain::Failure;

/// Simulates commands, and changes nothing.
#[async_trait]
pub trait DryRunner: Send + Sync + 'static {
    /// What the commands would change.
    ///
    /// # Errors
    /// What a worker would refuse for its form, or trouble of the database.
    async fn dry_run(&self, messages: Vec<Message>) -> Result<DryRunReport, Failure>;
}

/// Whether a request is only simulated.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DryRunQuery {
    /// Only show what would change: nothing is queued, and the switches are queried but not changed.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a request would change. Nothing was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRunReport {
    /// `true`.
    pub dry_run: bool,
    /// One entry for each address and switch port.
    pub changes: Vec<DryRunChange>,
    /// One entry for each switch.
    pub switches: Vec<DryRunSwitch>,
}

/// What would happen to one address, on one switch port if it gets that far.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRunChange {
    /// The address.
    pub ip_address: String,
    /// The switch.
    pub switch: Option<String>,
    /// The port.
    pub interface: Option<String>,
    /// The VLAN.
    pub vlan: Option<String>,
    /// The MAC that the address would have afterwards.
    pub mac_address: Option<String>,
    /// True if the MAC is an example: another one is chosen when the command runs.
    pub mac_is_example: bool,
    /// `would_bind`, `would_restore`, `would_remove`, `unchanged` or `refused`.
    pub outcome: String,
    /// The same as a sentence.
    pub text: String,
    /// The reason code, if the address is refused.
    pub code: Option<String>,
}

/// The difference on one switch.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRunSwitch {
    /// Its name.
    pub switch: String,
    /// The difference as the switch itself shows it; empty if nothing would change.
    pub diff: String,
    /// The reason code, if the switch could not be queried.
    pub code: Option<String>,
    /// The same as a sentence.
    pub text: Option<String>,
}
