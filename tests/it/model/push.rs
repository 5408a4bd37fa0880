//! The rules that keep two workers from harming each other, model-checked: lease and fencing token, the switch's lock,
//! the journal, commit confirmed with its timer. Every interleaving of two workers, of crashes, lost sessions, lost
//! answers, expiring leases and expiring commits is walked through.
//!
//! The model is the push of `src/switch/transaction.rs` for one binding on one switch, one step for each thing that
//! can be interrupted.

use stateright::{Checker, Model, Property};

const WORKERS: usize = 2;
/// Acquisitions of the lease that are looked at: enough for each worker to lose it, win it and lose it again.
const TOKEN_MAX: u8 = 4;

/// What the journal says of the newest push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Journal {
    Empty,
    Sent,
    Confirmed,
    NotApplied,
}

/// How far a worker has come; each name is what it did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Idle,
    Leased,
    Locked,
    /// It looked at an earlier push and at what is bound, and nothing is.
    Read,
    Sent,
    Committed,
    /// The lease was still held, the binding read back.
    Checked,
    Confirmed,
    /// The journal says so, or the binding was found.
    Resolved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Worker {
    at: At,
    /// The token it believes in.
    token: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// The token of the newest lease, and whether its time has run out.
    token: u8,
    expired: bool,
    journal: Journal,
    active: bool,
    /// Whose session has the candidate.
    lock: Option<usize>,
    committed: bool,
    pending: bool,
    workers: [Worker; WORKERS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// The worker goes on with what comes next.
    Step(usize),
    /// The switch carries the request out, and the session is lost before the answer.
    AnswerLost(usize),
    /// The session is lost before the switch carries anything out.
    SessionLost(usize),
    Crash(usize),
    LeaseExpires,
    CommitExpires,
}

struct Push;

impl Model for Push {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let worker = Worker { at: At::Idle, token: 0 };
        vec![State {
            token: 0,
            expired: true,
            journal: Journal::Empty,
            active: false,
            lock: None,
            committed: false,
            pending: false,
            workers: [worker; WORKERS],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for worker in 0..WORKERS {
            actions.extend([Action::Step(worker), Action::Crash(worker)]);
            if state.lock == Some(worker) {
                actions.extend([Action::AnswerLost(worker), Action::SessionLost(worker)]);
            }
        }
        actions.extend((!state.expired).then_some(Action::LeaseExpires));
        actions.extend(state.pending.then_some(Action::CommitExpires));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Step(worker) => next.step(worker)?,
            Action::AnswerLost(worker) => {
                next.step(worker)?;
                next.lose(worker);
            }
            Action::SessionLost(worker) => next.lose(worker),
            Action::Crash(worker) => {
                next.lose(worker);
                next.workers[worker].token = 0;
            }
            Action::LeaseExpires => next.expired = true,
            Action::CommitExpires => (next.committed, next.pending) = (false, false),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an active row is bound for good", |_, state: &State| {
                !state.active || (state.committed && !state.pending)
            }),
            Property::always("a push the journal calls confirmed is bound for good", |_, state: &State| {
                state.journal != Journal::Confirmed || (state.committed && !state.pending)
            }),
            Property::always("a commit that waits is in the journal", |_, state: &State| {
                !state.pending || state.journal == Journal::Sent
            }),
            Property::always("only the holder of the lock is past it", |_, state: &State| {
                let past = |at| !matches!(at, At::Idle | At::Leased);
                (0..WORKERS).all(|worker| !past(state.workers[worker].at) || state.lock == Some(worker))
            }),
            Property::sometimes("the row becomes active", |_, state: &State| state.active),
            Property::sometimes("a second holder finishes the first one's push", |_, state: &State| {
                state.active && state.token > 1
            }),
        ]
    }
}

impl State {
    /// The next step of a worker; none where it has to wait.
    fn step(&mut self, worker: usize) -> Option<()> {
        let Worker { at, token } = self.workers[worker];
        let holds = token == self.token && token > 0;
        self.workers[worker].at = match at {
            At::Idle if self.active => return None,
            At::Idle if holds && !self.expired => At::Leased,
            At::Idle => self.acquire(worker)?,
            At::Leased if self.lock.is_some() => return None,
            At::Leased => {
                self.lock = Some(worker);
                At::Locked
            }
            // Everything that is written down, and every confirmation, asks for the token first.
            _ if !holds => return self.give_up(worker),
            At::Locked => self.look(),
            At::Read => {
                self.journal = Journal::Sent;
                At::Sent
            }
            At::Sent => {
                (self.committed, self.pending) = (true, true);
                At::Committed
            }
            At::Committed if !self.committed => return self.give_up(worker),
            At::Committed => At::Checked,
            // The confirmation itself is not fenced: the lock is what keeps others away.
            At::Checked => {
                self.pending = false;
                At::Confirmed
            }
            At::Confirmed if self.committed => {
                self.journal = Journal::Confirmed;
                At::Resolved
            }
            At::Confirmed => return self.give_up(worker),
            At::Resolved => {
                self.active = true;
                self.lock = None;
                At::Idle
            }
        };
        Some(())
    }

    fn acquire(&mut self, worker: usize) -> Option<At> {
        if !self.expired || self.token >= TOKEN_MAX {
            return None;
        }
        self.token += 1;
        self.expired = false;
        self.workers[worker].token = self.token;
        Some(At::Leased)
    }

    /// Settles an earlier push whose end is not known, and looks at what is bound.
    fn look(&mut self) -> At {
        if self.journal == Journal::Sent {
            self.journal = if self.committed { Journal::Confirmed } else { Journal::NotApplied };
            self.pending = false;
        }
        if self.committed { At::Resolved } else { At::Read }
    }

    /// Ends the session in order: what was not committed is discarded, a commit that waits goes on waiting.
    fn give_up(&mut self, worker: usize) -> Option<()> {
        self.lose(worker);
        Some(())
    }

    fn lose(&mut self, worker: usize) {
        self.workers[worker].at = At::Idle;
        if self.lock == Some(worker) {
            self.lock = None;
        }
    }
}

#[test]
fn the_rules_of_the_push_hold_in_every_interleaving() {
    let checker = Push.checker().spawn_bfs().join();
    eprintln!("{} states", checker.unique_state_count());
    assert!(checker.unique_state_count() > 500, "the model is walked through");
    checker.assert_properties();
}
