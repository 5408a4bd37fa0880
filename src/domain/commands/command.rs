//! What producers ask for, and the order in which their intents count.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{BindableAddress, Desired, GroupName, Issued, Mac, PoolName, Position, VlanName};

/// What a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Bind a virtual MAC to the address.
    Create,
    /// Give the address another virtual MAC.
    Rotate,
    /// Take the address with its virtual MAC to another server.
    Move,
    /// Take it off again.
    Revoke,
}

impl Action {
    /// Every one there is.
    pub const ALL: [Self; 4] = [Self::Create, Self::Rotate, Self::Move, Self::Revoke];

    /// The routing key that carries it, such as `vmac.create`.
    pub const fn routing_key(self) -> &'static str {
        match self {
            Self::Create => "vmac.create",
            Self::Rotate => "vmac.rotate",
            Self::Move => "vmac.move",
            Self::Revoke => "vmac.revoke",
        }
    }

    /// The text used in the database, such as `create`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Rotate => "rotate",
            Self::Move => "move",
            Self::Revoke => "revoke",
        }
    }

    /// What it wants of the server that it names; a move names the one that the address goes to.
    pub const fn wants(self) -> Desired {
        match self {
            Self::Create | Self::Rotate | Self::Move => Desired::Bound,
            Self::Revoke => Desired::Unbound,
        }
    }

    /// Its place among commands that were issued at the same time: a right is rather taken away early than late.
    pub(super) const fn precedence(self) -> i64 {
        match self {
            Self::Create => 0,
            Self::Rotate => 1,
            Self::Move => 2,
            Self::Revoke => 3,
        }
    }

    /// The action of a text as stored, or of a routing key.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| text == action.as_str() || text == action.routing_key())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One validated command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is asked for.
    pub action: Action,
    /// The server's number in the provider's panel; of a move the server that the address goes to.
    pub server_id: i64,
    /// The server that the address leaves, for a move.
    pub from_server_id: Option<i64>,
    /// The address it is about.
    pub ip_address: BindableAddress,
    /// The VLAN the producer names, for a create or a move.
    pub vlan_name: Option<VlanName>,
    /// The MAC the producer wants, for a create or a rotation; already checked with [`Mac::as_virtual`], or with
    /// [`Mac::as_shared`] where a group is named.
    pub mac_address: Option<Mac>,
    /// The group of servers that share the address, for a create.
    pub group: Option<GroupName>,
    /// The pool that the producer names, for a create.
    pub pool: Option<PoolName>,
    /// When the producer issued it, if the body says so.
    pub issued: Option<Issued>,
    /// Who asked, free text for the row.
    pub requested_by: Option<String>,
    /// The producer's own reference, free text for the row.
    pub reference: Option<String>,
}

impl Command {
    /// The idempotency key: the message's id, else (command, server, address, time of issue). A message that does not say
    /// when it was issued is told from others by its arrival.
    pub fn key(&self, message_id: Option<&str>, issued: Issued, arrival: i64) -> MessageKey {
        let time = match issued {
            Issued::At { ms, nanos: 0 } | Issued::Within { from_ms: ms, .. } => ms.to_string(),
            Issued::At { ms, nanos } => format!("{ms}.{nanos:06}"),
            Issued::Unsaid => format!("arrival-{arrival}"),
        };
        let content = || format!("{}/{}/{}/{time}", self.action, self.server_id, self.ip_address);
        MessageKey(message_id.map_or_else(content, str::to_owned))
    }
}

/// The idempotency key of a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageKey(pub String);

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of a command among all those for its (server, address): the greatest one wins.
///
/// The key makes the order total, so that every worker decides alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentOrder {
    /// By time, and by arrival.
    pub position: Position,
    /// The idempotency key.
    pub key: MessageKey,
    /// What it asks for.
    pub action: Action,
    /// What it wants here: a move wants two things, one of each server.
    pub wants: Desired,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_the_key_and_the_content_serves_where_there_is_none() {
        let command = Command {
            action: Action::Create,
            server_id: 7,
            from_server_id: None,
            ip_address: "10.0.0.9".parse().expect("an address"),
            vlan_name: None,
            mac_address: None,
            group: None,
            pool: None,
            issued: None,
            requested_by: None,
            reference: None,
        };
        let key = |id, issued| command.key(id, issued, 9).0;
        assert_eq!(key(Some("m-1"), Issued::Unsaid), "m-1");
        assert_eq!(key(None, Issued::At { ms: 5, nanos: 0 }), "create/7/10.0.0.9/5");
        assert_eq!(key(None, Issued::At { ms: 5, nanos: 30 }), "create/7/10.0.0.9/5.000030");
        assert_eq!(key(None, Issued::second(5)), "create/7/10.0.0.9/5000");
        assert_eq!(key(None, Issued::Unsaid), "create/7/10.0.0.9/arrival-9");
    }
}
