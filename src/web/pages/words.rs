//! Words for states, as an operator says them.

use crate::domain::Code;

/// What is wrong with a switch.
pub(super) const fn of_switch(code: Code) -> &'static str {
    match code {
        Code::Unreachable => "Unreachable",
        Code::ConnectionLost => "Connection lost",
        Code::LoginRefused => "Login refused",
        Code::PermissionDenied => "Login may not configure",
        Code::CredentialMissing => "Credential missing",
        Code::HostKeyMissing => "Host key not pinned",
        Code::HostKeyChanged => "Host key changed",
        Code::LockedByOther => "Locked by somebody else",
        Code::CandidateDirty => "Uncommitted edits of somebody else",
        Code::ConfirmPending => "A commit of somebody else waits for its confirmation",
        Code::Frozen => "Site frozen",
        Code::SiteLimit => "Commit limit of the site reached",
        Code::LeaseHeld => "Another worker is pushing",
        Code::LeaseLost => "The lease went to another worker",
        Code::CommitUnanswered => "A commit got no answer",
        Code::SwitchTrouble => "The switch reports trouble of its own",
        Code::ConfigurationRefused => "The switch refuses every commit for something that is none of the changes",
        Code::ReplyNotUnderstood => "The switch answers in a way that is not understood",
        Code::WorkerTrouble => "The worker's host is out of resources",
        Code::DatabaseTrouble => "The database did not answer",
        other => other.as_str(),
    }
}

/// A number with its noun.
pub(super) fn plural(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FailureClass;

    #[test]
    fn every_trouble_of_a_switch_has_words() {
        // An address is released, not a switch.
        let of_switches = Code::ALL.iter().filter(|code| code.class() == FailureClass::Deferred);
        for code in of_switches.filter(|code| **code != Code::AddressReleasing) {
            assert_ne!(of_switch(*code), code.as_str(), "{code}");
        }
        assert_eq!((plural(1, "switch", "switches").as_str(), plural(2, "a", "b").as_str()), ("1 switch", "2 b"));
    }
}
