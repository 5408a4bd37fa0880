//! What there is: the database's lease, journal and row, the switch, and how far each worker has come.

pub(super) const WORKERS: usize = 2;
/// A claim raises the token, and giving the lease back raises it again: enough for three tries.
pub(super) const TOKEN_MAX: u8 = 6;

/// What the journal says of the newest push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Journal {
    Empty,
    Sent,
    Confirmed,
    NotApplied,
}

/// How far a worker has come; each name is what it did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum At {
    Idle,
    Claimed,
    /// It asked for pushes whose end is not known.
    Opened,
    Locked,
    /// Nothing is bound; the change is loaded.
    Loaded,
    /// It trusts its lease, and is about to write the push down.
    Trusted,
    Sent,
    Committed,
    /// The binding was read back.
    ReadBack,
    Answered,
    /// The switch is left alone; the results are yet to be written.
    Ended(End),
}

/// What a push came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    Reached,
    /// The switch refused the change.
    Refused,
    /// The commit was taken back: tried again later.
    TakenBack,
    Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Worker {
    pub at: At,
    /// The token of its lease.
    pub token: u8,
    /// By its own clock the lease is still its own.
    pub trusts: bool,
    /// It knows of a push whose end is not known.
    pub knows: bool,
    /// What it is to write down of the newest push.
    pub end: Option<Journal>,
    /// It wrote its results, and never heard so.
    pub wrote: bool,
}

pub(super) const IDLE: Worker = Worker { at: At::Idle, token: 0, trusts: false, knows: false, end: None, wrote: false };

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub token: u8,
    pub held: bool,
    /// The database lets another have the lease.
    pub expired: bool,
    pub journal: Journal,
    pub active: bool,
    pub failed: bool,
    /// The next try is yet to come.
    pub waits: bool,
    /// There is no next try.
    pub forgotten: bool,
    /// Whose session has the candidate.
    pub lock: Option<usize>,
    pub committed: bool,
    pub pending: bool,
    /// Somebody wrote, committed or confirmed without the lease.
    pub intruded: bool,
    /// The results of one try were written twice.
    pub twice: bool,
    pub workers: [Worker; WORKERS],
}

impl At {
    pub(super) fn is_past_the_lock(self) -> bool {
        !matches!(self, Self::Idle | Self::Claimed | Self::Opened | Self::Ended(_))
    }
}

impl State {
    /// What the database says when it is asked with the worker's token.
    pub(super) fn holds(&self, number: usize) -> bool {
        self.workers[number].token == self.token
    }

    /// Nobody else has the lease, or may have it.
    pub(super) fn has_the_lease(&self, number: usize) -> bool {
        self.workers[number].token == self.token && self.held && !self.expired
    }

    pub(super) fn claim(&mut self, number: usize) -> Option<()> {
        let due = !self.active && !self.failed && !self.waits && !self.forgotten;
        let free = !self.held || self.expired;
        (due && free && self.token < TOKEN_MAX).then_some(())?;
        self.token += 1;
        (self.held, self.expired) = (true, false);
        self.workers[number] = Worker { at: At::Claimed, token: self.token, trusts: true, ..IDLE };
        Some(())
    }

    /// The worker has nothing to do with the switch any more.
    pub(super) fn leave(&mut self, number: usize) -> Option<()> {
        self.workers[number] = IDLE;
        Some(())
    }

    pub(super) fn taken_back(&mut self, number: usize) -> At {
        self.workers[number].end = Some(Journal::NotApplied);
        At::Ended(End::TakenBack)
    }

    /// Ends the session: what was not committed is discarded, a commit that waits goes on waiting.
    pub(super) fn end(&mut self, number: usize, end: End) {
        self.unlock(number);
        self.workers[number].at = At::Ended(end);
    }

    pub(super) fn unlock(&mut self, number: usize) {
        if self.lock == Some(number) {
            self.lock = None;
        }
    }
}
