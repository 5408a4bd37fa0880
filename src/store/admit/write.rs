//! Carrying a decision out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::answer::{driven_row, superseded_text};
use super::decision::{CommandVerdict, Decision};
use super::incoming::Incoming;
use super::read::{KnownCommand, Snapshot};
use super::write_commands;
use crate::domain::Failure;
use crate::store::commands::close::{Closing, close};
use crate::store::commands::outcome::{CommandOutcome, Outcome};
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::{Statement, Tx};
use crate::store::dead_letters::bury::{Burial, bury};
use crate::store::events::body::{EventOf, EventRow, event_row};
use crate::store::events::unpublished::write_events;
use crate::store::vmacs::{UPDATE_VMACS, Vmac};
use crate::store::work::{QueuedWork, queued, queued_anew};

/// Writes rows, commands, work, intents, outcomes and events.
pub(super) async fn write(
    tx: &mut Tx,
    group: &[&Incoming],
    decision: &Decision,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed: Vec<&Vmac> = decision.changed.iter().filter_map(|ip| snapshot.live.get(ip)).collect();
    let [new, going_on] = write_commands::statements(group, decision, snapshot, now);
    let [anew, again] = work(decision, snapshot, now);
    let rows = Statement::batch(UPDATE_VMACS, changed, args![now]);
    let statements = [rows, intents(decision, snapshot), new, going_on, taken_off(decision, snapshot), anew, again];
    tx.together("write commands and their work", statements).await?;
    say_why(tx, decision, snapshot).await?;
    let closings = closings(group, decision, snapshot);
    close(tx, &closings, now).await?;
    bury(tx, &failed_again(group, decision, snapshot), now).await?;
    let again = answers_again(group, decision, snapshot, now);
    write_events(tx, again, now).await?;
    Ok(())
}

/// New positions, and new newest intents.
fn intents(decision: &Decision, snapshot: &Snapshot) -> Option<Statement> {
    let sql = "UPDATE intents SET last_issued_at_ms = CAST(e.value->>'last_ms' AS BIGINT),
            last_issued_rank = CAST(e.value->>'last_rank' AS BIGINT),
            last_arrival = CAST(e.value->>'last_arrival' AS BIGINT),
            issued_at_ms = COALESCE(CAST(e.value->>'ms' AS BIGINT), issued_at_ms),
            issued_rank = COALESCE(CAST(e.value->>'rank' AS BIGINT), issued_rank),
            arrival = COALESCE(CAST(e.value->>'arrival' AS BIGINT), arrival),
            action = COALESCE(e.value->>'action', action), message_key = COALESCE(e.value->>'key', message_key),
            wants = COALESCE(e.value->>'wants', wants)
        FROM {rows} WHERE intents.server_id = CAST(e.value->>'server_id' AS BIGINT)
            AND intents.ip_address = e.value->>'ip'
            AND intents.server_id {in}SELECT CAST(e.value->>'server_id' AS BIGINT) FROM {rows}{/in}";
    let places: BTreeSet<_> = decision.last.keys().chain(decision.intents.keys()).collect();
    let rows = places.into_iter().filter_map(|place| {
        let (newest, last) = (decision.intents.get(place), snapshot.last.get(place)?);
        let position = newest.map(|order| order.position);
        Some(json!({"server_id": place.0, "ip": place.1, "last_ms": last.moment.ms, "last_rank": last.moment.rank,
            "last_arrival": last.arrival, "ms": position.map(|position| position.moment.ms),
            "rank": position.map(|position| position.moment.rank), "arrival": position.map(|position| position.arrival),
            "action": newest.map(|order| order.action), "key": newest.map(|order| &order.key),
            "wants": newest.map(|order| order.wants)}))
    });
    Statement::batch(sql, rows.collect(), Vec::new())
}

/// Takes rows off the switches whose turn it is no more: nothing is to be done there before the address is bound elsewhere.
fn taken_off(decision: &Decision, snapshot: &Snapshot) -> Option<Statement> {
    let changed = decision.changed.iter().filter_map(|ip| snapshot.live.get(ip));
    let left = changed.flat_map(|row| {
        let due = row.switches_due();
        let waits = row.switches_waiting().into_iter().filter(move |switch| !due.contains(switch));
        waits.map(|switch| json!({"switch": switch, "vmac_id": row.id}))
    });
    let sql = "DELETE FROM switch_work WHERE (switch, vmac_id) IN (
        SELECT e.value->>'switch', CAST(e.value->>'vmac_id' AS BIGINT) FROM {rows})";
    Statement::batch(sql, left.collect(), Vec::new())
}

/// Queues the rows of the commands that go on for their switches; those whose intent is new begin anew there.
fn work(decision: &Decision, snapshot: &Snapshot, now: DateTime<Utc>) -> [Option<Statement>; 2] {
    let driven = decision.verdicts.keys().filter_map(|key| driven_row(key, decision, snapshot));
    let (anew, again): (Vec<&Vmac>, Vec<&Vmac>) = driven.partition(|row| decision.changed.contains(&row.ip_address));
    let work = |rows: Vec<&Vmac>| {
        let of = |row: &Vmac| {
            let id = row.id;
            row.switches_due().into_iter().map(move |switch| QueuedWork { switch, vmac_id: id }).collect::<Vec<_>>()
        };
        rows.into_iter().flat_map(of).collect()
    };
    [queued_anew(work(anew), now), queued(work(again), now)]
}

