//! What was decided for the commands of a round.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::incoming::Incoming;
use super::read::ServerAddress;
use crate::domain::{
    Action, BindableAddress, Draws, Failure, GroupName, IntentOrder, Mac, MessageKey, PoolName, Position, VlanName,
};
use crate::store::commands::row::CommandRow;

/// What was decided for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommandVerdict {
    /// It has its outcome already.
    Answered,
    /// It drives the live row of its address, which may be yet to be allocated.
    OnRow,
    /// There is nothing to revoke.
    NothingToRevoke,
    /// A newer intent won.
    Superseded(IntentOrder),
    /// It cannot be done, or not now, by the failure's class; [`Decision::let_wait`] distinguishes the two.
    Failed(Failure),
    /// It cannot be done now, and is retried.
    Waits(Wait),
    /// It waits already, and its own tries are what counts: this was a copy.
    StillWaits(Failure),
}

/// A row to be made.
#[derive(Debug, Clone)]
pub(super) struct Allocation {
    /// What asks for it: a create, or a rotation, which has its row already.
    pub action: Action,
    pub place: ServerAddress,
    pub mac: Option<Mac>,
    /// What is drawn where no MAC is fixed.
    pub draws: Draws,
    pub pool: Option<PoolName>,
    pub vlan: Option<VlanName>,
    pub group: Option<GroupName>,
    pub requested_by: Option<String>,
    pub reference: Option<String>,
}

/// Everything that was decided for a round.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub verdicts: HashMap<MessageKey, CommandVerdict>,
    /// Rows of these addresses changed.
    pub changed: BTreeSet<BindableAddress>,
    pub allocations: Vec<Allocation>,
    /// New MACs for existing rows.
    pub rotations: Vec<Allocation>,
    /// The newest intents, where they are new.
    pub intents: BTreeMap<ServerAddress, IntentOrder>,
    /// The last position of all commands for each server's address.
    pub last: BTreeMap<ServerAddress, Position>,
    /// Places that commands waited for in vain, and of which nothing else is known: they are forgotten.
    pub forgotten: BTreeSet<ServerAddress>,
    /// Open commands of earlier rounds that a new intent overtook.
    pub superseded: Vec<(CommandRow, IntentOrder)>,
}

/// How a command waits to be admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wait {
    pub failure: Failure,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// How long it will have waited when it is retried.
    pub waited: Duration,
    /// How long from now that is.
    pub delay: Duration,
}

/// The server and the address that a command is about.
pub(super) fn place(incoming: &Incoming) -> ServerAddress {
    (incoming.command.server_id, incoming.command.ip_address)
}
