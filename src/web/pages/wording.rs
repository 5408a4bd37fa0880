//! Words for states, and plurals.

use crate::domain::Code;

/// What is wrong with a switch.
pub(super) const fn switch_problem(code: Code) -> &'static str {
    match code {
        Code::Unreachable => "Unreachable",
        Code::ConnectionLost => "Connection lost",
        Code::LoginRefused => "Login refused",
        Code::PermissionDenied => "Login lacks permission to configure",
        Code::CredentialMissing => "Credential missing",
        Code::HostKeyMissing => "Host key not pinned",
        Code::HostKeyChanged => "Host key changed",
        Code::LockedByOther => "Locked by somebody else",
        Code::CandidateDirty => "Somebody else's uncommitted edits",
        Code::ConfirmPending => "Somebody else's commit is waiting to be confirmed",
        Code::Frozen => "Site frozen",
        Code::SiteLimit => "Commit limit of the site reached",
        Code::LeaseHeld => "Another worker is pushing",
        Code::LeaseLost => "Lease lost to another worker",
        Code::CommitUnanswered => "No answer to a commit",
        Code::SwitchTrouble => "The switch reports a problem of its own",
        Code::ConfigurationRefused => "The switch refuses every commit, for a reason unrelated to these changes",
        Code::ReplyNotUnderstood => "Unexpected answer from the switch",
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
            assert_ne!(switch_problem(*code), code.as_str(), "{code}");
        }
        assert_eq!((plural(1, "switch", "switches").as_str(), plural(2, "a", "b").as_str()), ("1 switch", "2 b"));
    }
}
