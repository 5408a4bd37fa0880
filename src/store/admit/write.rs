//! Carrying a decision out.

use chrono::{DateTime, Utc};
use rand::Rng;
use serde_json::{Value, json};

use super::choice::{Choice, Try, choose, place_row, takers};
use super::decide::{Allocation, Decision, Verdict, driven_row, new_binding, settled, superseded_text, taken};
use super::read::{World, rows as read_rows};
use super::{Incoming, inbox};
use crate::domain::{Action, Failure, FailureClass, Mac, Pools, SwitchBinding};
use crate::store::commands::{Closing, CommandOutcome, Outcome, close};
use crate::store::engine::{Tx, args};
use crate::store::error::StoreError;
use crate::store::event_body::{EventOf, event_row};
use crate::store::outbox::write_events;
use crate::store::vmacs::{UPDATE_VMACS, Vmac};

/// Rounds of trying MACs before it is given up.
const ROUNDS_MAX: u32 = 64;

/// A MAC in `taken_macs` is not given, unless it is the one that is reserved for this very place; and a place with a
/// reservation gets no other.
const INSERT: &str = "INSERT INTO virtual_macs (server_id, ip_address, mac_address, vlan_name, status, desired,
        switch_bindings, requested_by, reference, created_at, updated_at)
    SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip', e.value->>'mac', e.value->>'vlan', 'pending', 'bound',
        e.value->'bindings', e.value->>'requested_by', e.value->>'reference', $2, $2
    FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM servers WHERE pxe_mac = e.value->>'mac')
        AND NOT EXISTS (SELECT 1 FROM taken_macs t WHERE t.mac_address = e.value->>'mac' AND NOT (t.kind = 'reserved'
            AND t.server_id = CAST(e.value->>'server_id' AS BIGINT) AND t.ip_address = e.value->>'ip'))
        AND NOT EXISTS (SELECT 1 FROM taken_macs t WHERE t.kind = 'reserved' AND t.mac_address <> e.value->>'mac'
            AND t.server_id = CAST(e.value->>'server_id' AS BIGINT) AND t.ip_address = e.value->>'ip')
    ON CONFLICT DO NOTHING RETURNING *";

/// A revoked row becomes live again with the MAC that its address always has, for whichever server has it now.
const REVIVE: &str = "UPDATE virtual_macs SET server_id = CAST(e.value->>'server_id' AS BIGINT),
        vlan_name = e.value->>'vlan', status = 'pending', desired = 'bound', generation = generation + 1,
        switch_bindings = e.value->'bindings', failure_code = NULL, failure_text = NULL, attempts = 0,
        requested_by = e.value->>'requested_by', reference = e.value->>'reference', updated_at = $2, revoked_at = NULL
    FROM {rows} WHERE virtual_macs.mac_address = e.value->>'mac' AND virtual_macs.ip_address = e.value->>'ip'
        AND virtual_macs.status = 'revoked'
        AND NOT EXISTS (SELECT 1 FROM virtual_macs v WHERE v.ip_address = e.value->>'ip' AND v.status <> 'revoked')
        AND NOT EXISTS (SELECT 1 FROM taken_macs t WHERE t.mac_address = e.value->>'mac' AND t.kind <> 'reserved')
    RETURNING *";

/// Makes the rows that were decided on, a few statements a round; what clashes is tried with another MAC, or decided
/// again where it was the address that clashed.
pub(super) async fn allocate(
    tx: &mut Tx,
    decision: &mut Decision,
    world: &mut World,
    pools: &Pools,
    rng: &mut impl Rng,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut left = std::mem::take(&mut decision.allocations);
    for round in 0..ROUNDS_MAX {
        if left.is_empty() {
            return Ok(());
        }
        let mut tries = Vec::new();
        for choice in choose(tx, left, world, pools, round, rng).await? {
            match choice {
                Choice::Try(tried) => tries.push(tried),
                Choice::Refused(allocation, failure) => refuse(&allocation, failure, decision, world),
            }
        }
        make_rows(tx, INSERT, &tries, |_| true, world, now).await?;
        make_rows(tx, REVIVE, &tries, |tried| tried.revives, world, now).await?;
        take_reservations_off(tx, &tries, world).await?;
        tries.retain(|tried| !is_made(tried, world));
        left = clashed(tx, tries, decision, world).await?;
    }
    Err(StoreError::NoAnswer { what: "find a free MAC" })
}

/// True when the place has its row.
fn is_made(tried: &Try, world: &World) -> bool {
    let (server_id, ip) = tried.allocation.place;
    world.live.get(&ip).is_some_and(|row| row.server_id == server_id)
}

/// Makes rows of those tries that have none yet.
async fn make_rows(
    tx: &mut Tx,
    sql: &str,
    tries: &[Try],
    which: impl Fn(&Try) -> bool,
    world: &mut World,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let wanted = tries.iter().filter(|tried| which(tried) && !is_made(tried, world));
    let rows = wanted.map(|tried| row_of(&tried.allocation, tried.mac, world, now)).collect();
    for row in tx.batch("allocate", sql, rows, args![now]).await? {
        let vmac = Vmac::from_row(&row)?;
        world.live.insert(vmac.ip_address, vmac);
    }
    Ok(())
}

