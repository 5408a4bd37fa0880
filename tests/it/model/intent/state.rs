//! What there is: messages, the database's rows, the switch; and what changes in one place only.

use std::collections::BTreeSet;

use stateright::Representative;

use super::model::Action;
use Kind::{Create, Revoke};

/// Copies of one message, not counting one that is published while its original is yet to be acknowledged.
const COPIES_MAX: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Create,
    Revoke,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Outcome {
    Done(Kind),
    Superseded,
    /// Another server has the address.
    Taken,
    /// The switch refused a push that was to do this.
    Refused(Kind),
    GivenUp,
}

/// What the inbox says of a command; an open one may be tied to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Inbox {
    Unknown,
    Open(Option<usize>),
    Answered(Outcome),
}

/// A copy of a message: in the queue, or with a worker that has not acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Copy {
    Queued,
    With(usize, Stage),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Stage {
    /// In a transaction that has its place locked and saw no live row.
    Admitting,
    /// It waits for the outcome of this row.
    Held(usize),
    /// Its work failed in a way that may pass.
    Failed,
    /// It failed for good: to be published to the dead letters.
    Dead,
}

/// What is known of the row's port, and in a push how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Port {
    Pending,
    Is(Kind),
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Status {
    Pending,
    Active,
    Failed,
    Revoked,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Row {
    pub server: usize,
    pub mac: u8,
    pub desired: Kind,
    pub generation: u8,
    pub status: Status,
    pub port: Port,
    /// It stands in `switch_work`.
    pub work: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Push {
    pub worker: usize,
    pub row: usize,
    pub desired: Kind,
    pub generation: u8,
    pub end: Port,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct State {
    pub copies: Vec<Vec<Copy>>,
    pub inbox: Vec<Inbox>,
    /// The commands in the order in which they were taken in first, where that decides.
    pub arrivals: Vec<usize>,
    /// Every outcome that was ever told.
    pub told: Vec<BTreeSet<Outcome>>,
    pub dead_letter: Vec<bool>,
    pub purged: Vec<bool>,
    /// The newest intent of each server.
    pub intents: [Option<usize>; 2],
    pub rows: Vec<Row>,
    pub push: Option<Push>,
    /// The row whose MAC the switch has for the address.
    pub bound: Option<usize>,
    pub troubles_left: u8,
}

impl State {
    pub(super) fn live(&self) -> Option<usize> {
        self.rows.iter().position(Row::is_live)
    }

    pub(super) fn replace(&mut self, command: usize, copy: Copy, by: Option<Copy>) {
        let copies = &mut self.copies[command];
        copies.iter().position(|c| *c == copy).map(|at| copies.swap_remove(at));
        copies.extend(by);
    }

    pub(super) fn add(&mut self, command: usize) -> bool {
        let may = self.copies[command].len() < COPIES_MAX;
        self.copies[command].extend(may.then_some(Copy::Queued));
        may
    }

    pub(super) fn answer(&mut self, command: usize, outcome: Outcome) -> Option<Stage> {
        self.inbox[command] = Inbox::Answered(outcome);
        self.told[command].insert(outcome);
        self.disposal(command)?
    }

    pub(super) fn supersede(&mut self, command: usize) {
        if matches!(self.inbox[command], Inbox::Open(_)) {
            self.answer(command, Outcome::Superseded);
        }
    }

    /// What becomes of a message whose command has an outcome; nothing where that says all.
    pub(super) fn disposal(&self, command: usize) -> Option<Option<Stage>> {
        match self.inbox[command] {
            Inbox::Answered(Outcome::Done(_) | Outcome::Superseded) => Some(None),
            Inbox::Answered(_) => Some(Some(Stage::Dead)),
            _ => None,
        }
    }

    /// It is in the queue, unacknowledged, answered or a dead letter; and if it is a dead letter, it is known to be one.
    pub(super) fn is_safe(&self, command: usize) -> bool {
        let ended = self.disposal(command);
        let dead = self.dead_letter[command];
        let gone = self.copies[command].is_empty() && !self.purged[command];
        (!gone || ended == Some(None) || dead) && (!dead || ended == Some(Some(Stage::Dead)))
    }

    pub(super) fn is_quiet(&self) -> bool {
        let answered = |inbox: &Inbox| matches!(inbox, Inbox::Answered(_));
        self.inbox.iter().all(answered) && self.copies.iter().all(Vec::is_empty)
    }

    /// The unluckiest of generators: it always draws the lowest MAC first.
    pub(super) fn allocate(&mut self, server: usize, all_rows: bool) -> usize {
        let taken = |mac: &u8| self.rows.iter().any(|row| row.mac == *mac && (all_rows || row.is_live()));
        let mac = (0..).find(|mac| !taken(mac)).expect("a MAC");
        let (status, port) = (Status::Pending, Port::Pending);
        self.rows.push(Row { server, mac, desired: Create, generation: 1, status, port, work: true });
        self.rows.len() - 1
    }

    pub(super) fn advance_push(&mut self, action: Action) -> Option<()> {
        if let Action::Plan(worker, index) = action {
            let row = self.rows.get(index).filter(|row| row.work && self.push.is_none())?;
            let (desired, generation) = (row.desired, row.generation);
            self.push = Some(Push { worker, row: index, desired, generation, end: Port::Pending });
            return Some(());
        }
        let push = self.push.as_mut().filter(|push| push.end == Port::Pending)?;
        match action {
            Action::SwitchTakes => {
                push.end = Port::Is(push.desired);
                self.bound = if push.desired == Create { Some(push.row) } else { None };
            }
            Action::SwitchRefuses => push.end = Port::Failed,
            _ => {
                let Push { worker, row, .. } = self.push.take()?;
                let held = Copy::With(worker, Stage::Held(row));
                let of_row = self.copies.iter_mut().flatten().filter(|copy| **copy == held);
                of_row.for_each(|copy| *copy = Copy::With(worker, Stage::Failed));
            }
        }
        Some(())
    }

    pub(super) fn trouble(&mut self, action: Action) -> Option<()> {
        self.troubles_left = self.troubles_left.checked_sub(1)?;
        match action {
            Action::Crash(worker) => {
                let push = self.push.take_if(|push| push.worker == worker).is_some();
                let here = |copy: &&mut Copy| matches!(copy, Copy::With(w, _) if *w == worker);
                let copies = self.copies.iter_mut().flatten().filter(here).map(|copy| *copy = Copy::Queued).count();
                (push || copies > 0).then_some(())
            }
            Action::Duplicate(command) => self.add(command).then_some(()),
            Action::Purge(command) => {
                let at = self.copies[command].iter().position(|copy| *copy == Copy::Queued)?;
                self.copies[command].remove(at);
                self.purged[command] = true;
                (self.inbox[command] != Inbox::Unknown).then_some(())
            }
            _ => None,
        }
    }
}

/// Which of the two workers is which makes no difference.
impl Representative for State {
    fn representative(&self) -> Self {
        let mut other = self.clone();
        other.push.iter_mut().for_each(|push| push.worker = 1 - push.worker);
        for copies in &mut other.copies {
            for copy in copies.iter_mut() {
                if let Copy::With(worker, _) = copy {
                    *worker = 1 - *worker;
                }
            }
            copies.sort();
        }
        other.min(self.clone())
    }
}

impl Row {
    pub(super) fn is_live(&self) -> bool {
        self.status != Status::Revoked
    }

    pub(super) fn is_met(&self) -> bool {
        self.port == Port::Is(self.desired)
    }

    /// Brings the row's intent to this; it waits for its switch unless it is met.
    pub(super) fn intend(&mut self, kind: Kind, once: bool) -> Status {
        // A row stays failed while it is revoked: its port says whether that was begun.
        let failed = if kind == Revoke && once { self.port == Port::Failed } else { self.status == Status::Failed };
        if self.desired != kind || failed {
            (self.desired, self.port) = (kind, Port::Pending);
            self.generation += 1;
            self.status = if kind == Create { Status::Pending } else { self.status };
        }
        self.work |= !self.is_met();
        self.status
    }
}

impl Kind {
    pub(super) fn other(self) -> Self {
        if self == Create { Revoke } else { Create }
    }
}
