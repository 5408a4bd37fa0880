//! Earlier pushes whose end the journal does not know: a worker died, or a commit got no answer.
//!
//! Decided with the candidate locked, so that nothing of ours is still under way: from the commit history,
//! which carries the push's id, and from what is committed.

use super::journal::{Journal, PushEnd, PushIntent};
use super::read_back::missing;
use crate::domain::Failure;
use crate::switch::client::SwitchClient;
use crate::switch::commits::history::{CommitEntry, pending_confirm};

/// What the history says about a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is nowhere: its commit never happened, or so long ago that others have settled it.
    Nowhere,
    /// It is the newest commit and may wait for its confirmation.
    MayBePending,
    /// It was confirmed, or something else was committed after it: what is committed counts.
    Settled,
}

/// Finds out how each push ended, and ends the one that may be pending.
///
/// # Errors
/// When switch or journal fail; then the pushes stay open.
pub(super) async fn resolve<J: Journal>(
    client: &mut SwitchClient,
    journal: &mut J,
    pushes: &[PushIntent],
    history: &[CommitEntry],
) -> Result<(), Failure> {
    for push in pushes {
        let end = match standing(push, history) {
            Standing::Nowhere => PushEnd::NotApplied,
            Standing::MayBePending => end_pending(client, journal, push).await?,
            Standing::Settled if is_held(client, push).await? => PushEnd::Confirmed,
            Standing::Settled => PushEnd::NotApplied,
        };
        tracing::info!(switch = client.name(), push = push.id, ?end, "found out how an earlier push ended");
        journal.resolved(&push.id, end);
    }
    Ok(())
}

fn standing(push: &PushIntent, history: &[CommitEntry]) -> Standing {
    match history.iter().position(|entry| entry.log.contains(&push.id)) {
        None => Standing::Nowhere,
        Some(0) if pending_confirm(history).is_some() => Standing::MayBePending,
        Some(_) => Standing::Settled,
    }
}

/// The newest commit is this push: confirmed when it holds what was planned, taken back when not. Confirming
/// what is confirmed already changes nothing.
async fn end_pending<J: Journal>(
    client: &mut SwitchClient,
    journal: &mut J,
    push: &PushIntent,
) -> Result<PushEnd, Failure> {
    let held = is_held(client, push).await?;
    journal.may_commit()?;
    let ended = if held { client.confirm(&push.id).await } else { client.roll_back(&push.id).await };
    ended.map_err(|error| error.failure())?;
    // Its time may have run out just before it was confirmed.
    Ok(if held && is_held(client, push).await? { PushEnd::Confirmed } else { PushEnd::NotApplied })
}

async fn is_held(client: &mut SwitchClient, push: &PushIntent) -> Result<bool, Failure> {
    let missing = missing(client, &push.content).await.map_err(|error| error.failure())?;
    Ok(missing.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::PushContent;

    fn entry(comment: &str, log: &str) -> CommitEntry {
        CommitEntry { sequence: 0, user: "vmacd".into(), at_s: Some(0), comment: comment.into(), log: log.into() }
    }

    #[test]
    fn the_history_tells_where_a_push_stands() {
        let push = PushIntent { id: "p-1".into(), content: PushContent::Changes(Vec::new()), backup_id: None };
        let pending = entry("commit confirmed, rollback in 10mins", "vmacd p-1");
        let table = [
            (vec![], Standing::Nowhere),
            (vec![entry("", "vmacd p-2 confirmed")], Standing::Nowhere),
            (vec![pending.clone()], Standing::MayBePending),
            (vec![entry("", "vmacd p-1 confirmed"), pending.clone()], Standing::Settled),
            (vec![entry("", ""), pending], Standing::Settled),
        ];
        for (history, expected) in table {
            assert_eq!(standing(&push, &history), expected, "{history:?}");
        }
    }
}
