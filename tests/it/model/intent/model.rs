//! What can happen, what must hold, and what can be broken.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::state::{Copy, Inbox, Kind, Outcome, State, Status};
use crate::support::is_long;
use Kind::{Create, Revoke};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// The broker hands the message to the worker that consumes.
    Deliver(usize),
    /// A worker goes on with an unacknowledged copy: it admits it, and then acknowledges it.
    Step(usize, Copy),
    /// A worker tries a waiting command again.
    TryAgain(usize),
    /// And commits that, where it saw no live row before.
    TryEnds,
    /// A command, or a row, has waited for too long.
    CommandTooLate(usize),
    RowTooLate(usize),
    Plan(usize),
    SwitchTakes,
    SwitchRefuses,
    SwitchInTrouble,
    SettlePush,
    KillConsumer,
    /// The worker that pushes, or that tries a waiting command.
    KillPusher,
    /// The worker that consumes is paused until the broker gives it up; it goes on late.
    TakenForDead,
    /// The producer sends it once more.
    Duplicate(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    NewestIntentWins,
    OneLiveRow,
    MacNeverAgain,
    AnsweredAgainTheSame,
    AcknowledgedAfterAdmission,
    AcknowledgedInOrder,
    AdmissionChecksTheTurn,
    WhoeverTakesATurnIsConnected,
    DeadLettersComeWithTheOutcome,
    OldGenerationsFinishNothing,
    BegunOnce,
    WaitingCommandsAreTriedAgain,
}

pub(super) struct Intents {
    /// Server and kind, in the order in which they are published.
    pub commands: &'static [(usize, Kind)],
    /// They have no times of issue: they count in the order in which they are admitted first. With times they may be
    /// published in any order, and count in the order of these.
    pub by_arrival: bool,
    /// They have no ids either.
    pub anonymous: bool,
    /// Kills, pauses and duplicates together.
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
            session: 0,
            turn: None,
            inbox: vec![Inbox::Unknown; commands],
            arrivals: Vec::new(),
            trying: None,
            told: vec![BTreeSet::new(); commands],
            dead_letter: vec![false; commands],
            intents: [None; 2],
            rows: Vec::new(),
            push: None,
            bound: None,
            troubles_left: self.troubles_max,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for row in 0..state.rows.len() {
            actions.extend([Action::Plan(row), Action::RowTooLate(row)]);
        }
        let next = state.copies.iter().position(|copies| copies.contains(&Copy::Queued));
        for (command, copies) in state.copies.iter().enumerate() {
            actions.extend(copies.iter().map(|copy| Action::Step(command, *copy)));
            if copies.contains(&Copy::Queued) && (!self.by_arrival || next == Some(command)) {
                actions.push(Action::Deliver(command));
            }
            actions.extend([Action::TryAgain(command), Action::CommandTooLate(command)]);
            actions.extend((!self.anonymous).then_some(Action::Duplicate(command)));
        }
        actions.extend([Action::TryEnds, Action::SwitchTakes, Action::SwitchRefuses, Action::SwitchInTrouble]);
        actions.extend([Action::SettlePush, Action::KillConsumer, Action::KillPusher, Action::TakenForDead]);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Deliver(command) => self.deliver(&mut next, command),
            Action::Step(command, copy) => {
                self.in_order(state, command, copy).then_some(())?;
                self.step(&mut next, command, copy)?;
            }
            Action::TryAgain(command) => self.try_again(&mut next, command)?,
            Action::TryEnds => {
                let command = next.trying.take()?;
                if next.inbox[command] == Inbox::Waits {
                    self.admit(&mut next, command, true);
                }
            }
            Action::CommandTooLate(command) => self.command_too_late(&mut next, command)?,
            Action::RowTooLate(row) => self.row_too_late(&mut next, row)?,
            Action::KillConsumer | Action::KillPusher | Action::TakenForDead | Action::Duplicate(_) => {
                next.trouble(action)?;
            }
            Action::SettlePush => self.settle_push(&mut next)?,
            _ => next.advance_push(action)?,
        }
        next.copies.iter_mut().for_each(|copies| copies.sort());
        (next != *state).then_some(next)
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
                let changes = state.rows.iter().map(|row| usize::from(row.generation)).sum::<usize>();
                model.anonymous || changes <= model.commands.len()
            }),
            Property::always("what the newest intent came to is so", |model: &Self, state: &State| {
                (0..2).all(|server| model.newest_is_so(state, server))
            }),
            Property::always("what was published last is so in the end", |model: &Self, state: &State| {
                !model.by_arrival || !state.is_quiet() || (0..2).all(|server| model.last_is_so(state, server))
            }),
            Property::always("where nothing goes on all is answered", |model: &Self, state: &State| {
                let goes_on = state.push.is_some() || state.rows.iter().any(|row| row.work);
                let goes_on = goes_on || model.next_steps(state).iter().any(|(action, _)| action.goes_on());
                goes_on || state.is_quiet() || state.waits_for_a_person()
            }),
            Property::sometimes("the newest command is done", |_, state: &State| {
                matches!(state.inbox.last(), Some(Inbox::Answered(Outcome::Done(_))))
            }),
        ]
    }
}

