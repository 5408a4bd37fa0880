//! What a push writes down and asks on its way, and what it reports in the end.

use serde::{Deserialize, Serialize};

use crate::domain::plan::{Change, Ownership, PresentBinding, Wish, WishResult};
use crate::domain::{Failure, TraceId};
use crate::switch::error::SwitchError;
use crate::switch::known::{KnownConfiguration, PushBackup, Version};

/// How far a push has come. Each name is what is true if it stops there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The session is open; nothing is locked.
    Connected,
    /// The candidate is locked; ending the session gives it back.
    Locked,
    /// The committed configuration has been read; it is stored together with the plan.
    BackedUp,
    /// What is bound is known.
    Read,
    /// The rows that wait are known.
    Gathered,
    /// The candidate holds the changes; ending the session discards them.
    Loaded,
    /// The journal has the plan and the backup, and says that the commit is being sent.
    Sent,
    /// The changes are in force, and are rolled back by the switch unless confirmed.
    Committed,
    /// The switch holds what was planned.
    ReadBack,
    /// The switch answered the confirmation.
    Answered,
    /// The changes stay, as the switch was seen to hold them after that.
    Confirmed,
    /// The journal knows the end; it is written down with the results, at the latest.
    Resolved,
    /// The candidate is free.
    Unlocked,
    /// The rows say so.
    Settled,
}

impl Stage {
    /// The name used in logs and failpoints.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Locked => "locked",
            Self::BackedUp => "backed-up",
            Self::Read => "read",
            Self::Gathered => "gathered",
            Self::Loaded => "loaded",
            Self::Sent => "sent",
            Self::Committed => "committed",
            Self::ReadBack => "read-back",
            Self::Answered => "answered",
            Self::Confirmed => "confirmed",
            Self::Resolved => "resolved",
            Self::Unlocked => "unlocked",
            Self::Settled => "settled",
        }
    }
}

/// What a push brings onto a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PushContent {
    /// Changes of bindings.
    Changes(Vec<Change>),
    /// A whole configuration, known by what its text comes to: the text itself holds secrets.
    Whole {
        /// The backup that it comes from.
        restored_backup_id: i64,
        /// SHA-256 of the text that the switch shows once it holds it, hexadecimal.
        text_sha256: String,
    },
}

impl PushContent {
    /// How many changes it is; a whole configuration counts as one.
    pub fn len(&self) -> usize {
        match self {
            Self::Changes(changes) => changes.len(),
            Self::Whole { .. } => 1,
        }
    }

    /// True when it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A push as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushIntent {
    /// Its id, which is also in the switch's commit log.
    pub id: String,
    /// What it brings onto the switch.
    pub content: PushContent,
    /// The backup taken before it.
    pub backup_id: Option<i64>,
}

/// How a push in the journal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushEnd {
    /// It is on the switch for good.
    Confirmed,
    /// The switch refused it, or it was called off before its commit.
    Refused,
    /// The switch does not hold it: it never happened, or was rolled back.
    NotApplied,
}

/// Who writes down what a push does. Any failure stops the push safely: nothing is committed any more.
#[allow(async_fn_in_trait, reason = "used within this crate, by one task")]
pub trait Journal {
    /// Called at each stage.
    fn reached(&mut self, stage: Stage);
    /// Earlier pushes to this switch whose end is not known, oldest first.
    fn unresolved(&mut self) -> Result<Vec<PushIntent>, Failure>;
    /// What was read of the switch ahead; it is taken for what the switch holds only where its version is.
    fn known(&mut self) -> Option<KnownConfiguration> {
        None
    }
    /// Given back what is known of the switch, where it was not changed.
    fn still_known(&mut self, _known: KnownConfiguration) {}
    /// Called before the commit is sent: keeps the plan and `before`, the configuration that was committed until now, and
    /// answers with the backup's number. Fails where the lease is lost, or the site is frozen or at its limit.
    async fn sent(&mut self, push: &PushIntent, before: &PushBackup) -> Result<i64, Failure>;
    /// Called before a confirmation; fails if the lease may have expired.
    fn may_commit(&self) -> Result<(), Failure>;
    /// Called when a push's end is known. It is written down with the results; until then the next push finds it out again.
    fn resolved(&mut self, push_id: &str, end: PushEnd);
}

/// A journal that also knows what the rows want.
#[allow(async_fn_in_trait, reason = "used within this crate, by one task")]
pub trait RowSource: Journal {
    /// What the rows want, asked as late as possible.
    async fn gather(&mut self) -> Result<Vec<Wish>, Failure>;
    /// Which of the bindings for the wishes' addresses are vmacd's. A wish gets the MAC that is bound on its port where a
    /// command of its row drew that one.
    async fn ownership(&mut self, wishes: &mut [Wish], present: &[PresentBinding]) -> Result<Ownership, Failure>;
    /// The traces of those who asked for the rows, each once, for the switch's commit log.
    fn traces(&self, _vmac_ids: &[i64]) -> Vec<TraceId> {
        Vec::new()
    }
}

/// What a push came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushReport {
    /// One per wish that was dealt with.
    pub results: Vec<WishResult>,
    /// Why the push as a whole ended early; wishes without a result share it.
    pub whole: Option<Failure>,
    /// The version that the switch was left at, where that is known.
    pub left_at: Option<Version>,
    /// The session may be used again.
    pub session_usable: bool,
    /// The session was found dead before anything was done with it.
    pub lost_before_use: bool,
}

impl PushReport {
    /// A push that could not begin for an error of its session.
    pub fn not_begun(error: &SwitchError) -> Self {
        let lost_before_use = error.breaks_session();
        let whole = Some(error.failure());
        Self { results: Vec::new(), whole, left_at: None, session_usable: !lost_before_use, lost_before_use }
    }

    /// A push that could do nothing.
    pub fn failed(failure: Failure) -> Self {
        let whole = Some(failure);
        Self { results: Vec::new(), whole, left_at: None, session_usable: false, lost_before_use: false }
    }
}
