//! What can happen, what must hold, and what can be broken.

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::state::{At, End, IDLE, Journal, State, TOKEN_MAX, WORKERS, Worker};

/// What keeps all well. Without any one of them something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Before each commit and each confirmation the holder looks whether it still trusts its lease, by its own clock.
    TrustIsAskedBeforeEachCommit,
    /// That time is over before the database lets another have the lease.
    TrustEndsBeforeTheLease,
    /// The statement that writes a push down checks the lease.
    TheJournalChecksTheLease,
    /// A push is written down before its commit is sent.
    TheJournalComesFirst,
    /// A push whose end is not known is settled before anything else is done.
    EarlierPushesAreSettledFirst,
    /// Results are written under the token.
    SettlementChecksTheLease,
    /// Giving a lease back raises its token.
    ReleaseRaisesTheToken,
    /// A switch in trouble has a time for its next try.
    TroubleIsTriedAgain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// The worker goes on with what comes next.
    Step(usize),
    /// The switch refuses the change.
    Refuse(usize),
    /// The step is carried out, and its answer lost.
    AnswerLost(usize),
    /// The session is lost before the switch carries anything out.
    SessionLost(usize),
    Kill(usize),
    Renew(usize),
    TrustEnds(usize),
    LeaseExpires,
    CommitExpires,
    NextTryComes,
}

struct Push {
    broken: Option<Rule>,
}

impl Model for Push {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            token: 0,
            held: false,
            expired: false,
            journal: Journal::Empty,
            active: false,
            failed: false,
            waits: false,
            forgotten: false,
            lock: None,
            committed: false,
            pending: false,
            intruded: false,
            twice: false,
            workers: [IDLE; WORKERS],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, worker) in state.workers.iter().enumerate() {
            actions.push(Action::Step(number));
            if worker.at == At::Idle {
                continue;
            }
            actions.extend([Action::AnswerLost(number), Action::Kill(number), Action::Renew(number)]);
            actions.extend(worker.trusts.then_some(Action::TrustEnds(number)));
            actions.extend((worker.at == At::Loaded).then_some(Action::Refuse(number)));
            actions.extend((state.lock == Some(number)).then_some(Action::SessionLost(number)));
        }
        actions.extend([Action::LeaseExpires, Action::CommitExpires, Action::NextTryComes]);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Step(worker) => self.step(&mut next, worker)?,
            Action::Refuse(worker) => next.end(worker, End::Refused),
            Action::AnswerLost(worker) => self.answer_lost(&mut next, worker)?,
            Action::SessionLost(worker) => next.end(worker, End::Trouble),
            Action::Kill(worker) => {
                next.unlock(worker);
                next.workers[worker] = IDLE;
            }
            Action::Renew(worker) => {
                next.holds(worker).then_some(())?;
                next.expired = false;
                next.workers[worker].trusts = true;
            }
            Action::TrustEnds(worker) => next.workers[worker].trusts = false,
            Action::LeaseExpires => {
                let trusted = state.workers.iter().any(|worker| worker.token == state.token && worker.trusts);
                (state.held && !(trusted && self.keeps(Rule::TrustEndsBeforeTheLease))).then_some(())?;
                next.expired = true;
            }
            Action::CommitExpires => {
                state.pending.then_some(())?;
                (next.committed, next.pending) = (false, false);
            }
            Action::NextTryComes => next.waits = false,
        }
        (next != *state).then_some(next)
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
            Property::always("a row that failed is not bound", |_, state: &State| !state.failed || !state.committed),
            Property::always("only the holder of the lock is past it", |_, state: &State| {
                (0..WORKERS).all(|worker| !state.workers[worker].at.is_past_the_lock() || state.lock == Some(worker))
            }),
            Property::always("only the holder of the lease writes, commits and confirms", |_, state: &State| {
                !state.intruded
            }),
            Property::always("what a try came to is written once", |_, state: &State| !state.twice),
            Property::always("what is not done goes on", |model: &Self, state: &State| {
                let done = state.active || state.failed || state.token >= TOKEN_MAX;
                let goes_on = |(action, _): &(Action, State)| !matches!(action, Action::Kill(_));
                done || model.next_steps(state).iter().any(goes_on)
            }),
            Property::sometimes("the row becomes active", |_, state: &State| state.active),
            Property::sometimes("the row fails", |_, state: &State| state.failed),
            Property::sometimes("another worker finishes an earlier push", |_, state: &State| {
                state.workers.iter().any(|worker| worker.knows && worker.at == At::Ended(End::Reached))
            }),
            Property::sometimes("a holder that was paused goes on when another has the lease", |_, state: &State| {
                let late = |worker: &Worker| worker.at.is_past_the_lock() && worker.token != state.token;
                state.held && state.workers.iter().any(late)
            }),
        ]
    }
}

impl Push {
    fn keeps(&self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }

    /// The next step of a worker; none where it has to wait.
    fn step(&self, state: &mut State, number: usize) -> Option<()> {
        let worker = state.workers[number];
        let may_commit = worker.trusts || !self.keeps(Rule::TrustIsAskedBeforeEachCommit);
        let next = match worker.at {
            At::Idle => return state.claim(number),
            At::Claimed if !state.holds(number) => return state.leave(number),
            At::Claimed => {
                state.workers[number].knows = state.journal == Journal::Sent;
                At::Opened
            }
            At::Opened if state.lock.is_some() => At::Ended(End::Trouble),
            At::Opened => {
                state.lock = Some(number);
                At::Locked
            }
            At::Locked => self.look(state, number, may_commit),
            At::Loaded if !worker.trusts => At::Ended(End::Trouble),
            At::Loaded => At::Trusted,
            At::Trusted => self.write_down(state, number),
            At::Sent if !may_commit => At::Ended(End::Trouble),
            At::Sent => {
                state.intruded |= !state.has_the_lease(number);
                (state.committed, state.pending) = (true, true);
                At::Committed
            }
            At::Committed if state.committed => At::ReadBack,
            At::Committed | At::ReadBack if !may_commit => At::Ended(End::Trouble),
            At::Committed => state.taken_back(number),
            At::ReadBack => {
                state.intruded |= !state.has_the_lease(number);
                state.pending = false;
                At::Answered
            }
            At::Answered if state.committed => {
                state.workers[number].end = Some(Journal::Confirmed);
                At::Ended(End::Reached)
            }
            At::Answered => state.taken_back(number),
            At::Ended(end) => {
                self.settle(state, number, end);
                return state.leave(number);
            }
        };
        match next {
            At::Ended(end) => state.end(number, end),
            next => state.workers[number].at = next,
        }
        Some(())
    }

    /// Settles an earlier push whose end is not known, and looks at what is bound.
    fn look(&self, state: &mut State, number: usize, may_commit: bool) -> At {
        if self.keeps(Rule::EarlierPushesAreSettledFirst) {
            if state.pending && !(state.workers[number].knows && may_commit) {
                return At::Ended(End::Trouble);
            }
            if state.workers[number].knows {
                state.intruded |= state.pending && !state.has_the_lease(number);
                let end = if state.committed { Journal::Confirmed } else { Journal::NotApplied };
                (state.workers[number].end, state.pending) = (Some(end), false);
            }
        }
        if state.committed { At::Ended(End::Reached) } else { At::Loaded }
    }

    fn write_down(&self, state: &mut State, number: usize) -> At {
        if !state.holds(number) && self.keeps(Rule::TheJournalChecksTheLease) {
            return At::Ended(End::Trouble);
        }
        state.intruded |= !state.holds(number);
        if self.keeps(Rule::TheJournalComesFirst) {
            state.journal = Journal::Sent;
        }
        state.workers[number].end = None;
        At::Sent
    }

    /// The transaction that writes results, the journal's end, the next try, and gives the lease back.
    fn settle(&self, state: &mut State, number: usize, end: End) {
        if !state.holds(number) && self.keeps(Rule::SettlementChecksTheLease) {
            return;
        }
        state.intruded |= state.workers[number].token != state.token;
        state.twice |= state.workers[number].wrote;
        match end {
            End::Reached => state.active = true,
            End::Refused => state.failed = true,
            End::TakenBack => state.waits = true,
            End::Trouble => {
                state.waits = self.keeps(Rule::TroubleIsTriedAgain);
                state.forgotten = !state.waits;
            }
        }
        if let Some(end) = state.workers[number].end {
            state.journal = end;
        }
        (state.held, state.expired) = (false, false);
        if self.keeps(Rule::ReleaseRaisesTheToken) {
            state.token += 1;
        }
    }

    fn answer_lost(&self, state: &mut State, number: usize) -> Option<()> {
        if let At::Ended(end) = state.workers[number].at {
            // The worker says it once more.
            self.settle(state, number, end);
            state.workers[number].wrote = true;
            return Some(());
        }
        (state.lock == Some(number)).then_some(())?;
        self.step(state, number)?;
        if state.lock == Some(number) {
            state.end(number, End::Trouble);
        }
        Some(())
    }
}

#[test]
fn the_rules_of_the_push_hold_in_every_interleaving() {
    let checker = Push { broken: None }.checker().spawn_bfs().join();
    eprintln!("{} states", checker.unique_state_count());
    assert!(checker.unique_state_count() > 5_000, "the model is walked through");
    checker.assert_properties();
}

#[test]
fn each_rule_of_the_push_is_needed() {
    use Rule::*;
    let intruder = "only the holder of the lease writes, commits and confirms";
    let table = [
        (TrustIsAskedBeforeEachCommit, intruder),
        (TrustEndsBeforeTheLease, intruder),
        (TheJournalChecksTheLease, intruder),
        (TheJournalComesFirst, "a commit that waits is in the journal"),
        (EarlierPushesAreSettledFirst, "an active row is bound for good"),
        (SettlementChecksTheLease, "a row that failed is not bound"),
        (ReleaseRaisesTheToken, "what a try came to is written once"),
        (TroubleIsTriedAgain, "what is not done goes on"),
    ];
    for (rule, property) in table {
        let model = Push { broken: Some(rule) };
        let checker = model.checker().finish_when(HasDiscoveries::AllOf([property].into())).spawn_bfs().join();
        assert!(checker.discovery(property).is_some(), "without {rule:?} `{property}` holds all the same");
    }
}
