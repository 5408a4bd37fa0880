//! What a worker does with a message, and the transactions behind it.

use super::model::{Intents, Rule};
use super::state::{Copy, Inbox, Kind, Outcome, Port, Stage, State, Status};
use Kind::{Create, Revoke};

impl Intents {
    /// What becomes of a queued copy that is handed out; none while the lock of its place is held.
    pub(super) fn deliver(&self, state: &mut State, command: usize, worker: usize) -> Option<Option<Copy>> {
        let admitting = |c: usize| state.copies[c].iter().any(|copy| matches!(copy, Copy::With(_, Stage::Admitting)));
        let same_place = |c: &usize| self.commands[*c].0 == self.commands[command].0;
        if (0..self.commands.len()).filter(same_place).any(admitting) {
            return None;
        }
        match state.live() {
            _ if !self.keeps(Rule::AcknowledgedAfterCommit) => Some(None),
            None => Some(Some(Copy::With(worker, Stage::Admitting))),
            Some(_) => Some(self.admit(state, command, false).map(|stage| Copy::With(worker, stage))),
        }
    }

    /// What becomes of an unacknowledged copy, nothing once it is acknowledged; none while it waits.
    pub(super) fn step(&self, state: &mut State, command: usize, worker: usize, stage: Stage) -> Option<Option<Copy>> {
        let next = match stage {
            Stage::Admitting => self.admit(state, command, true),
            Stage::Held(_) => state.disposal(command)?,
            Stage::Failed => return Some(self.keeps(Rule::AcknowledgedAfterCopy).then_some(Copy::Queued)),
            Stage::Dead => {
                state.dead_letter[command] = self.keeps(Rule::AcknowledgedAfterDeadLetter);
                None
            }
        };
        Some(next.map(|stage| Copy::With(worker, stage)))
    }

    /// The transaction that takes a command in; `blind`: it saw no live row, and only the index knows of one made since.
    pub(super) fn admit(&self, state: &mut State, command: usize, blind: bool) -> Option<Stage> {
        let (server, kind) = self.commands[command];
        if let Inbox::Answered(outcome) = state.inbox[command]
            && self.keeps(Rule::AnsweredAgainTheSame)
        {
            return state.answer(command, outcome);
        }
        if self.by_arrival && !state.arrivals.contains(&command) {
            state.arrivals.push(command);
        }
        let place = self.place(state, command);
        let is_newer = |newest: &usize| self.place(state, *newest) > place && self.keeps(Rule::NewestIntentWins);
        let newest = state.intents[server].filter(is_newer);
        if newest.is_some_and(|newest| self.commands[newest].1 != kind) {
            return state.answer(command, Outcome::Superseded);
        }
        let indexed = kind == Create && self.keeps(Rule::OneLiveRow);
        let row = match state.live().filter(|_| !blind || indexed) {
            Some(row) if state.rows[row].server != server && state.rows[row].desired == Create => {
                if kind == Revoke && newest.is_none() {
                    state.intents[server] = Some(command);
                }
                return state.answer(command, Outcome::Taken);
            }
            Some(row) if state.rows[row].server != server => {
                state.inbox[command] = Inbox::Open(None);
                return Some(Stage::Failed);
            }
            Some(row) => Some(row),
            None => (kind == Create).then(|| state.allocate(server, self.keeps(Rule::MacNeverAgain))),
        };
        if newest.is_none() {
            state.intents[server] = Some(command);
            let is_older = |c: &usize| self.place(state, *c) < place && self.commands[*c] == (server, kind.other());
            let older: Vec<_> = (0..self.commands.len()).filter(is_older).collect();
            older.into_iter().for_each(|c| state.supersede(c));
        }
        let Some(row) = row else { return state.answer(command, Outcome::Done(Revoke)) };
        if state.rows[row].intend(kind, self.keeps(Rule::BegunOnce)) == Status::Active && kind == Create {
            return state.answer(command, Outcome::Done(Create));
        }
        state.inbox[command] = Inbox::Open(Some(row));
        Some(Stage::Held(row))
    }

    /// The transaction that gives a command up: the command, its row, and who else waits for the same.
    pub(super) fn give_up(&self, state: &mut State, command: usize) {
        let Inbox::Open(row) = state.inbox[command] else { return };
        if !self.keeps(Rule::GivenUpBeforeDead) {
            return;
        }
        let kind = self.commands[command].1;
        if let Some(index) = row.filter(|row| state.rows[*row].desired == kind && !state.rows[*row].is_met()) {
            let row = &mut state.rows[index];
            (row.status, row.port, row.work) = (Status::Failed, Port::Failed, false);
            self.close(state, index, kind, Outcome::GivenUp);
        }
        state.answer(command, Outcome::GivenUp);
    }

    /// The transaction that writes a push's result.
    pub(super) fn settle_push(&self, state: &mut State) -> Option<()> {
        let push = state.push.take_if(|push| push.end != Port::Pending)?;
        let row = &mut state.rows[push.row];
        let current = row.generation == push.generation || !self.keeps(Rule::OldGenerationsFinishNothing);
        row.port = if current { push.end } else { Port::Pending };
        row.work &= !row.is_met() && row.port != Port::Failed;
        let desired = row.desired;
        let (status, outcome) = match desired {
            _ if row.port == Port::Failed => (Status::Failed, Outcome::Refused(push.desired)),
            _ if !row.is_met() => return Some(()),
            Create => (Status::Active, Outcome::Done(Create)),
            Revoke => (Status::Revoked, Outcome::Done(Revoke)),
        };
        row.status = status;
        self.close(state, push.row, desired, outcome);
        Some(())
    }

    pub(super) fn close(&self, state: &mut State, row: usize, kind: Kind, outcome: Outcome) {
        let waits = |c: &usize| self.commands[*c].1 == kind && state.inbox[*c] == Inbox::Open(Some(row));
        let waiting: Vec<_> = (0..self.commands.len()).filter(waits).collect();
        waiting.into_iter().for_each(|command| _ = state.answer(command, outcome));
    }
}
