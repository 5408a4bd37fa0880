//! What the database holds for a group of commands, locked where it may change.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Incoming;
use crate::domain::{Action, BindableAddress, IntentOrder, Mac, MessageKey, Position, Server, ServerPort};
use crate::store::commands::{COLUMNS, CommandOutcome, OpenCommand, position};
use crate::store::engine::{Row, Tx};
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
    /// The last position of all commands that came for the place, whatever became of them.
    pub last: HashMap<Place, Position>,
    /// Live rows by address.
    pub live: HashMap<BindableAddress, Vmac>,
    /// The last revoked row of a server's address.
    pub revoked: HashMap<Place, Vmac>,
    /// Open commands of a server's address.
    pub open: HashMap<Place, Vec<OpenCommand>>,
    /// The rows that finished commands of the group answer with.
    pub answers: HashMap<i64, Vmac>,
}

impl World {
    /// True when the key is this message's own: the first message with a key makes the command, and another content
    /// under the same key is refused, and changes nothing.
    pub fn is_command(&self, incoming: &Incoming) -> bool {
        self.inbox.get(&incoming.key).is_some_and(|known| known.body_hash == incoming.body_hash)
    }
}

/// A command in the inbox, or about to be.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub command: OpenCommand,
    pub body_hash: String,
    pub outcome: Option<CommandOutcome>,
    /// It came for the first time: its row is yet to be written.
    pub is_new: bool,
}

impl Known {
    fn new(incoming: &Incoming, now: DateTime<Utc>) -> Self {
        let command = OpenCommand {
            key: incoming.key.clone(),
            message_id: incoming.message_id.clone(),
            action: incoming.command.action,
            server_id: incoming.command.server_id,
            ip_address: incoming.command.ip_address,
            correlation_id: incoming.correlation_id.clone(),
            traceparent: incoming.traceparent.clone(),
            position: incoming.issued.position(incoming.command.action, incoming.arrival, None, now.timestamp_millis()),
            attempts: incoming.attempt,
            replay_number: incoming.replay_number,
            vmac_id: None,
            received_at: now,
        };
        Self { command, body_hash: incoming.body_hash.clone(), outcome: None, is_new: true }
    }

    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            command: OpenCommand::from_row(row)?,
            body_hash: row.get("body_hash")?,
            outcome: CommandOutcome::from_row(row)?,
            is_new: false,
        })
    }
}

/// Reads everything, and locks what may change. Locks are taken in one order by everybody: intents by place, rows by
/// number, commands by key.
pub(super) async fn read(tx: &mut Tx, group: &[&Incoming], now: DateTime<Utc>) -> Result<World, StoreError> {
    let mut world = World::default();
    servers(tx, group, &mut world).await?;
    let places = places(group);
    intents(tx, &places, &mut world).await?;
    rows(tx, &places, &mut world).await?;
    commands(tx, group, &places, &mut world).await?;
    for incoming in group {
        world.inbox.entry(incoming.key.clone()).or_insert_with(|| Known::new(incoming, now));
    }
    answers(tx, &mut world).await?;
    Ok(world)
}

/// Locks the intents of all rounds before the first: a later one may be about another server, and would lock out of order.
pub(super) async fn lock_all(tx: &mut Tx, rounds: &[Vec<&Incoming>]) -> Result<(), StoreError> {
    tx.batch("lock intents", LOCK_INTENTS, places(&rounds.concat()), Vec::new()).await.map(|_| ())
}

/// The distinct places of the group, in one order for all workers.
fn places(group: &[&Incoming]) -> Vec<Value> {
    let of = |incoming: &&Incoming| {
        let (ip, servers) =
            (incoming.command.ip_address, [Some(incoming.command.server_id), incoming.command.from_server_id]);
        servers.into_iter().flatten().map(move |server_id| (server_id, ip))
    };
    let mut places: Vec<Place> = group.iter().flat_map(of).collect();
    places.sort();
    places.dedup();
    places.into_iter().map(|(server_id, ip)| json!({"server_id": server_id, "ip": ip})).collect()
}

async fn servers(tx: &mut Tx, group: &[&Incoming], world: &mut World) -> Result<(), StoreError> {
    let asked: Vec<Value> =
        group.iter().map(|i| json!({"server_id": i.command.server_id, "ip": i.command.ip_address})).collect();
    let sql = "SELECT * FROM servers WHERE id IN (
                   SELECT CAST(e.value->>'server_id' AS BIGINT) FROM {rows}
                   UNION SELECT s.id FROM servers s JOIN {rows} ON s.primary_ip = e.value->>'ip')";
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
               WHERE server_id {in}SELECT CAST(e.value->>'server_id' AS BIGINT) FROM {rows}{/in}
               ORDER BY server_id, switch, interface";
    for row in tx.batch("read ports", sql, asked, Vec::new()).await? {
        let port = ServerPort { switch: row.parse("switch")?, interface: row.parse("interface")? };
        if let Some(server) = world.servers.get_mut(&row.get("server_id")?) {
            server.ports.push(port);
        }
    }
    Ok(())
}

