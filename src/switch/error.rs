//! What can go wrong with a switch, and what kind of failure each is.

use super::netconf::RpcError;
use crate::domain::{Code, Failure};

/// An error of the switch client. Never shows a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// The inventory pins no host key.
    #[error("{switch} has no pinned host key; `vmacd switches trust {switch}` shows and pins the one it has")]
    HostKeyMissing {
        /// The switch.
        switch: String,
    },
    /// Another host key than the pinned one.
    #[error(
        "{switch} showed the host key {shown}, but {pinned} is pinned; find out why before `vmacd switches trust {switch}`"
    )]
    HostKeyChanged {
        /// The switch.
        switch: String,
        /// The pinned fingerprint.
        pinned: String,
        /// The fingerprint that was shown.
        shown: String,
    },
    /// The credential cannot be used.
    #[error("the credential for {switch} cannot be used: {problem}")]
    Credential {
        /// The switch.
        switch: String,
        /// What is wrong, without the secret.
        problem: String,
    },
    /// The login was refused.
    #[error("{switch} refused the login of {user}")]
    LoginRefused {
        /// The switch.
        switch: String,
        /// The user.
        user: String,
    },
    /// No session could be opened.
    #[error("{switch} cannot be reached: {problem}")]
    Unreachable {
        /// The switch.
        switch: String,
        /// Why.
        problem: String,
    },
    /// This host has no file descriptor, memory or local port left to reach it with.
    #[error("{switch} was not tried: this host is short of something: {problem}")]
    HostShort {
        /// The switch.
        switch: String,
        /// What the system said.
        problem: String,
    },
    /// The login is good, and yet NETCONF does not answer.
    #[error("{switch} lets us in but does not speak NETCONF: {problem}")]
    NoNetconf {
        /// The switch.
        switch: String,
        /// Why.
        problem: String,
    },
    /// The connection broke, or no answer came, while nothing was being committed.
    #[error("lost {switch} while asked to {request}: {problem}")]
    Lost {
        /// The switch.
        switch: String,
        /// What it was asked.
        request: &'static str,
        /// What happened.
        problem: String,
    },
    /// The connection broke, or no answer came, after a commit was sent.
    #[error("{switch} gave no answer to a commit: {problem}")]
    Unanswered {
        /// The switch.
        switch: String,
        /// What happened.
        problem: String,
    },
    /// Somebody holds the candidate's lock.
    #[error("{switch}: {holder}")]
    LockHeld {
        /// The switch.
        switch: String,
        /// The switch's own words, which say who and since when.
        holder: String,
    },
    /// The candidate holds somebody's edits.
    #[error("{switch}: the candidate holds uncommitted edits of somebody else ({words})")]
    CandidateDirty {
        /// The switch.
        switch: String,
        /// The switch's own words.
        words: String,
    },
    /// The login may not do this.
    #[error("{switch}: permission denied when asked to {request} ({words})")]
    PermissionDenied {
        /// The switch.
        switch: String,
        /// What it was asked.
        request: &'static str,
        /// The switch's own words.
        words: String,
    },
    /// The switch has trouble of its own.
    #[error("{switch} could not {request}: {words}")]
    Trouble {
        /// The switch.
        switch: String,
        /// What it was asked.
        request: &'static str,
        /// The switch's own words.
        words: String,
    },
    /// The switch refuses the request for what it contains.
    #[error("{switch} refused to {request}: {}", words(errors))]
    Refused {
        /// The switch.
        switch: String,
        /// What it was asked.
        request: &'static str,
        /// Every error in its reply.
        errors: Vec<RpcError>,
    },
    /// The answer has a shape that is not known.
    #[error("{switch}: the answer to {request} was not understood: {problem}")]
    NotUnderstood {
        /// The switch.
        switch: String,
        /// What it was asked.
        request: &'static str,
        /// What was missing.
        problem: String,
    },
    /// A configuration that the switch would not hold as it is in the backup.
    #[error("{switch} would not hold the configuration as the backup has it: {problem}; nothing was changed")]
    NotWhole {
        /// The switch.
        switch: String,
        /// What it would hold otherwise.
        problem: String,
    },
}

