//! What can happen, what must hold, and what can be broken.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::state::{Copy, Inbox, Kind, Outcome, Stage, State, Status};
use crate::support::is_long;
use Kind::{Create, Revoke};

const WORKERS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// The queue hands it to a worker, which begins to take it in.
    Deliver(usize, usize),
    /// The worker goes on with an unacknowledged copy: what is to be durable is written or published, and then, where
    /// that was the end of it, the copy acknowledged.
    Step(usize, usize, Stage),
    /// As a step, but the worker dies before it acknowledges.
    Interrupted(usize, usize, Stage),
    /// A message whose work failed has no attempts left.
    GiveUp(usize, usize),
    Plan(usize, usize),
    SwitchTakes,
    SwitchRefuses,
    PushFails,
    SettlePush,
    Sweep(usize),
    Crash(usize),
    Duplicate(usize),
    /// Somebody empties the queue of what was taken in before.
    Purge(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    NewestIntentWins,
    OneLiveRow,
    MacNeverAgain,
    AnsweredAgainTheSame,
    AcknowledgedAfterCommit,
    AcknowledgedAfterCopy,
    AcknowledgedAfterDeadLetter,
    GivenUpBeforeDead,
    OldGenerationsFinishNothing,
    BegunOnce,
    SweptWhenForgotten,
}

pub(super) struct Intents {
    /// Server and kind; where they have times of issue, in the order of these.
    pub commands: &'static [(usize, Kind)],
    /// They have none: they count in the order in which they are taken in first.
    pub by_arrival: bool,
    /// Crashes, purges and duplicates (the producer's, or the sweeper's who did not wait) together.
    pub troubles_max: u8,
    pub broken: Option<Rule>,
}

impl Model for Intents {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let commands = self.commands.len();
        vec![State {
            copies: vec![vec![Copy::Queued]; commands],
            inbox: vec![Inbox::Unknown; commands],
            arrivals: Vec::new(),
            told: vec![BTreeSet::new(); commands],
            dead_letter: vec![false; commands],
            purged: vec![false; commands],
            intents: [None; 2],
            rows: Vec::new(),
            push: None,
            bound: None,
            troubles_left: self.troubles_max,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for worker in 0..WORKERS {
            actions.extend((0..state.rows.len()).map(|row| Action::Plan(worker, row)));
            actions.push(Action::Crash(worker));
        }
        for (command, copies) in state.copies.iter().enumerate() {
            for copy in copies {
                match *copy {
                    Copy::Queued => actions.extend((0..WORKERS).map(|worker| Action::Deliver(command, worker))),
                    Copy::With(worker, stage) => actions
                        .extend([Action::Step(command, worker, stage), Action::Interrupted(command, worker, stage)]),
                }
                if let Copy::With(worker, Stage::Failed) = *copy {
                    actions.push(Action::GiveUp(command, worker));
                }
            }
            actions.extend([Action::Sweep(command), Action::Duplicate(command), Action::Purge(command)]);
        }
        actions.extend([Action::SwitchTakes, Action::SwitchRefuses, Action::PushFails, Action::SettlePush]);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Deliver(command, worker) => {
                let copy = self.deliver(&mut next, command, worker)?;
                next.replace(command, Copy::Queued, copy);
            }
            Action::Step(command, worker, stage) => {
                let copy = self.step(&mut next, command, worker, stage)?;
                next.replace(command, Copy::With(worker, stage), copy);
            }
            Action::Interrupted(command, worker, stage) => {
                let copy = self.step(&mut next, command, worker, stage)?;
                next.copies[command].extend(copy);
                next.trouble(Action::Crash(worker))?;
            }
            Action::GiveUp(command, worker) => {
                self.give_up(&mut next, command);
                let dead = next.disposal(command).unwrap_or(Some(Stage::Dead));
                next.replace(command, Copy::With(worker, Stage::Failed), dead.map(|stage| Copy::With(worker, stage)));
            }
            Action::Sweep(command) => {
                let open = matches!(next.inbox[command], Inbox::Open(_)) && self.keeps(Rule::SweptWhenForgotten);
                (open && next.copies[command].is_empty()).then(|| next.copies[command].push(Copy::Queued))?;
            }
            Action::Crash(_) | Action::Duplicate(_) | Action::Purge(_) => next.trouble(action)?,
            Action::SettlePush => self.settle_push(&mut next)?,
            _ => next.advance_push(action)?,
        }
        next.copies.iter_mut().for_each(|copies| copies.sort());
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no message is lost", |_, state: &State| (0..state.inbox.len()).all(|c| state.is_safe(c))),
            Property::always("an address has one live row", |_, state: &State| {
                state.rows.iter().filter(|r| r.is_live()).count() < 2
            }),
            Property::always("a MAC is never handed out twice", |_, state: &State| {
                state.rows.iter().map(|row| row.mac).collect::<BTreeSet<_>>().len() == state.rows.len()
            }),
            Property::always("a command has one outcome", |_, state: &State| {
                state.told.iter().all(|told| told.len() < 2)
            }),
            Property::always("a command fails by a push of its own", |model: &Self, state: &State| {
                state.inbox.iter().zip(model.commands).all(|(inbox, (_, kind))| match inbox {
                    Inbox::Answered(Outcome::Refused(refused)) => refused == kind,
                    _ => true,
                })
            }),
            Property::always("a command changes an intent once", |model: &Self, state: &State| {
                state.rows.iter().map(|row| usize::from(row.generation)).sum::<usize>() <= model.commands.len()
            }),
            Property::always("what the newest intent came to is so", |model: &Self, state: &State| {
                (0..2).all(|server| model.newest_is_so(state, server))
            }),
            Property::always("where nothing goes on all is answered", |model: &Self, state: &State| {
                let goes_on = state.push.is_some() || state.rows.iter().any(|row| row.work);
                goes_on || model.next_steps(state).iter().any(|(action, _)| !action.is_trouble()) || state.is_quiet()
            }),
            Property::sometimes("the newest command is done", |_, state: &State| {
                matches!(state.inbox.last(), Some(Inbox::Answered(Outcome::Done(_))))
            }),
        ]
    }
}

