//! Faults by name: what can go wrong with a switch, when it is asked to. They show in the simulator's own log and
//! never on the wire.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::sim::error::SimError;

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// A way to go wrong. The text of each is its name in [`Faults::parse`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FaultKind { $($(#[$doc])* $kind,)+ }

        impl FaultKind {
            /// Every fault there is.
            pub const ALL: &'static [FaultKind] = &[$(FaultKind::$kind,)+];

            /// The fault's name.
            pub fn name(self) -> &'static str {
                match self { $(FaultKind::$kind => $name,)+ }
            }
        }
    };
}

fault_kinds! {
    /// A lock is refused: an operator holds it.
    LockDenied = "lock_denied",
    /// A lock is refused: a session nobody uses any more still holds it.
    GhostLock = "ghost_lock",
    /// A lock is refused: the shared candidate holds somebody's edits.
    DirtyCandidate = "dirty_candidate",
    /// A load is refused with a syntax error.
    LoadRejected = "load_rejected",
    /// A load that holds `static-ipv6` is refused, as by a release that does not know the statement.
    Ipv6Refused = "ipv6_refused",
    /// Writing RPCs are refused: permission denied.
    PermissionDenied = "permission_denied",
    /// The tables of bindings in force and of learned MACs are refused: permission denied.
    TableRefused = "table_refused",
    /// The tables of bindings in force are empty, whatever the configuration says.
    EntriesMissing = "entries_missing",
    /// The release does not know the request for what IP source guard goes by.
    SourceGuardUnknown = "source_guard_unknown",
    /// The question for the time is refused: permission denied.
    TimeRefused = "time_refused",
    /// A check or commit is refused with a pair of errors that names nothing.
    CommitRejected = "commit_rejected",
    /// A commit is refused: the other routing engine could not be locked.
    RemoteLockFailed = "remote_lock_failed",
    /// The connection drops before the commit takes effect.
    SessionDroppedBeforeCommit = "session_dropped_before_commit",
    /// The commit takes effect and the connection drops before its reply.
    ReplyLostAfterCommit = "reply_lost_after_commit",
    /// The load takes effect in the candidate and the connection drops before its reply.
    SessionDroppedAfterLoad = "session_dropped_after_load",
    /// The commit or check that would confirm is lost on its way: the connection drops before it takes effect.
    ConfirmLost = "confirm_lost",
    /// The commit or check that confirms takes effect and the connection drops before its reply.
    ConfirmReplyLost = "confirm_reply_lost",
    /// The reply of any RPC comes late (by its parameter in milliseconds, 5000 unless given).
    SlowReply = "slow_reply",
    /// The reply of a commit or check leaves `routing-engine` unclosed.
    UnclosedRoutingEngine = "unclosed_routing_engine",
    /// A daemon's text stands beside the `ok` of a commit that succeeded.
    StrayDaemonText = "stray_daemon_text",
    /// A commit that succeeds carries a warning.
    CommitWarning = "commit_warning",
    /// The braces of a configuration are sent with their markup as it is, as old releases do.
    UnescapedText = "unescaped_text",
    /// A configuration is cut off in the middle, and the connection with it.
    TruncatedConfiguration = "truncated_configuration",
    /// After a commit took effect the switch restarts (away for its parameter in milliseconds, 3000 unless given).
    Reboot = "reboot",
    /// Connections are closed as soon as they are accepted.
    RefuseConnections = "refuse_connections",
    /// A commit of new bindings is refused for one of them.
    ChangeRejected = "change_rejected",
    /// The login is refused.
    AuthRejected = "auth_rejected",
    /// The subsystem `netconf` is refused; the exec form works.
    SubsystemRefused = "subsystem_refused",
    /// The connection drops before the hello.
    SessionDroppedAtHello = "session_dropped_at_hello",
    /// Unlock and close report that the database is not open, though they worked.
    UnlockNotOpen = "unlock_not_open",
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Always,
    On(u64),
    From(u64),
    Probability(f64),
}

/// A fault that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    kind: FaultKind,
    when: When,
    parameter_ms: Option<u64>,
    occasions: u64,
}

impl Fault {
    fn strikes(&mut self, rng: &mut StdRng) -> bool {
        self.occasions += 1;
        match self.when {
            When::Always => true,
            When::On(nth) => self.occasions == nth,
            When::From(nth) => self.occasions >= nth,
            When::Probability(probability) => rng.random_bool(probability),
        }
    }
}

/// The faults of one switch.
#[derive(Debug)]
pub struct Faults {
    set: Vec<Fault>,
    rng: StdRng,
}

