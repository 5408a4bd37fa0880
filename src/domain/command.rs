//! What producers ask for, and the order in which their intents count.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BindableAddress, Desired, GroupName, Mac, PoolName, VlanName};

/// What a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// When the producer issued it, milliseconds since 1970 UTC, if it said so.
    pub issued_at_ms: Option<i64>,
    /// Who asked, free text for the row.
    pub requested_by: Option<String>,
    /// The producer's own reference, free text for the row.
    pub reference: Option<String>,
}

impl Command {
    /// The idempotency key: the message's id, else (command, server, address, time of issue).
    pub fn key(&self, message_id: Option<&str>, issued_at_ms: i64) -> MessageKey {
        MessageKey(message_id.map_or_else(
            || format!("{}/{}/{}/{issued_at_ms}", self.action, self.server_id, self.ip_address),
            str::to_owned,
        ))
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
/// A revoke outranks whatever else is of the same millisecond, because taking a right away late is worse
/// than granting it late; the key makes the order total, so that every worker decides alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentOrder {
    /// When the producer issued it, milliseconds since 1970 UTC.
    pub issued_at_ms: i64,
    /// Create ranks below revoke.
    pub action: Action,
    /// The idempotency key.
    pub key: MessageKey,
    /// What it wants here: a move wants two things, one of each server.
    pub wants: Desired,
}

/// The newest intent known for one (server, address).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The server.
    pub server_id: i64,
    /// The address.
    pub ip_address: BindableAddress,
    /// Its place in the order, and with it what is wanted.
    pub order: IntentOrder,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(issued_at_ms: i64, action: Action, key: &str) -> IntentOrder {
        IntentOrder { issued_at_ms, action, key: MessageKey(key.to_owned()), wants: action.wants() }
    }

    #[test]
    fn later_intents_win_and_a_revoke_wins_a_tie() {
        assert!(order(2, Action::Create, "a") > order(1, Action::Revoke, "z"));
        assert!(order(1, Action::Revoke, "a") > order(1, Action::Create, "z"));
        assert!(order(1, Action::Create, "b") > order(1, Action::Create, "a"));
    }

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
            issued_at_ms: None,
            requested_by: None,
            reference: None,
        };
        assert_eq!(command.key(Some("m-1"), 5).0, "m-1");
        assert_eq!(command.key(None, 5).0, "create/7/10.0.0.9/5");
    }
}