impl Action {
    fn is_trouble(self) -> bool {
        matches!(self, Self::Crash(_) | Self::Interrupted(..) | Self::Duplicate(_) | Self::Purge(_))
    }
}

impl Intents {
    pub(super) fn keeps(&self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }

    /// A command's place in the order of commands; none before it came.
    pub(super) fn place(&self, state: &State, command: usize) -> Option<usize> {
        if self.by_arrival { state.arrivals.iter().position(|c| *c == command) } else { Some(command) }
    }

    /// Where the newest command that was not refused has been done, row and switch say the same. A revoke that was
    /// refused because another server has the address is as good as done.
    fn newest_is_so(&self, state: &State, server: usize) -> bool {
        let refused = |c: usize| match state.inbox[c] {
            Inbox::Unknown => true,
            Inbox::Answered(Outcome::Taken) => self.commands[c].1 == Create,
            _ => false,
        };
        let counts = |c: &usize| self.commands[*c].0 == server && !refused(*c);
        let newest = (0..self.commands.len()).filter(counts).max_by_key(|c| self.place(state, *c));
        let of_server = |row: &usize| state.rows[*row].server == server;
        let (live, bound) = (state.live().filter(of_server), state.bound.filter(of_server));
        match newest.map(|newest| state.inbox[newest]) {
            Some(Inbox::Answered(Outcome::Done(Revoke) | Outcome::Taken)) => live.is_none() && bound.is_none(),
            Some(Inbox::Answered(Outcome::Done(Create))) => {
                live == bound && live.is_some_and(|row| state.rows[row].status == Status::Active)
            }
            newest => newest != Some(Inbox::Answered(Outcome::Superseded)),
        }
    }
}

const AGAIN: &[(usize, Kind)] = &[(0, Create), (0, Revoke), (0, Create)];
const MOVED: &[(usize, Kind)] = &[(0, Create), (0, Revoke), (1, Create)];
const CALLED_OFF: &[(usize, Kind)] = &[(0, Create), (0, Revoke)];
const CLAIMED_TWICE: &[(usize, Kind)] = &[(0, Create), (1, Create)];

#[test]
fn the_newest_intent_wins_and_nothing_is_lost_in_every_interleaving() {
    let timed = [(AGAIN, 0), (MOVED, 0), (CALLED_OFF, 1), (CLAIMED_TWICE, 1)].map(|case| (case, false));
    let untimed = [(CALLED_OFF, 1), (AGAIN, 0)].map(|case| (case, true));
    // The last one has the most states.
    let untimed = &untimed[..if is_long() { 2 } else { 1 }];
    for &((commands, troubles_max), by_arrival) in timed.iter().chain(untimed) {
        let model = Intents { commands, by_arrival, troubles_max, broken: None };
        let checker = model.checker().symmetry().spawn_dfs().join();
        eprintln!("{} states", checker.unique_state_count());
        checker.assert_properties();
    }
}

#[test]
fn each_rule_of_claims_and_intents_is_needed() {
    use Rule::*;
    let table = [
        (NewestIntentWins, CALLED_OFF, "what the newest intent came to is so"),
        (OneLiveRow, CLAIMED_TWICE, "an address has one live row"),
        (MacNeverAgain, AGAIN, "a MAC is never handed out twice"),
        (AnsweredAgainTheSame, CALLED_OFF, "a command has one outcome"),
        (AcknowledgedAfterCommit, CALLED_OFF, "no message is lost"),
        (AcknowledgedAfterCopy, CALLED_OFF, "no message is lost"),
        (AcknowledgedAfterDeadLetter, CALLED_OFF, "no message is lost"),
        (GivenUpBeforeDead, CALLED_OFF, "no message is lost"),
        (OldGenerationsFinishNothing, CALLED_OFF, "a command fails by a push of its own"),
        (BegunOnce, CALLED_OFF, "a command changes an intent once"),
        (SweptWhenForgotten, MOVED, "where nothing goes on all is answered"),
    ];
    for (rule, commands, property) in table {
        let model = Intents { commands, by_arrival: false, troubles_max: 1, broken: Some(rule) };
        let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        assert!(checker.discovery(property).is_some(), "without {rule:?} `{property}` holds all the same");
    }
}
