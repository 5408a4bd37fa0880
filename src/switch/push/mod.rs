//! The push: brings the bindings on a switch to what the rows want.
//!
//! What waits is gathered after the backup, as late as possible, and planned against what is there; each group is one
//! commit, and what the switch refuses is narrowed (`narrowing`).

mod blame;
pub(in crate::switch) mod journal;
mod narrowing;
mod planning;
pub(in crate::switch) mod preview;
pub(in crate::switch) mod read_back;
mod resolve;
pub(in crate::switch) mod transaction;

use uuid::Uuid;

use crate::domain::Failure;
use crate::domain::plan::{Change, Reached, Step, WishResult};
use crate::switch::client::SwitchClient;
use crate::switch::known::{KnownConfiguration, PushBackup};
use blame::{AddressSteps, by_address};
use journal::{PushContent, PushIntent, PushReport, RowSource, Stage};
use planning::planned;
use transaction::{CommitOutcome, PushOptions, Transaction};

/// Pushes what the journal gathers. Never fails as such: the report says what became of what.
pub async fn push<D: RowSource>(client: &mut SwitchClient, demand: &mut D, options: &PushOptions) -> PushReport {
    let transaction = match Transaction::begin(client, demand, options).await {
        Ok(transaction) => transaction,
        Err(error) => return PushReport::not_begun(&error),
    };
    let mut push = Push { transaction, results: Vec::new() };
    let (known, whole) = match push.transaction.open().await {
        Ok(known) => {
            let pushed = push.locked(&known).await;
            (Some(known), pushed.err())
        }
        Err(failure) => (None, Some(failure)),
    };
    let left_at = push.transaction.end(known).await;
    let session_usable = push.transaction.session_usable;
    PushReport { results: push.results, whole, left_at, session_usable, lost_before_use: false }
}

/// A push under way.
struct Push<'a, D> {
    transaction: Transaction<'a, D>,
    results: Vec<WishResult>,
}

impl<D: RowSource> Push<'_, D> {
    async fn locked(&mut self, known: &KnownConfiguration) -> Result<(), Failure> {
        self.demand().reached(Stage::Read);
        let mut wishes = self.demand().gather().await?;
        let owned = self.demand().ownership(&mut wishes, &known.bindings).await?;
        let planned = planned(self.transaction.client, wishes, &known.bindings, Some(known), &owned).await;
        let planned = self.transaction.noted(planned)?;
        self.demand().reached(Stage::Gathered);
        let mut steps = Vec::new();
        for step in planned {
            match step {
                Ok(step) if step.changes.is_empty() => self.reached(step, None),
                Ok(step) => steps.push(step),
                Err((wish, failure)) => self.results.push(WishResult { wish, end: Err(failure) }),
            }
        }
        let group = by_address(steps);
        if group.is_empty() { Ok(()) } else { self.push_groups(group, known).await }
    }

    fn demand(&mut self) -> &mut D {
        self.transaction.journal
    }

    async fn try_group(&mut self, group: &[AddressSteps], before: &PushBackup) -> Result<CommitOutcome, Failure> {
        let changes: Vec<Change> = group.iter().flatten().flat_map(|step| step.changes.clone()).collect();
        match self.transaction.client.load(&changes).await {
            Ok(()) => {
                let rows: Vec<i64> = group.iter().flatten().map(|step| step.wish.vmac_id).collect();
                let traces = self.demand().traces(&rows);
                let id = Uuid::now_v7().to_string();
                let intent = PushIntent { id, content: PushContent::Changes(changes), backup_id: None };
                self.transaction.commit(intent, before, &traces).await
            }
            Err(error) => self.transaction.load_failed(error).await,
        }
    }

    fn reached(&mut self, step: Step, push: Option<(String, Option<i64>)>) {
        let (end, previous_mac) = (step.end, step.previous_mac);
        let reached = Reached { end, previous_mac, push };
        self.results.push(WishResult { wish: step.wish, end: Ok(reached) });
    }

    fn fail(&mut self, group: Vec<AddressSteps>, failure: &Failure) {
        self.results
            .extend(group.into_iter().flatten().map(|step| WishResult { wish: step.wish, end: Err(failure.clone()) }));
    }
}