/// Rows whose switch is in trouble say why they wait from the start: the next try may be minutes away.
async fn say_why(tx: &mut Tx, decision: &Decision, snapshot: &Snapshot) -> Result<(), StoreError> {
    let driven: BTreeMap<i64, &Vmac> = decision
        .verdicts
        .keys()
        .filter_map(|key| driven_row(key, decision, snapshot))
        .map(|row| (row.id, row))
        .collect();
    let rows = driven.into_values().filter_map(|row| {
        let trouble = row.switches_due().iter().find_map(|switch| snapshot.troubles.get(switch))?;
        Some(json!({"id": row.id, "code": trouble.code, "text": trouble.text}))
    });
    let sql = "UPDATE virtual_macs SET failure_code = e.value->>'code', failure_text = e.value->>'text'
        FROM {rows} WHERE virtual_macs.id = CAST(e.value->>'id' AS BIGINT) AND status = 'pending'
            AND virtual_macs.id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    tx.batch("record why rows wait", sql, rows.collect(), Vec::new()).await.map(|_| ())
}

/// What ends with this group, in the order of arrival, because events are told in that order: first what it overtook.
fn closings<'a>(group: &[&Incoming], decision: &'a Decision, snapshot: &'a Snapshot) -> Vec<Closing<'a>> {
    let of_group = group.iter().filter_map(|incoming| {
        let (key, verdict) = decision.verdicts.get_key_value(&incoming.key)?;
        let command = &snapshot.commands.get(key)?.command;
        let live = snapshot.live.get(&command.ip_address).filter(|row| row.knows(command.server_id));
        match verdict {
            CommandVerdict::Answered | CommandVerdict::Waits(_) | CommandVerdict::StillWaits(_) => None,
            CommandVerdict::OnRow => {
                let row = live.filter(|row| row.is_done_for(command.action, command.server_id))?;
                Some(Closing { vmac: Some(row), ..Closing::of(command, Outcome::of_success(command.action), None) })
            }
            CommandVerdict::NothingToRevoke => {
                let row = snapshot.revoked.get(&(command.server_id, command.ip_address));
                Some(Closing { vmac: row, ..Closing::of(command, Outcome::Revoked, None) })
            }
            CommandVerdict::Superseded(newer) => {
                let superseded_by = Some(superseded_text(newer));
                Some(Closing { vmac: live, superseded_by, ..Closing::of(command, Outcome::Superseded, None) })
            }
            CommandVerdict::Failed(failure) => {
                let attempts = command.attempts + 1;
                Some(Closing { vmac: live, attempts, ..Closing::of(command, Outcome::Failed, Some(failure)) })
            }
        }
    });
    let overtaken = decision.superseded.iter().map(|(command, newer)| Closing {
        vmac: snapshot.live.get(&command.ip_address),
        superseded_by: Some(superseded_text(newer)),
        ..Closing::of(command, Outcome::Superseded, None)
    });
    overtaken.chain(of_group).collect()
}

/// A message that comes again although it failed is a dead letter again, or a copy of the one that waits.
fn failed_again<'a>(group: &[&Incoming], decision: &Decision, snapshot: &'a Snapshot) -> Vec<Burial<'a>> {
    let answered =
        group.iter().filter(|incoming| decision.verdicts.get(&incoming.key) == Some(&CommandVerdict::Answered));
    let known = answered.filter_map(|incoming| snapshot.commands.get(&incoming.key));
    let failed = known.filter_map(|known| Some((known, known.outcome.as_ref()?.failure()?)));
    let burial = |(known, failure): (&'a KnownCommand, Failure)| {
        let attempts = known.command.attempts;
        Burial { command: &known.command, failure: Cow::Owned(failure), switch: None, attempts }
    };
    failed.map(burial).collect()
}

/// Whoever asks again for what is known is answered again.
fn answers_again<'a>(
    group: &[&Incoming],
    decision: &Decision,
    snapshot: &'a Snapshot,
    now: DateTime<Utc>,
) -> Vec<EventRow<'a>> {
    let answered =
        group.iter().filter(|incoming| decision.verdicts.get(&incoming.key) == Some(&CommandVerdict::Answered));
    answered
        .filter_map(|incoming| {
            let known = snapshot.commands.get(&incoming.key)?;
            let outcome: &CommandOutcome = known.outcome.as_ref()?;
            let event = EventOf {
                outcome: outcome.status,
                server_id: Some(known.command.server_id),
                ip: Some(known.command.ip_address),
                vmac: outcome.vmac_id.and_then(|id| snapshot.answers.get(&id)),
                reason: outcome.failure().map(Cow::Owned),
                superseded_by: outcome.text.clone().filter(|_| outcome.status == Outcome::Superseded),
                answers: Some(known.command.answered()),
                dead_letter_id: None,
            };
            Some(event_row(event, now))
        })
        .collect()
}
