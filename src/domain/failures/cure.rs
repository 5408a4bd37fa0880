//! Who can put right what a code says: it decides where a dead letter is shown, and whether a replay is offered.

use super::failure::Code;

/// Who can put right what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cure {
    /// An operator, in the inventory, the settings or the rows; then a replay helps.
    Here,
    /// Somebody at the switch; then a replay helps.
    Switch,
    /// Nobody: it passes, and a replay helps.
    Time,
    /// The producer alone: the same message fails again however often it is replayed.
    Producer,
}

impl Cure {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Switch => "switch",
            Self::Time => "time",
            Self::Producer => "producer",
        }
    }
}

impl Code {
    /// Who can put it right.
    pub const fn cure(self) -> Cure {
        match self {
            Self::NotUtf8
            | Self::NotJson
            | Self::TooLarge
            | Self::InvalidEncoding
            | Self::UnknownCommand
            | Self::InvalidField
            | Self::InvalidAddress
            | Self::InvalidMac
            | Self::InvalidVlan
            | Self::MessageIdReused
            | Self::PrimaryAddress
            | Self::MacTaken => Cure::Producer,
            Self::UnknownServer
            | Self::ServerWithoutPort
            | Self::AddressTaken
            | Self::ReservedDifferently
            | Self::UnknownPool
            | Self::PoolExhausted
            | Self::BoundDifferently
            | Self::NotBound
            | Self::UnknownSwitch
            | Self::VlanUnresolved
            | Self::Ipv6Unsupported
            | Self::HostKeyMissing
            | Self::HostKeyChanged
            | Self::CredentialMissing
            | Self::LoginRefused
            | Self::WorkerTrouble
            | Self::DatabaseTrouble
            | Self::Frozen
            | Self::ReplyNotUnderstood
            | Self::DeliveryLimit => Cure::Here,
            Self::UnknownVlan
            | Self::InactiveStatement
            | Self::InheritedBinding
            | Self::ForeignBinding
            | Self::AddressElsewhere
            | Self::RefusedBySwitch
            | Self::DuplicateMac
            | Self::PermissionDenied
            | Self::Unreachable
            | Self::ConfigurationRefused
            | Self::ReadBackDiffers
            | Self::LockedByOther
            | Self::CandidateDirty
            | Self::ConfirmPending => Cure::Switch,
            Self::IssuedInFuture
            | Self::ConnectionLost
            | Self::SwitchTrouble
            | Self::LeaseHeld
            | Self::LeaseLost
            | Self::AddressReleasing
            | Self::SiteLimit
            | Self::CommitUnanswered => Cure::Time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FailureClass;

    #[test]
    fn what_only_the_producer_can_put_right_is_never_tried_again() {
        let producers = Code::ALL.iter().filter(|code| code.cure() == Cure::Producer);
        let retried: Vec<_> = producers.filter(|code| code.class() != FailureClass::Permanent).collect();
        assert!(retried.is_empty(), "{retried:?}");
    }
}