fn row_of(allocation: &Allocation, mac: Mac, world: &World, now: DateTime<Utc>) -> Value {
    let ports = world.servers.get(&allocation.place.0).into_iter().flat_map(|server| &server.ports);
    let bindings: Vec<SwitchBinding> = ports.map(|port| new_binding(port, mac, now)).collect();
    json!({
        "server_id": allocation.place.0,
        "ip": allocation.place.1,
        "mac": mac,
        "vlan": allocation.vlan,
        "bindings": bindings,
        "requested_by": allocation.requested_by,
        "reference": allocation.reference,
    })
}

/// A row has the MAC now that was reserved for it.
async fn take_reservations_off(tx: &mut Tx, tries: &[Try], world: &World) -> Result<(), StoreError> {
    let made = tries.iter().filter(|tried| tried.is_fixed && is_made(tried, world));
    let rows = made.map(|tried| place_row(&tried.allocation)).collect();
    let sql = "DELETE FROM taken_macs WHERE mac_address IN (
                   SELECT t.mac_address FROM taken_macs t JOIN {rows} ON t.kind = 'reserved'
                       AND t.server_id = CAST(e.value->>'server_id' AS BIGINT) AND t.ip_address = e.value->>'ip')";
    tx.batch("take reservations off", sql, rows, Vec::new()).await.map(|_| ())
}

/// Of the tries that gave no row, those to be made again.
async fn clashed(
    tx: &mut Tx,
    tries: Vec<Try>,
    decision: &mut Decision,
    world: &mut World,
) -> Result<Vec<Allocation>, StoreError> {
    if tries.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<Value> = tries.iter().map(|tried| place_row(&tried.allocation)).collect();
    read_rows(tx, &places, world).await?;
    let (fixed, mut again) = (tries.iter().filter(|tried| tried.is_fixed).collect::<Vec<_>>(), Vec::new());
    let mut takers = takers(tx, &fixed).await?.into_iter();
    for tried in tries {
        let taker = if tried.is_fixed { takers.next().flatten() } else { None };
        match (world.live.get(&tried.allocation.place.1), taker) {
            (Some(row), _) if row.server_id == tried.allocation.place.0 => {}
            (Some(row), _) => refuse(&tried.allocation, taken(row), decision, world),
            (None, Some(failure)) => refuse(&tried.allocation, failure, decision, world),
            (None, None) => again.push(tried.allocation),
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
            action = e.value->>'action', message_key = e.value->>'key'
        FROM {rows} WHERE intents.server_id = CAST(e.value->>'server_id' AS BIGINT)
            AND intents.ip_address = e.value->>'ip'";
    let rows = decision.intents.iter().map(|((server_id, ip), order)| {
        json!({"server_id": server_id, "ip": ip, "issued_at_ms": order.issued_at_ms, "action": order.action, "key": order.key})
    });
    tx.batch("write intents", sql, rows.collect(), Vec::new()).await.map(|_| ())
}

/// Queues the rows of the commands that go on for their switches.
async fn write_work(tx: &mut Tx, decision: &Decision, world: &World, now: DateTime<Utc>) -> Result<(), StoreError> {
    let driven = decision.verdicts.keys().filter_map(|key| driven_row(key, decision, world));
    let work = driven
        .flat_map(|row| row.switches_waiting().into_iter().map(|switch| json!({"switch": switch, "vmac_id": row.id})));
    let mut work: Vec<Value> = work.collect();
    work.sort_by_key(ToString::to_string);
    let sql = "INSERT INTO switch_work (switch, vmac_id, queued_at_ms)
        SELECT e.value->>'switch', CAST(e.value->>'vmac_id' AS BIGINT), $2 FROM {rows} WHERE true
        ON CONFLICT (switch, vmac_id) DO NOTHING";
    tx.batch("queue work", sql, work, args![now.timestamp_millis()]).await?;
    Ok(())
}

fn closings<'a>(decision: &'a Decision, world: &'a World) -> Vec<Closing<'a>> {
    let of_group = decision.verdicts.iter().filter_map(|(key, verdict)| {
        let command = &world.inbox.get(key)?.command;
        let live = world.live.get(&command.ip_address).filter(|row| row.server_id == command.server_id);
        let closing =
            |outcome, vmac, failure, superseded_by| Closing { command, outcome, vmac, failure, superseded_by };
        match verdict {
            Verdict::Answered => None,
            Verdict::OnRow => {
                let row = live.filter(|row| settled(row))?;
                Some(closing(Outcome::of_success(command.action), Some(row), None, None))
            }
            Verdict::NothingToRevoke => {
                let row = world.revoked.get(&(command.server_id, command.ip_address));
                Some(closing(Outcome::Revoked, row, None, None))
            }
            Verdict::Superseded(newer) => Some(closing(Outcome::Superseded, live, None, Some(superseded_text(newer)))),
            Verdict::Failed(failure) if failure.class() == FailureClass::Deferred => None,
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
