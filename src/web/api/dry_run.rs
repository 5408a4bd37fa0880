//! What a request would come to, and nothing is changed: the same as `--dry-run` of the command line.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::broker::Message;
use crate::domain::Failure;

/// Tries commands out without a trace.
#[async_trait]
pub trait DryRunner: Send + Sync + 'static {
    /// What the commands would come to.
    ///
    /// # Errors
    /// What a worker would refuse for its form, or trouble of the database.
    async fn dry_run(&self, messages: Vec<Message>) -> Result<DryRunReport, Failure>;
}

/// Whether a request is only tried out.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DryRunQuery {
    /// Only show what would change: nothing is queued, and the switches are asked but not changed.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a request would come to. Nothing was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRunReport {
    /// `true`.
    pub dry_run: bool,
    /// One entry for each address and switch port.
    pub changes: Vec<DryRunChange>,
    /// What each switch says.
    pub switches: Vec<DryRunSwitch>,
}

/// What would become of one address, on one port of a switch where it goes that far.
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
    /// True where another MAC is drawn when it is done.
    pub mac_is_example: bool,
    /// `would_bind`, `would_restore`, `would_remove`, `unchanged` or `refused`.
    pub outcome: String,
    /// The same as a sentence.
    pub text: String,
    /// Why it is refused: the reason code.
    pub code: Option<String>,
}

/// What one switch says.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRunSwitch {
    /// Its name.
    pub switch: String,
    /// The difference as the switch itself shows it; empty where nothing would change.
    pub diff: String,
    /// Why it could not be asked: the reason code.
    pub code: Option<String>,
    /// The same as a sentence.
    pub text: Option<String>,
}
