//! What the database holds for a group of commands, locked where it may change.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Incoming;
use crate::domain::{Action, BindableAddress, IntentOrder, Mac, MessageKey, Server, ServerPort};
use crate::store::commands::{CommandOutcome, OpenCommand};
use crate::store::engine::{Tx, args};
use crate::store::error::StoreError;
use crate::store::vmacs::Vmac;

/// A server's address.
pub(super) type Place = (i64, BindableAddress);

/// Everything that the decision looks at.
#[derive(Debug, Default)]
pub(super) struct World {
    /// The inbox, the group's own commands included.
    pub inbox: HashMap<MessageKey, Known>,
    /// Servers by number.
    pub servers: HashMap<i64, Server>,
    /// Which server's primary address it is.
    pub primaries: HashMap<BindableAddress, i64>,
    /// The newest intent; none before the first.
    pub intents: HashMap<Place, IntentOrder>,
    /// Live rows by address.
    pub live: HashMap<BindableAddress, Vmac>,
    /// The last revoked row of a server's address.
    pub revoked: HashMap<Place, Vmac>,
    /// Open commands of a server's address.
    pub open: HashMap<Place, Vec<OpenCommand>>,
    /// The rows that finished commands of the group answer with.
    pub answers: HashMap<i64, Vmac>,
}

/// A command in the inbox.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub command: OpenCommand,
    pub body_hash: String,
    pub outcome: Option<CommandOutcome>,
}

/// Writes the group into the inbox, where it is new, and reads everything else. Locks are taken in one order by
/// everybody: intents by place, rows by number, commands by key.
pub(super) async fn read(tx: &mut Tx, group: &[&Incoming], now: DateTime<Utc>) -> Result<World, StoreError> {
    let mut world = World::default();
    servers(tx, group, &mut world).await?;
    let places = places(group);
    intents(tx, &places, &mut world).await?;
    rows(tx, &places, &mut world).await?;
    world.inbox = inbox(tx, group, now).await?;
    open_commands(tx, &places, &mut world).await?;
    answers(tx, &mut world).await?;
    Ok(world)
}

async fn inbox(tx: &mut Tx, group: &[&Incoming], now: DateTime<Utc>) -> Result<HashMap<MessageKey, Known>, StoreError> {
    let sql = "INSERT INTO commands (message_key, message_id, action, server_id, ip_address, issued_at_ms, body_hash,
            body, correlation_id, traceparent, replay_number, attempts, due_at_ms, received_at)
        SELECT e.value->>'key', e.value->>'message_id', e.value->>'action', CAST(e.value->>'server_id' AS BIGINT),
            e.value->>'ip', CAST(e.value->>'issued_at_ms' AS BIGINT), e.value->>'body_hash',
            {unhex}e.value->>'body'{/unhex}, e.value->>'correlation_id', e.value->>'traceparent',
            CAST(e.value->>'replay' AS BIGINT), CAST(e.value->>'attempts' AS BIGINT), $3, $2
        FROM {rows} WHERE true ORDER BY e.value->>'key'
        ON CONFLICT (message_key) DO UPDATE SET due_at_ms = excluded.due_at_ms,
            attempts = CASE WHEN commands.attempts > excluded.attempts THEN commands.attempts ELSE excluded.attempts END
        RETURNING *";
    let rows = group.iter().map(|incoming| row_of(incoming)).collect();
    let mut inbox = HashMap::new();
    for row in tx.batch("write the inbox", sql, rows, args![now, now.timestamp_millis()]).await? {
        let known = Known {
            command: OpenCommand::from_row(&row)?,
            body_hash: row.get("body_hash")?,
            outcome: CommandOutcome::from_row(&row)?,
        };
        inbox.insert(known.command.key.clone(), known);
    }
    Ok(inbox)
}

fn row_of(incoming: &Incoming) -> Value {
    let command = &incoming.command;
    json!({
        "key": incoming.key,
        "message_id": incoming.message_id,
        "action": command.action,
        "server_id": command.server_id,
        "ip": command.ip_address,
        "issued_at_ms": incoming.issued_at_ms,
        "body_hash": incoming.body_hash,
        "body": hex::encode(&incoming.body),
        "correlation_id": incoming.correlation_id,
        "traceparent": incoming.traceparent,
        "replay": incoming.replay_number,
        "attempts": incoming.attempt,
    })
}

/// The distinct places of the group, in one order for all workers.
fn places(group: &[&Incoming]) -> Vec<Value> {
    let mut places: Vec<Place> = group.iter().map(|i| (i.command.server_id, i.command.ip_address)).collect();
    places.sort();
    places.dedup();
    places.into_iter().map(|(server_id, ip)| json!({"server_id": server_id, "ip": ip})).collect()
}

