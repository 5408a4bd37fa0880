//! What a worker does with a message and with a waiting command, and the transactions behind it.

use super::model::{Intents, Rule};
use super::state::{Copy, Inbox, Kind, Outcome, Port, State, Status};
use Kind::{Create, Revoke};

impl Intents {
    /// The worker goes on with a copy: it admits it, or acknowledges it.
    pub(super) fn step(&self, state: &mut State, command: usize, copy: Copy) -> Option<()> {
        let next = match copy {
            Copy::Queued => return None,
            Copy::Delivered => {
                // Whoever is connected to the broker may take the turn.
                state.turn = Some(state.session);
                self.admit_message(state, command);
                Some(Copy::Admitted)
            }
            Copy::Admitted => None,
            Copy::Late(session) => {
                if !self.keeps(Rule::WhoeverTakesATurnIsConnected) {
                    state.turn = Some(session);
                }
                if state.turn == Some(session) || !self.keeps(Rule::AdmissionChecksTheTurn) {
                    self.admit_message(state, command);
                }
                None
            }
        };
        state.replace(command, copy, next);
        Some(())
    }

    /// What becomes of a queued copy that is handed out.
    pub(super) fn deliver(&self, state: &mut State, command: usize) {
        let acknowledged = !self.keeps(Rule::AcknowledgedAfterAdmission);
        // What was acknowledged already is in one worker's memory alone.
        let copy = if acknowledged { Copy::Late(state.session) } else { Copy::Delivered };
        state.replace(command, Copy::Queued, Some(copy));
    }

    /// A message without an id is another command each time it is admitted.
    fn admit_message(&self, state: &mut State, command: usize) {
        if self.anonymous && state.inbox[command] != Inbox::Unknown {
            state.inbox[command] = Inbox::Unknown;
            state.arrivals.retain(|arrived| *arrived != command);
            (state.dead_letter[command], state.told[command]) = (false, Default::default());
        }
        self.admit(state, command, false);
    }

    /// The transaction that admits a command; `blind`: it saw no live row, and only the index knows of one made since.
    pub(super) fn admit(&self, state: &mut State, command: usize, blind: bool) {
        let (server, kind) = self.commands[command];
        if let Inbox::Answered(outcome) = state.inbox[command]
            && self.keeps(Rule::AnsweredAgainTheSame)
        {
            return self.answer(state, command, outcome);
        }
        if !state.arrivals.contains(&command) {
            state.arrivals.push(command);
        }
        let place = self.place(state, command);
        let is_newer = |newest: &usize| self.place(state, *newest) > place && self.keeps(Rule::NewestIntentWins);
        let newest = state.intents[server].filter(is_newer);
        if newest.is_some_and(|newest| self.commands[newest].1 != kind) {
            return self.answer(state, command, Outcome::Superseded);
        }
        let indexed = kind == Create && self.keeps(Rule::OneLiveRow);
        let row = match state.live().filter(|_| !blind || indexed) {
            Some(row) if state.rows[row].server != server && state.rows[row].desired == Create => {
                if kind == Revoke && newest.is_none() {
                    state.intents[server] = Some(command);
                }
                return self.answer(state, command, Outcome::Taken);
            }
            Some(row) if state.rows[row].server != server => {
                state.inbox[command] = Inbox::Waits;
                return;
            }
            Some(row) => Some(row),
            None => (kind == Create).then(|| state.allocate(server, self.keeps(Rule::MacNeverAgain))),
        };
        if newest.is_none() {
            state.intents[server] = Some(command);
            let is_open = |c: &usize| matches!(state.inbox[*c], Inbox::Waits | Inbox::Open(_));
            let is_older = |c: &usize| self.place(state, *c) < place && self.commands[*c] == (server, kind.other());
            let older: Vec<_> = (0..self.commands.len()).filter(|c| is_open(c) && is_older(c)).collect();
            older.into_iter().for_each(|c| self.answer(state, c, Outcome::Superseded));
        }
        let Some(row) = row else { return self.answer(state, command, Outcome::Done(Revoke)) };
        if state.rows[row].intend(kind, self.keeps(Rule::BegunOnce)) == Status::Active && kind == Create {
            return self.answer(state, command, Outcome::Done(Create));
        }
        state.inbox[command] = Inbox::Open(row);
    }

    fn answer(&self, state: &mut State, command: usize, outcome: Outcome) {
        state.answer(command, outcome, self.keeps(Rule::DeadLettersComeWithTheOutcome));
    }

    /// A waiting command is tried again: at once where a row is there, else by a transaction that may be overtaken.
    pub(super) fn try_again(&self, state: &mut State, command: usize) -> Option<()> {
        let may = state.inbox[command] == Inbox::Waits && self.keeps(Rule::WaitingCommandsAreTriedAgain);
        (may && state.trying.is_none()).then_some(())?;
        match state.live() {
            Some(_) => self.admit(state, command, false),
            None => state.trying = Some(command),
        }
        Some(())
    }

    /// What waited for too long: a command in the inbox.
    pub(super) fn command_too_late(&self, state: &mut State, command: usize) -> Option<()> {
        (state.inbox[command] == Inbox::Waits && state.trying != Some(command)).then_some(())?;
        self.answer(state, command, Outcome::TooLate);
        Some(())
    }

    /// What waited for too long: a row, with every command that waits for it.
    pub(super) fn row_too_late(&self, state: &mut State, index: usize) -> Option<()> {
        let row = state.rows.get_mut(index).filter(|row| row.work && state.push.is_none())?;
        (row.status, row.port, row.work) = (Status::Failed, Port::Failed, false);
        let kind = row.desired;
        self.close(state, index, kind, Outcome::TooLate);
        Some(())
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

    fn close(&self, state: &mut State, row: usize, kind: Kind, outcome: Outcome) {
        let waits = |c: &usize| self.commands[*c].1 == kind && state.inbox[*c] == Inbox::Open(row);
        let waiting: Vec<_> = (0..self.commands.len()).filter(waits).collect();
        waiting.into_iter().for_each(|command| self.answer(state, command, outcome));
    }
}
