//! Carrying a decision out.

use chrono::{DateTime, Utc};
use rand::Rng;
use serde_json::{Value, json};

use super::change::new_binding;
use super::decide::{Allocation, Decision, Verdict, driven_row, is_for_now, superseded_text, taken};
use super::read::{World, rows as read_rows};
use super::{Incoming, inbox};
use crate::domain::{Action, Code, Failure, Mac, SwitchBinding};
use crate::store::commands::{Closing, CommandOutcome, Outcome, close};
use crate::store::engine::{Tx, args};
use crate::store::error::StoreError;
use crate::store::event_body::{EventOf, event_row};
use crate::store::outbox::write_events;
use crate::store::vmacs::{UPDATE_VMACS, Vmac};
use crate::store::work::queue_work;

/// Rounds of drawing MACs before the space is taken to be full.
const ROUNDS_MAX: u32 = 64;

const INSERT: &str = "INSERT INTO virtual_macs (server_id, ip_address, mac_address, vlan_name, status, desired,
        switch_bindings, group_name, requested_by, reference, created_at, updated_at)
    SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip', e.value->>'mac', e.value->>'vlan', 'pending', 'bound',
        e.value->'bindings', e.value->>'group', e.value->>'requested_by', e.value->>'reference', $2, $2
    FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM servers WHERE pxe_mac = e.value->>'mac')
    ON CONFLICT DO NOTHING RETURNING *";

/// Makes the rows that were decided on, one statement a round; what clashes is drawn again, or decided
/// again where it was the address that clashed.
pub(super) async fn allocate(
    tx: &mut Tx,
    decision: &mut Decision,
    world: &mut World,
    rng: &mut impl Rng,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut left = std::mem::take(&mut decision.allocations);
    for _ in 0..ROUNDS_MAX {
        if left.is_empty() {
            return Ok(());
        }
        let rows = left.iter().map(|allocation| row_of(allocation, world, rng, now)).collect();
        for row in tx.batch("allocate", INSERT, rows, args![now]).await? {
            let vmac = Vmac::from_row(&row)?;
            world.live.insert(vmac.ip_address, vmac);
        }
        left.retain(|allocation| {
            world.live.get(&allocation.place.1).is_none_or(|row| row.server_id != allocation.place.0)
        });
        left = clashed(tx, left, decision, world).await?;
    }
    Err(StoreError::NoAnswer { what: "find a free MAC" })
}

fn row_of(allocation: &Allocation, world: &World, rng: &mut impl Rng, now: DateTime<Utc>) -> Value {
    let mac = allocation.mac.unwrap_or_else(|| Mac::draw(rng));
    let server_id = allocation.place.0;
    let ports = world.servers.get(&server_id).into_iter().flat_map(|server| &server.ports);
    let bindings: Vec<SwitchBinding> = ports.map(|port| new_binding(server_id, port, mac, now)).collect();
    json!({
        "server_id": server_id,
        "ip": allocation.place.1,
        "mac": mac,
        "vlan": allocation.vlan,
        "bindings": bindings,
        "group": allocation.group,
        "requested_by": allocation.requested_by,
        "reference": allocation.reference,
    })
}

/// Of the allocations that a unique index refused, those to be tried with another MAC.
async fn clashed(
    tx: &mut Tx,
    left: Vec<Allocation>,
    decision: &mut Decision,
    world: &mut World,
) -> Result<Vec<Allocation>, StoreError> {
    if left.is_empty() {
        return Ok(left);
    }
    let places: Vec<Value> = left.iter().map(|a| json!({"server_id": a.place.0, "ip": a.place.1})).collect();
    read_rows(tx, &places, world).await?;
    let mut again = Vec::new();
    for allocation in left {
        match (world.live.get(&allocation.place.1), allocation.mac) {
            (Some(row), _) if row.server_id == allocation.place.0 => {}
            (Some(row), _) => refuse(&allocation, taken(row), decision, world),
            (None, Some(mac)) => {
                let text = format!("{mac} is or was a virtual MAC, or is a server's PXE MAC");
                refuse(&allocation, Failure::new(Code::MacTaken, text), decision, world);
            }
            (None, None) => again.push(allocation),
        }
    }
    Ok(again)
}

/// Every create of the group for the place shares the refusal.
fn refuse(allocation: &Allocation, failure: Failure, decision: &mut Decision, world: &World) {
    decision.intents.remove(&allocation.place);
    for (key, verdict) in &mut decision.verdicts {
        let of_place = world.inbox.get(key).is_some_and(|known| {
            (known.command.server_id, known.command.ip_address) == allocation.place
                && known.command.action == Action::Create
        });
        if of_place && *verdict == Verdict::OnRow {
            *verdict = Verdict::Failed(failure.clone());
        }
    }
}

/// Writes rows, the inbox, work, intents, outcomes and events.
pub(super) async fn write(
    tx: &mut Tx,
    group: &[&Incoming],
    decision: &Decision,
    world: &World,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = decision.changed.iter().filter_map(|ip| world.live.get(ip)).map(|vmac| json!(vmac)).collect();
    tx.batch("change rows", UPDATE_VMACS, changed, args![now]).await?;
    write_intents(tx, decision).await?;
    inbox::write(tx, group, decision, world, now).await?;
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

/// Queues the rows of the commands that go on for their switches.
async fn write_work(tx: &mut Tx, decision: &Decision, world: &World, now: DateTime<Utc>) -> Result<(), StoreError> {
    let driven = decision.verdicts.keys().filter_map(|key| driven_row(key, decision, world));
    let work = driven
        .flat_map(|row| row.switches_due().into_iter().map(|switch| json!({"switch": switch, "vmac_id": row.id})));
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
fn answers_again(decision: &Decision, world: &World, now: DateTime<Utc>) -> Vec<Value> {
    let answered = decision.verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Answered);
    answered
        .filter_map(|(key, _)| {
            let known = world.inbox.get(key)?;
            let outcome: &CommandOutcome = known.outcome.as_ref()?;
            let failure = outcome.failure();
            let event = EventOf {
                outcome: outcome.status,
                server_id: known.command.server_id,
                ip: known.command.ip_address,
                vmac: outcome.vmac_id.and_then(|id| world.answers.get(&id)),
                reason: failure.as_ref(),
                superseded_by: outcome.text.clone().filter(|_| outcome.status == Outcome::Superseded),
                answers: Some(known.command.answered()),
            };
            Some(event_row(&event, now))
        })
        .collect()
}
