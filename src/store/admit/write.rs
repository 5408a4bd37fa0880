//! Carrying a decision out.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::answer::{driven_row, is_for_now, superseded_text};
use super::decide::{Decision, Verdict};
use super::read::World;
use super::{Incoming, inbox};
use crate::store::commands::{Closing, CommandOutcome, Outcome, close};
use crate::store::engine::{Tx, args};
use crate::store::error::StoreError;
use crate::store::event_body::{EventOf, EventRow, event_row};
use crate::store::outbox::write_events;
use crate::store::vmacs::{UPDATE_VMACS, Vmac};
use crate::store::work::{Waits, queue_work};

/// Writes rows, the inbox, work, intents, outcomes and events.
pub(super) async fn write(
    tx: &mut Tx,
    group: &[&Incoming],
    decision: &Decision,
    world: &World,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed: Vec<&Vmac> = decision.changed.iter().filter_map(|ip| world.live.get(ip)).collect();
    tx.batch("change rows", UPDATE_VMACS, changed, args![now]).await?;
    write_intents(tx, decision).await?;
    inbox::write(tx, group, decision, world, now).await?;
    take_off_work(tx, decision, world).await?;
    write_work(tx, decision, world, now).await?;
    let closings: Vec<_> = closings(decision, world);
    close(tx, &closings, now).await?;
    let again = answers_again(decision, world, now);
    write_events(tx, again, now).await?;
    Ok(())
}

async fn write_intents(tx: &mut Tx, decision: &Decision) -> Result<(), StoreError> {
    let sql = "UPDATE intents SET issued_at_ms = CAST(e.value->>'issued_at_ms' AS BIGINT),
            action = e.value->>'action', message_key = e.value->>'key', wants = e.value->>'wants'
        FROM {rows} WHERE intents.server_id = CAST(e.value->>'server_id' AS BIGINT)
            AND intents.ip_address = e.value->>'ip'";
    let rows = decision.intents.iter().map(|((server_id, ip), order)| {
        json!({"server_id": server_id, "ip": ip, "issued_at_ms": order.issued_at_ms, "action": order.action,
            "key": order.key, "wants": order.wants})
    });
    tx.batch("write intents", sql, rows.collect(), Vec::new()).await.map(|_| ())
}

/// Takes rows off the switches whose turn it is no more: nothing is to be done there before the address is bound elsewhere.
async fn take_off_work(tx: &mut Tx, decision: &Decision, world: &World) -> Result<(), StoreError> {
    let changed = decision.changed.iter().filter_map(|ip| world.live.get(ip));
    let left = changed.flat_map(|row| {
        let due = row.switches_due();
        let waits = row.switches_waiting().into_iter().filter(move |switch| !due.contains(switch));
        waits.map(|switch| json!({"switch": switch, "vmac_id": row.id}))
    });
    let sql = "DELETE FROM switch_work WHERE (switch, vmac_id) IN (
        SELECT e.value->>'switch', CAST(e.value->>'vmac_id' AS BIGINT) FROM {rows})";
    tx.batch("take work off", sql, left.collect(), Vec::new()).await.map(|_| ())
}

/// Queues the rows of the commands that go on for their switches.
async fn write_work(tx: &mut Tx, decision: &Decision, world: &World, now: DateTime<Utc>) -> Result<(), StoreError> {
    let driven = decision.verdicts.keys().filter_map(|key| driven_row(key, decision, world));
    let work = driven.flat_map(|row| row.switches_due().into_iter().map(|switch| Waits { switch, vmac_id: row.id }));
    queue_work(tx, work.collect(), now).await
}

fn closings<'a>(decision: &'a Decision, world: &'a World) -> Vec<Closing<'a>> {
    let of_group = decision.verdicts.iter().filter_map(|(key, verdict)| {
        let command = &world.inbox.get(key)?.command;
        let live = world.live.get(&command.ip_address).filter(|row| row.knows(command.server_id));
        let closing =
            |outcome, vmac, failure, superseded_by| Closing { command, outcome, vmac, failure, superseded_by };
        match verdict {
            Verdict::Answered => None,
            Verdict::OnRow => {
                let row = live.filter(|row| row.is_done_for(command.action, command.server_id))?;
                Some(closing(Outcome::of_success(command.action), Some(row), None, None))
            }
            Verdict::NothingToRevoke => {
                let row = world.revoked.get(&(command.server_id, command.ip_address));
                Some(closing(Outcome::Revoked, row, None, None))
            }
            Verdict::Superseded(newer) => Some(closing(Outcome::Superseded, live, None, Some(superseded_text(newer)))),
            Verdict::Failed(failure) if is_for_now(failure) => None,
            Verdict::Failed(failure) => Some(closing(Outcome::Failed, live, Some(failure), None)),
        }
    });
    let overtaken = decision.superseded.iter().map(|(command, newer)| Closing {
        command,
        outcome: Outcome::Superseded,
        vmac: world.live.get(&command.ip_address),
        failure: None,
        superseded_by: Some(superseded_text(newer)),
    });
    of_group.chain(overtaken).collect()
}

/// Whoever asks again for what is known is answered again.
fn answers_again<'a>(decision: &Decision, world: &'a World, now: DateTime<Utc>) -> Vec<EventRow<'a>> {
    let answered = decision.verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Answered);
    answered
        .filter_map(|(key, _)| {
            let known = world.inbox.get(key)?;
            let outcome: &CommandOutcome = known.outcome.as_ref()?;
            let event = EventOf {
                outcome: outcome.status,
                server_id: Some(known.command.server_id),
                ip: Some(known.command.ip_address),
                vmac: outcome.vmac_id.and_then(|id| world.answers.get(&id)),
                reason: outcome.failure().map(Cow::Owned),
                superseded_by: outcome.text.clone().filter(|_| outcome.status == Outcome::Superseded),
                answers: Some(known.command.answered()),
                dead_letter_id: None,
            };
            Some(event_row(event, now))
        })
        .collect()
}