impl Action {
    /// It happens by itself: no trouble, and no end by age.
    fn goes_on(self) -> bool {
        let is_trouble =
            matches!(self, Self::KillConsumer | Self::KillPusher | Self::TakenForDead | Self::Duplicate(_));
        !is_trouble && !matches!(self, Self::CommandTooLate(_) | Self::RowTooLate(_))
    }
}

impl Intents {
    pub(super) fn keeps(&self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }

    /// A worker admits what it has in hand in the order in which it got it, and acknowledges it in that order.
    fn in_order(&self, state: &State, command: usize, copy: Copy) -> bool {
        let is_free = copy == Copy::Admitted && !self.keeps(Rule::AcknowledgedInOrder);
        !self.by_arrival || is_free || !state.copies[..command].iter().any(|copies| copies.contains(&copy))
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

    /// What the producer said last of a server's address is what is there, unless it failed.
    fn last_is_so(&self, state: &State, server: usize) -> bool {
        let of_server = |c: &usize| self.commands[*c].0 == server;
        let Some(last) = (0..self.commands.len()).rfind(of_server) else { return true };
        let failed = (0..self.commands.len()).filter(of_server).any(|c| state.dead_letter[c]);
        let is_bound = state.bound.is_some_and(|row| state.rows[row].server == server);
        failed || is_bound == (self.commands[last].1 == Create)
    }
}

const AGAIN: &[(usize, Kind)] = &[(0, Create), (0, Revoke), (0, Create)];
const MOVED: &[(usize, Kind)] = &[(0, Create), (0, Revoke), (1, Create)];
const CALLED_OFF: &[(usize, Kind)] = &[(0, Create), (0, Revoke)];
const CLAIMED_TWICE: &[(usize, Kind)] = &[(0, Create), (1, Create)];
const FOUGHT_FOR: &[(usize, Kind)] = &[(0, Create), (0, Revoke), (1, Create), (0, Create)];

/// Commands with times, without times, and without ids.
fn timed(commands: &'static [(usize, Kind)], troubles_max: u8) -> Intents {
    Intents { commands, by_arrival: false, anonymous: false, troubles_max, broken: None }
}

fn untimed(commands: &'static [(usize, Kind)], troubles_max: u8) -> Intents {
    Intents { by_arrival: true, ..timed(commands, troubles_max) }
}

fn anonymous(commands: &'static [(usize, Kind)], troubles_max: u8) -> Intents {
    Intents { anonymous: true, ..untimed(commands, troubles_max) }
}

#[test]
fn the_newest_intent_wins_and_nothing_is_lost_in_every_interleaving() {
    let mut models = vec![
        timed(AGAIN, 0),
        timed(MOVED, 1),
        timed(CALLED_OFF, 2),
        timed(CLAIMED_TWICE, 2),
        untimed(CALLED_OFF, 2),
        untimed(AGAIN, 1),
        untimed(MOVED, 1),
        untimed(FOUGHT_FOR, 0),
        anonymous(CALLED_OFF, 2),
    ];
    if is_long() {
        models.extend([timed(AGAIN, 2), timed(MOVED, 2), untimed(FOUGHT_FOR, 1), anonymous(AGAIN, 2)]);
    }
    for model in models {
        let told = format!("{:?}, {} troubles", model.commands, model.troubles_max);
        let checker = model.checker().spawn_dfs().join();
        eprintln!("{} states: {told}", checker.unique_state_count());
        checker.assert_properties();
    }
}

#[test]
fn each_rule_of_the_order_of_intents_is_needed() {
    use Rule::*;
    let in_the_end = "what was published last is so in the end";
    let table = [
        (NewestIntentWins, timed(CALLED_OFF, 1), "what the newest intent came to is so"),
        (OneLiveRow, untimed(FOUGHT_FOR, 0), "an address has one live row"),
        (MacNeverAgain, timed(AGAIN, 1), "a MAC is never handed out twice"),
        (AnsweredAgainTheSame, timed(CALLED_OFF, 1), "a command has one outcome"),
        (AcknowledgedAfterAdmission, timed(CALLED_OFF, 1), "no message is lost"),
        (AcknowledgedInOrder, anonymous(CALLED_OFF, 1), in_the_end),
        (AdmissionChecksTheTurn, anonymous(CALLED_OFF, 1), in_the_end),
        (WhoeverTakesATurnIsConnected, anonymous(CALLED_OFF, 1), in_the_end),
        (DeadLettersComeWithTheOutcome, timed(CALLED_OFF, 1), "no message is lost"),
        (OldGenerationsFinishNothing, timed(CALLED_OFF, 1), "a command fails by a push of its own"),
        (BegunOnce, timed(CALLED_OFF, 1), "a command changes an intent once"),
        (WaitingCommandsAreTriedAgain, timed(MOVED, 1), "where nothing goes on all is answered"),
    ];
    for (rule, model, property) in table {
        let model = Intents { broken: Some(rule), ..model };
        let checker = model.checker().finish_when(HasDiscoveries::AllOf([property].into())).spawn_bfs().join();
        assert!(checker.discovery(property).is_some(), "without {rule:?} `{property}` holds all the same");
    }
}