async fn servers(tx: &mut Tx, group: &[&Incoming], world: &mut World) -> Result<(), StoreError> {
    let asked: Vec<Value> =
        group.iter().map(|i| json!({"server_id": i.command.server_id, "ip": i.command.ip_address})).collect();
    let sql = "SELECT * FROM servers WHERE id IN (SELECT CAST(e.value->>'server_id' AS BIGINT) FROM {rows})
               OR primary_ip IN (SELECT e.value->>'ip' FROM {rows})";
    for row in tx.batch("read servers", sql, asked.clone(), Vec::new()).await? {
        let server = Server {
            id: row.get("id")?,
            pxe_mac: row.parse::<Mac>("pxe_mac")?,
            primary_ip: row.parse_optional("primary_ip")?,
            vlan_name: row.parse_optional("vlan_name")?,
            ports: Vec::new(),
        };
        if let Some(ip) = server.primary_ip {
            world.primaries.insert(ip, server.id);
        }
        world.servers.insert(server.id, server);
    }
    let sql = "SELECT * FROM server_ports
               WHERE server_id IN (SELECT CAST(e.value->>'server_id' AS BIGINT) FROM {rows})
               ORDER BY server_id, switch, interface";
    for row in tx.batch("read ports", sql, asked, Vec::new()).await? {
        let port = ServerPort { switch: row.parse("switch")?, interface: row.parse("interface")? };
        if let Some(server) = world.servers.get_mut(&row.get("server_id")?) {
            server.ports.push(port);
        }
    }
    Ok(())
}

/// Locks the places' intents, making those that are not there yet, below every real one.
async fn intents(tx: &mut Tx, places: &[Value], world: &mut World) -> Result<(), StoreError> {
    let sql = "INSERT INTO intents (server_id, ip_address, issued_at_ms, action, message_key)
        SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip', -1, 'create', '' FROM {rows}
        WHERE true ORDER BY 1, 2
        ON CONFLICT (server_id, ip_address) DO UPDATE SET server_id = excluded.server_id RETURNING *";
    for row in tx.batch("lock intents", sql, places.to_vec(), Vec::new()).await? {
        let issued_at_ms: i64 = row.get("issued_at_ms")?;
        let action: String = row.get("action")?;
        let order = IntentOrder {
            issued_at_ms,
            action: Action::from_text(&action)
                .ok_or(StoreError::Content { column: "action".to_owned(), text: action })?,
            key: MessageKey(row.get("message_key")?),
        };
        if issued_at_ms >= 0 {
            world.intents.insert((row.get("server_id")?, row.parse("ip_address")?), order);
        }
    }
    Ok(())
}

/// Live rows of the addresses, whoever's they are, and the last revoked ones of the places.
pub(super) async fn rows(tx: &mut Tx, places: &[Value], world: &mut World) -> Result<(), StoreError> {
    let sql = "SELECT * FROM virtual_macs WHERE status <> 'revoked'
               AND ip_address IN (SELECT e.value->>'ip' FROM {rows}) ORDER BY id {for_update}";
    for row in tx.batch("lock live rows", sql, places.to_vec(), Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        world.live.insert(vmac.ip_address, vmac);
    }
    let sql = "SELECT * FROM virtual_macs WHERE id IN (
                   SELECT MAX(v.id) FROM virtual_macs v JOIN {rows} ON v.ip_address = e.value->>'ip'
                       AND v.server_id = CAST(e.value->>'server_id' AS BIGINT)
                   WHERE v.status = 'revoked' GROUP BY v.server_id, v.ip_address)";
    for row in tx.batch("read revoked rows", sql, places.to_vec(), Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        world.revoked.insert((vmac.server_id, vmac.ip_address), vmac);
    }
    Ok(())
}

async fn open_commands(tx: &mut Tx, places: &[Value], world: &mut World) -> Result<(), StoreError> {
    let sql = "SELECT * FROM commands WHERE outcome IS NULL AND (server_id, ip_address) IN (
                   SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip' FROM {rows})
               ORDER BY message_key {for_update}";
    for row in tx.batch("read open commands", sql, places.to_vec(), Vec::new()).await? {
        let command = OpenCommand::from_row(&row)?;
        world.open.entry((command.server_id, command.ip_address)).or_default().push(command);
    }
    Ok(())
}

async fn answers(tx: &mut Tx, world: &mut World) -> Result<(), StoreError> {
    let finished = world.inbox.values().filter_map(|known| known.outcome.as_ref()?.vmac_id);
    let ids: Vec<Value> = finished.map(|id| json!({"id": id})).collect();
    let sql = "SELECT * FROM virtual_macs WHERE id IN (SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows})";
    for row in tx.batch("read answered rows", sql, ids, Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        world.answers.insert(vmac.id, vmac);
    }
    Ok(())
}