/// The errors' words, one after another.
pub(super) fn words(errors: &[RpcError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl SwitchError {
    /// The failure that this is for a row.
    pub fn failure(&self) -> Failure {
        Failure::new(self.code(), self.to_string())
    }

    /// True when the session can no longer be used.
    pub fn breaks_session(&self) -> bool {
        matches!(
            self.code(),
            Code::ConnectionLost | Code::CommitUnanswered | Code::Unreachable | Code::ReplyNotUnderstood
        )
    }

    fn code(&self) -> Code {
        match self {
            Self::HostKeyMissing { .. } => Code::HostKeyMissing,
            Self::HostKeyChanged { .. } => Code::HostKeyChanged,
            Self::Credential { .. } => Code::CredentialMissing,
            Self::LoginRefused { .. } => Code::LoginRefused,
            Self::Unreachable { .. } | Self::NoNetconf { .. } => Code::Unreachable,
            Self::HostShort { .. } => Code::WorkerTrouble,
            Self::Lost { .. } => Code::ConnectionLost,
            Self::Unanswered { .. } => Code::CommitUnanswered,
            Self::LockHeld { .. } => Code::LockedByOther,
            Self::CandidateDirty { .. } => Code::CandidateDirty,
            Self::PermissionDenied { .. } => Code::PermissionDenied,
            Self::Trouble { .. } => Code::SwitchTrouble,
            Self::Refused { errors, .. } if is_duplicate_mac(errors) => Code::DuplicateMac,
            Self::Refused { .. } | Self::NotWhole { .. } => Code::RefusedBySwitch,
            Self::NotUnderstood { .. } => Code::ReplyNotUnderstood,
        }
    }
}

pub(super) fn is_duplicate_mac(errors: &[RpcError]) -> bool {
    let says = |error: &RpcError| {
        let message = error.message.to_lowercase();
        message.contains("duplicate") && message.contains("mac")
    };
    errors.iter().any(says)
}

/// What a refused request is, by the switch's words: the one thing that every release has (a vSRX 15.1X49 was seen
/// to tag a held lock `lock-denied`, others send no tag at all; the wordings are those of napalm issue 1445,
/// junipernetworks.junos issue 404, ansible-junos-stdlib issue 140).
pub fn refusal(switch: &str, request: &'static str, errors: Vec<RpcError>) -> SwitchError {
    let text = words(&errors);
    let lower = text.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
    let switch = switch.to_owned();
    if says(&["configuration database locked by", "database is already open"]) {
        SwitchError::LockHeld { switch, holder: text }
    } else if says(&["configuration database modified"]) {
        SwitchError::CandidateDirty { switch, words: text }
    } else if says(&["permission denied", "access denied"]) {
        SwitchError::PermissionDenied { switch, request, words: text }
    } else if says(&TROUBLE) {
        SwitchError::Trouble { switch, request, words: text }
    } else {
        SwitchError::Refused { switch, request, errors }
    }
}

/// Wordings of trouble that passes: a routing engine that is busy or away, a daemon that cannot start.
const TROUBLE: [&str; 7] = [
    "error while forking",
    "remote lock-configuration failed",
    "could not connect to",
    "commit in progress",
    "resource temporarily unavailable",
    "device busy",
    "timeout communicating",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::netconf::Severity;

    fn code(message: &str) -> Code {
        let error = RpcError { severity: Severity::Error, message: message.to_owned(), path: None, bad_element: None };
        refusal("sw-1", "lock", vec![error]).failure().code
    }

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        for (message, expected) in [
            ("configuration database locked by: admin terminal (pid 32260) on since 2021-05-06", Code::LockedByOther),
            ("configuration database modified", Code::CandidateDirty),
            ("shared configuration database modified", Code::CandidateDirty),
            ("permission denied", Code::PermissionDenied),
            ("remote lock-configuration failed on re1", Code::SwitchTrouble),
            ("mgd: duplicate MAC address", Code::DuplicateMac),
            ("configuration check-out failed", Code::RefusedBySwitch),
        ] {
            assert_eq!(code(message), expected, "{message}");
        }
    }
}
