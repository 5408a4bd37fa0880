//! What there is: messages, the database's rows, the switch; and what changes in one place only.

use std::collections::BTreeSet;

use super::model::Action;
use Kind::{Create, Revoke};

/// Copies of one message.
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
    /// It waited for too long.
    TooLate,
}

/// What the inbox says of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Inbox {
    Unknown,
    /// It cannot be done yet.
    Waits,
    /// It drives this row.
    Open(usize),
    Answered(Outcome),
}

/// A copy of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Copy {
    Queued,
    /// In the hand of the worker that consumes.
    Delivered,
    /// Its command is durable; it is yet to be acknowledged.
    Admitted,
    /// In the hand of a worker that was paused until the broker gave its session up: the message is delivered again.
    Late(usize),
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
    /// It is in `switch_work`.
    pub work: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Push {
    pub row: usize,
    pub desired: Kind,
    pub generation: u8,
    pub end: Port,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct State {
    pub copies: Vec<Vec<Copy>>,
    /// The session that the broker gives messages to, and the one whose turn it is as far as the database knows.
    pub session: usize,
    pub turn: Option<usize>,
    pub inbox: Vec<Inbox>,
    /// The commands in the order in which they were admitted first.
    pub arrivals: Vec<usize>,
    /// A waiting command that is being tried again, by a transaction that saw no live row.
    pub trying: Option<usize>,
    /// Every outcome that was ever told.
    pub told: Vec<BTreeSet<Outcome>>,
    pub dead_letter: Vec<bool>,
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

    /// Gives a command its outcome, and its dead letter with it.
    pub(super) fn answer(&mut self, command: usize, outcome: Outcome, with_letter: bool) {
        self.inbox[command] = Inbox::Answered(outcome);
        self.told[command].insert(outcome);
        self.dead_letter[command] |= outcome.is_failure() && with_letter;
    }

    /// It is in the queue, unacknowledged, in the inbox, or answered; and it is a dead letter if it failed.
    pub(super) fn is_safe(&self, command: usize) -> bool {
        match self.inbox[command] {
            Inbox::Unknown => self.copies[command].iter().any(|copy| !matches!(copy, Copy::Late(_))),
            Inbox::Answered(outcome) => outcome.is_failure() == self.dead_letter[command],
            Inbox::Waits | Inbox::Open(_) => true,
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        let answered = |inbox: &Inbox| matches!(inbox, Inbox::Answered(_));
        self.inbox.iter().all(answered) && self.copies.iter().all(Vec::is_empty) && self.push.is_none()
    }

    /// The address was to be taken off one server and could not: what waits for it does so until somebody revokes it once
    /// more, or it is too late.
    pub(super) fn waits_for_a_person(&self) -> bool {
        let is_stuck = |row: usize| self.rows[row].status == Status::Failed && self.rows[row].desired == Revoke;
        self.live().is_some_and(is_stuck) && !self.inbox.iter().any(|inbox| matches!(inbox, Inbox::Open(_)))
    }

    /// The unluckiest of generators: it always draws the lowest MAC first.
    pub(super) fn allocate(&mut self, server: usize, all_rows: bool) -> usize {
        let taken = |mac: &u8| self.rows.iter().any(|row| row.mac == *mac && (all_rows || row.is_live()));
        let mac = (0..).find(|mac| !taken(mac)).expect("a MAC");
        let (status, port) = (Status::Pending, Port::Pending);
        self.rows.push(Row { server, mac, desired: Create, generation: 1, status, port, work: true });
        self.rows.len() - 1
    }

    /// A push by whoever claimed the switch; one at a time.
    pub(super) fn advance_push(&mut self, action: Action) -> Option<()> {
        if let Action::Plan(index) = action {
            let row = self.rows.get(index).filter(|row| row.work && self.push.is_none())?;
            let (desired, generation) = (row.desired, row.generation);
            self.push = Some(Push { row: index, desired, generation, end: Port::Pending });
            return Some(());
        }
        let push = self.push.as_mut().filter(|push| push.end == Port::Pending)?;
        match action {
            Action::SwitchTakes => {
                push.end = Port::Is(push.desired);
                self.bound = if push.desired == Create { Some(push.row) } else { None };
            }
            Action::SwitchRefuses => push.end = Port::Failed,
            // Trouble of the switch: the row is tried again.
            _ => self.push = None,
        }
        Some(())
    }

    /// A worker dies, or is taken for dead.
    pub(super) fn trouble(&mut self, action: Action) -> Option<()> {
        self.troubles_left = self.troubles_left.checked_sub(1)?;
        match action {
            Action::KillConsumer | Action::TakenForDead => {
                let late = Copy::Late(self.session);
                for copies in &mut self.copies {
                    let in_hand = copies.iter().filter(|copy| **copy == Copy::Delivered).count();
                    let again = copies.iter_mut().filter(|copy| matches!(copy, Copy::Delivered | Copy::Admitted));
                    again.for_each(|copy| *copy = Copy::Queued);
                    copies.extend((action == Action::TakenForDead).then_some(late).into_iter().cycle().take(in_hand));
                }
                self.session += 1;
            }
            Action::KillPusher => {
                (self.push.take().is_some() || self.trying.take().is_some()).then_some(())?;
            }
            Action::Duplicate(command) => {
                (self.copies[command].len() < COPIES_MAX).then(|| self.copies[command].push(Copy::Queued))?;
            }
            _ => return None,
        }
        Some(())
    }
}

impl Outcome {
    pub(super) fn is_failure(self) -> bool {
        !matches!(self, Self::Done(_) | Self::Superseded)
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
