//! Carrying a decision out.

use std::borrow::Cow;
use std::collections::BTreeSet;

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
    write_intents(tx, decision, world).await?;
    inbox::write(tx, group, decision, world, now).await?;
    take_off_work(tx, decision, world).await?;
    write_work(tx, decision, world, now).await?;
    let closings = closings(group, decision, world);
    close(tx, &closings, now).await?;
    let again = answers_again(group, decision, world, now);
    write_events(tx, again, now).await?;
    Ok(())
}

async fn write_intents(tx: &mut Tx, decision: &Decision, world: &World) -> Result<(), StoreError> {
    let sql = "UPDATE intents SET last_issued_at_ms = CAST(e.value->>'last_ms' AS BIGINT),
            last_issued_rank = CAST(e.value->>'last_rank' AS BIGINT),
            last_arrival = CAST(e.value->>'last_arrival' AS BIGINT),
            issued_at_ms = COALESCE(CAST(e.value->>'ms' AS BIGINT), issued_at_ms),
            issued_rank = COALESCE(CAST(e.value->>'rank' AS BIGINT), issued_rank),
            arrival = COALESCE(CAST(e.value->>'arrival' AS BIGINT), arrival),
            action = COALESCE(e.value->>'action', action), message_key = COALESCE(e.value->>'key', message_key),
            wants = COALESCE(e.value->>'wants', wants)
        FROM {rows} WHERE intents.server_id = CAST(e.value->>'server_id' AS BIGINT)
            AND intents.ip_address = e.value->>'ip'";
    let places: BTreeSet<_> = decision.last.keys().chain(decision.intents.keys()).collect();
    let rows = places.into_iter().filter_map(|place| {
        let (newest, last) = (decision.intents.get(place), world.last.get(place)?);
        let position = newest.map(|order| order.position);
        Some(json!({"server_id": place.0, "ip": place.1, "last_ms": last.moment.ms, "last_rank": last.moment.rank,
            "last_arrival": last.arrival, "ms": position.map(|position| position.moment.ms),
            "rank": position.map(|position| position.moment.rank), "arrival": position.map(|position| position.arrival),
            "action": newest.map(|order| order.action), "key": newest.map(|order| &order.key),
            "wants": newest.map(|order| order.wants)}))
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

/// What ends with this group, in the order of arrival, because events are told in that order: first what it overtook.
fn closings<'a>(group: &[&Incoming], decision: &'a Decision, world: &'a World) -> Vec<Closing<'a>> {
    let of_group = group.iter().filter_map(|incoming| {
        let (key, verdict) = decision.verdicts.get_key_value(&incoming.key)?;
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
    overtaken.chain(of_group).collect()
}

/// Whoever asks again for what is known is answered again.
fn answers_again<'a>(
    group: &[&Incoming],
    decision: &Decision,
    world: &'a World,
    now: DateTime<Utc>,
) -> Vec<EventRow<'a>> {
    let answered = group.iter().filter(|incoming| decision.verdicts.get(&incoming.key) == Some(&Verdict::Answered));
    answered
        .filter_map(|incoming| {
            let known = world.inbox.get(&incoming.key)?;
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