/// Locks the intents of places, making those that are not there yet, below every real one.
pub(crate) const LOCK_INTENTS: &str = "INSERT INTO intents
        (server_id, ip_address, issued_at_ms, action, message_key)
    SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip', -1, 'create', '' FROM {rows}
    WHERE true ORDER BY 1, 2
    ON CONFLICT (server_id, ip_address) DO UPDATE SET server_id = excluded.server_id RETURNING *";

async fn intents(tx: &mut Tx, places: &[Value], world: &mut World) -> Result<(), StoreError> {
    for row in tx.batch("lock intents", LOCK_INTENTS, places.to_vec(), Vec::new()).await? {
        let place = (row.get("server_id")?, row.parse("ip_address")?);
        let (newest, last) = (position(&row, "")?, position(&row, "last_")?);
        if last.moment.ms >= 0 {
            world.last.insert(place, last);
        }
        let text: String = row.get("action")?;
        let action = Action::from_text(&text).ok_or(StoreError::Content { column: "action".to_owned(), text })?;
        let wants = row.parse_optional("wants")?.unwrap_or_else(|| action.wants());
        if newest.moment.ms >= 0 {
            let key = MessageKey(row.get("message_key")?);
            world.intents.insert(place, IntentOrder { position: newest, key, action, wants });
        }
    }
    Ok(())
}

/// Live rows of the addresses, whoever's they are, and the last revoked ones of the places.
pub(super) async fn rows(tx: &mut Tx, places: &[Value], world: &mut World) -> Result<(), StoreError> {
    let sql = "SELECT * FROM virtual_macs WHERE revoked_at IS NULL
               AND ip_address {in}SELECT e.value->>'ip' FROM {rows}{/in} ORDER BY id {for_update}";
    for row in tx.batch("lock live rows", sql, places.to_vec(), Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        world.live.insert(vmac.ip_address, vmac);
    }
    let sql = "SELECT * FROM virtual_macs WHERE id IN (
                   SELECT MAX(v.id) FROM virtual_macs v JOIN {rows} ON v.ip_address = e.value->>'ip'
                       AND v.server_id = CAST(e.value->>'server_id' AS BIGINT)
                   WHERE v.revoked_at IS NOT NULL GROUP BY v.server_id, v.ip_address)";
    for row in tx.batch("read revoked rows", sql, places.to_vec(), Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        world.revoked.insert((vmac.server_id, vmac.ip_address), vmac);
    }
    Ok(())
}

/// The group's own commands, where they are known, and the open ones of its places.
async fn commands(tx: &mut Tx, group: &[&Incoming], places: &[Value], world: &mut World) -> Result<(), StoreError> {
    let keys: HashSet<&MessageKey> = group.iter().map(|incoming| &incoming.key).collect();
    let asked = keys.iter().map(|key| json!({"key": key})).chain(places.iter().cloned()).collect();
    let sql = [
        "SELECT ",
        COLUMNS,
        " FROM commands WHERE id IN (
                   SELECT c.id FROM commands c JOIN {rows} ON c.message_key = e.value->>'key'
                   UNION SELECT c.id FROM commands c JOIN {rows} ON c.outcome IS NULL AND c.ip_address = e.value->>'ip'
                       AND c.server_id = CAST(e.value->>'server_id' AS BIGINT))
               ORDER BY message_key {for_update}",
    ]
    .concat();
    for row in tx.batch("lock commands", &sql, asked, Vec::new()).await? {
        let known = Known::from_row(&row)?;
        if known.outcome.is_none() {
            let place = (known.command.server_id, known.command.ip_address);
            world.open.entry(place).or_default().push(known.command.clone());
        }
        if keys.contains(&known.command.key) {
            world.inbox.insert(known.command.key.clone(), known);
        }
    }
    Ok(())
}

async fn answers(tx: &mut Tx, world: &mut World) -> Result<(), StoreError> {
    let finished = world.inbox.values().filter_map(|known| known.outcome.as_ref()?.vmac_id);
    let ids: Vec<Value> = finished.map(|id| json!({"id": id})).collect();
    let sql = "SELECT * FROM virtual_macs WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    for row in tx.batch("read answered rows", sql, ids, Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        world.answers.insert(vmac.id, vmac);
    }
    Ok(())
}