impl Faults {
    /// No faults; `seed` decides what those with a probability will do.
    pub fn new(seed: u64) -> Faults {
        Faults { set: Vec::new(), rng: StdRng::seed_from_u64(seed) }
    }

    /// Reads `NAME` (always), `NAME@3` (on the third occasion), `NAME@3+` (from the third on) or `NAME%0.1` (with that
    /// probability). `NAME:500` gives a parameter in milliseconds, before any of the former.
    ///
    /// # Errors
    /// [`SimError::Fault`] names what cannot be read.
    pub fn parse(text: &str) -> Result<Fault, SimError> {
        let wrong = || SimError::Fault { text: text.to_owned() };
        let (head, when) = match (text.split_once('@'), text.split_once('%')) {
            (Some((head, nth)), _) => (head, occasion(nth).ok_or_else(wrong)?),
            (None, Some((head, share))) => (head, probability(share).ok_or_else(wrong)?),
            (None, None) => (text, When::Always),
        };
        let (name, parameter) = head.split_once(':').map_or((head, None), |(name, ms)| (name, Some(ms)));
        let kind = FaultKind::ALL.iter().copied().find(|kind| kind.name() == name.trim()).ok_or_else(wrong)?;
        let parameter_ms = parameter.map(|ms| ms.trim().parse().map_err(|_| wrong())).transpose()?;
        Ok(Fault { kind, when, parameter_ms, occasions: 0 })
    }

    /// Adds a fault; one of the same kind gives way.
    pub fn set(&mut self, fault: Fault) {
        self.set.retain(|other| other.kind != fault.kind);
        self.set.push(fault);
    }

    /// Takes every fault away.
    pub fn clear(&mut self) {
        self.set.clear();
    }

    /// The names of the faults that are set.
    pub fn names(&self) -> Vec<&'static str> {
        self.set.iter().map(|fault| fault.kind.name()).collect()
    }

    /// Counts an occasion for `kind` and says whether it goes wrong this time.
    pub fn strikes(&mut self, kind: FaultKind) -> bool {
        self.strikes_with(kind).is_some()
    }

    /// Whether the fault is set, without giving it an occasion to strike.
    pub fn is_set(&self, kind: FaultKind) -> bool {
        self.set.iter().any(|fault| fault.kind == kind)
    }

    /// Like [`Faults::strikes`], with the fault's parameter where it has one.
    pub fn strikes_with(&mut self, kind: FaultKind) -> Option<Option<Duration>> {
        let fault = self.set.iter_mut().find(|fault| fault.kind == kind)?;
        let parameter = fault.parameter_ms.map(Duration::from_millis);
        fault.strikes(&mut self.rng).then_some(parameter)
    }
}

fn occasion(text: &str) -> Option<When> {
    match text.strip_suffix('+') {
        Some(nth) => nth.parse().ok().filter(|nth| *nth > 0).map(When::From),
        None => text.parse().ok().filter(|nth| *nth > 0).map(When::On),
    }
}

fn probability(text: &str) -> Option<When> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(When::Probability)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(text: &str, occasions: usize) -> Vec<bool> {
        let mut faults = Faults::new(7);
        faults.set(Faults::parse(text).unwrap());
        (0..occasions).map(|_| faults.strikes(FaultKind::LockDenied)).collect()
    }

    #[test]
    fn a_fault_strikes_when_it_was_asked_to() {
        assert_eq!(strikes("lock_denied", 3), [true, true, true]);
        assert_eq!(strikes("lock_denied@2", 3), [false, true, false]);
        assert_eq!(strikes("lock_denied@2+", 3), [false, true, true]);
        assert_eq!(strikes("dirty_candidate", 2), [false, false]);
    }

    #[test]
    fn the_seed_decides_what_chance_does() {
        assert_eq!(strikes("lock_denied%0.5", 64), strikes("lock_denied%0.5", 64));
        let struck = strikes("lock_denied%0.5", 200).into_iter().filter(|hit| *hit).count();
        assert!((60..140).contains(&struck));
    }

    #[test]
    fn names_and_parameters_are_checked() {
        for kind in FaultKind::ALL {
            assert!(Faults::parse(kind.name()).is_ok());
        }
        assert_eq!(Faults::parse("slow_reply:50@2").unwrap().parameter_ms, Some(50));
        for wrong in ["lock_deny", "lock_denied@0", "lock_denied@x", "lock_denied%2", "slow_reply:x"] {
            assert!(matches!(Faults::parse(wrong), Err(SimError::Fault { .. })), "{wrong}");
        }
    }
}
