//! What the database holds for a group of commands, locked where it may change.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::incoming::Incoming;
use crate::domain::{
    Action, BindableAddress, IntentOrder, Mac, MessageKey, Position, Requester, Server, ServerPort, SwitchName,
};
use crate::store::admit::fence::{Fence, held_turn};
use crate::store::commands::outcome::CommandOutcome;
use crate::store::commands::row::{COLUMNS, CommandRow, position};
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::vmacs::Vmac;
use crate::store::work::leases::{TROUBLE_COLUMNS, Trouble};

/// A server's address.
pub(super) type ServerAddress = (i64, BindableAddress);

/// Everything that the decision depends on.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The commands that are known by their keys, those of the group included.
    pub commands: HashMap<MessageKey, KnownCommand>,
    /// Servers by number.
    pub servers: HashMap<i64, Server>,
    /// Which server's primary address it is.
    pub primaries: HashMap<BindableAddress, i64>,
    /// The newest intent; none before the first.
    pub intents: HashMap<ServerAddress, IntentOrder>,
    /// The last position of all commands for the server's address, however they ended.
    pub last: HashMap<ServerAddress, Position>,
    /// Servers' addresses of which nothing is known: their intents were made only to be locked, and are removed unless
    /// they are used.
    pub blank: Vec<ServerAddress>,
    /// Live rows by address.
    pub live: HashMap<BindableAddress, Vmac>,
    /// The last revoked row of a server's address.
    pub revoked: HashMap<ServerAddress, Vmac>,
    /// Open commands of a server's address.
    pub open: HashMap<ServerAddress, Vec<CommandRow>>,
    /// The trouble of the servers' switches.
    pub troubles: HashMap<SwitchName, Trouble>,
    /// The rows of finished commands of the group.
    pub answers: HashMap<i64, Vmac>,
}

impl Snapshot {
    /// True when the key is this message's own: the first message with a key makes the command, and another content
    /// under the same key is refused, and changes nothing.
    pub fn is_command(&self, incoming: &Incoming) -> bool {
        self.commands.get(&incoming.key).is_some_and(|known| known.body_hash == incoming.body_hash)
    }
}

/// A row of `commands`, or one that is about to be written.
#[derive(Debug, Clone)]
pub(super) struct KnownCommand {
    pub command: CommandRow,
    pub body_hash: String,
    pub outcome: Option<CommandOutcome>,
    /// It came for the first time: its row is yet to be written.
    pub is_new: bool,
}

impl KnownCommand {
    fn new(incoming: &Incoming, now: DateTime<Utc>) -> Self {
        let command = CommandRow {
            key: incoming.key.clone(),
            message_id: incoming.message_id.clone(),
            action: incoming.command.action,
            server_id: incoming.command.server_id,
            ip_address: incoming.command.ip_address,
            correlation_id: incoming.correlation_id.clone(),
            traceparent: incoming.traceparent.clone(),
            position: incoming.issued.position(incoming.command.action, incoming.arrival, None, now.timestamp_millis()),
            attempts: 0,
            waited_ms: 0,
            message_identity: Some(incoming.message_identity.clone()),
            replay_number: incoming.replay_number,
            vmac_id: None,
            received_at: now,
            requester: Requester::of_body(&incoming.body),
        };
        Self { command, body_hash: incoming.body_hash.clone(), outcome: None, is_new: true }
    }

    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            command: CommandRow::from_row(row)?,
            body_hash: row.get("body_hash")?,
            outcome: CommandOutcome::from_row(row)?,
            is_new: false,
        })
    }
}

/// Reads everything, and locks what may change. Locks are taken in one order by everybody: intents by place, rows by
/// number, commands by key.
pub(super) async fn read(
    tx: &mut Tx,
    fence: Option<&Fence>,
    group: &[&Incoming],
    now: DateTime<Utc>,
) -> Result<Snapshot, StoreError> {
    let mut snapshot = Snapshot::default();
    let places = places(group);
    intents(tx, fence, &places, &mut snapshot).await?;
    servers(tx, group, &mut snapshot).await?;
    rows(tx, &places, &mut snapshot).await?;
    if group.iter().any(|incoming| incoming.command.action == Action::Revoke) {
        revoked_rows(tx, &places, &mut snapshot).await?;
    }
    commands(tx, group, &places, &mut snapshot).await?;
    for incoming in group {
        let known = snapshot.commands.entry(incoming.key.clone()).or_insert_with(|| KnownCommand::new(incoming, now));
        if incoming.replay_number > known.command.replay_number && known.body_hash == incoming.body_hash {
            known.command.message_identity = Some(incoming.message_identity.clone());
        }
    }
    answers(tx, &mut snapshot).await?;
    Ok(snapshot)
}

/// Locks the intents of all rounds before the first: a later one may be about another server, and would lock out of order.
pub(super) async fn lock_all(tx: &mut Tx, fence: Option<&Fence>, rounds: &[Vec<&Incoming>]) -> Result<(), StoreError> {
    lock_intents(tx, fence, places(&rounds.concat())).await.map(|_| ())
}

/// The distinct places of the group, in one order for all workers.
fn places(group: &[&Incoming]) -> Vec<Value> {
    let of = |incoming: &&Incoming| {
        let (ip, servers) =
            (incoming.command.ip_address, [Some(incoming.command.server_id), incoming.command.from_server_id]);
        servers.into_iter().flatten().map(move |server_id| (server_id, ip))
    };
    let mut places: Vec<ServerAddress> = group.iter().flat_map(of).collect();
    places.sort();
    places.dedup();
    places.into_iter().map(|(server_id, ip)| json!({"server_id": server_id, "ip": ip})).collect()
}

/// The servers of the group with their ports, and those whose primary address is asked for.
async fn servers(tx: &mut Tx, group: &[&Incoming], snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let asked: Vec<Value> =
        group.iter().map(|i| json!({"server_id": i.command.server_id, "ip": i.command.ip_address})).collect();
    let sql = format!(
        "SELECT s.*, p.switch AS port_switch, p.interface AS port_interface, {TROUBLE_COLUMNS}
               FROM servers s LEFT JOIN server_ports p ON p.server_id = s.id
               LEFT JOIN switch_leases l ON l.switch = p.switch
               WHERE s.id {{in}}SELECT CAST(e.value->>'server_id' AS BIGINT) FROM {{rows}}
                   UNION SELECT o.id FROM servers o JOIN {{rows}} ON o.primary_ip = e.value->>'ip'{{/in}}
               ORDER BY s.id, p.switch, p.interface"
    );
    for row in tx.batch("read servers", &sql, asked, Vec::new()).await? {
        let id: i64 = row.get("id")?;
        let server = match snapshot.servers.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(server_of(&row)?),
        };
        if let Some(ip) = server.primary_ip {
            snapshot.primaries.insert(ip, id);
        }
        if let Some(switch) = row.parse_optional::<SwitchName>("port_switch")? {
            if let Some(trouble) = Trouble::from_row(&row)? {
                snapshot.troubles.insert(switch.clone(), trouble);
            }
            server.ports.push(ServerPort { switch, interface: row.parse("port_interface")? });
        }
    }
    Ok(())
}

fn server_of(row: &Row) -> Result<Server, StoreError> {
    Ok(Server {
        id: row.get("id")?,
        pxe_mac: row.parse::<Mac>("pxe_mac")?,
        primary_ip: row.parse_optional("primary_ip")?,
        vlan_name: row.parse_optional("vlan_name")?,
        ports: Vec::new(),
    })
}

/// Locks the intents of places, making those that are not there yet, below every real one.
pub(crate) const LOCK_INTENTS: &str = "INSERT INTO intents
        (server_id, ip_address, issued_at_ms, action, message_key)
    SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip', -1, 'create', '' FROM {rows}
    WHERE true ORDER BY 1, 2
    ON CONFLICT (server_id, ip_address) DO UPDATE SET server_id = excluded.server_id RETURNING *";

/// Locks intents, as long as the fence holds.
async fn lock_intents(tx: &mut Tx, fence: Option<&Fence>, places: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    let what = "lock intents";
    match fence {
        Some(Fence::Turn { queue, turn, .. }) => {
            let sql = LOCK_INTENTS.replace("WHERE true", &format!("WHERE {}", held_turn("$2", "$3")));
            let rows = tx.batch(what, &sql, places, args![queue.as_str(), *turn]).await?;
            if rows.is_empty() { Err(StoreError::TurnLost) } else { Ok(rows) }
        }
        fence => {
            if let Some(fence) = fence {
                fence.check(tx).await?;
            }
            tx.batch(what, LOCK_INTENTS, places, Vec::new()).await
        }
    }
}

/// Removes those of the intents that were made to be locked and hold nothing still, as of commands that are refused whatever
/// anybody else asked for. Otherwise whoever invents servers or addresses would make the table grow.
pub(super) async fn forget_blank(tx: &mut Tx, places: &BTreeSet<ServerAddress>) -> Result<(), StoreError> {
    forget(tx, places, " AND last_issued_at_ms < 0").await
}

/// The same of those that hold no more than the place in the order of commands that were refused in the end.
pub(super) async fn forget_refused(tx: &mut Tx, places: &BTreeSet<ServerAddress>) -> Result<(), StoreError> {
    forget(tx, places, "").await
}

async fn forget(tx: &mut Tx, places: &BTreeSet<ServerAddress>, condition: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM intents WHERE issued_at_ms < 0{condition}
        AND server_id {in}SELECT CAST(e.value->>'server_id' AS BIGINT) FROM {rows}{/in}
        AND (server_id, ip_address) IN (
            SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip' FROM {rows})";
    let places = places.iter().map(|(server_id, ip)| json!({"server_id": server_id, "ip": ip})).collect();
    tx.batch("forget blank intents", &sql.replace("{condition}", condition), places, Vec::new()).await.map(|_| ())
}

async fn intents(
    tx: &mut Tx,
    fence: Option<&Fence>,
    places: &[Value],
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    for row in lock_intents(tx, fence, places.to_vec()).await? {
        let place = (row.get("server_id")?, row.parse("ip_address")?);
        let (newest, last) = (position(&row, "")?, position(&row, "last_")?);
        if last.moment.ms >= 0 {
            snapshot.last.insert(place, last);
        } else if newest.moment.ms < 0 {
            snapshot.blank.push(place);
        }
        let text: String = row.get("action")?;
        let action = Action::from_text(&text).ok_or(StoreError::Content { column: "action".to_owned(), text })?;
        let wants = row.parse_optional("wants")?.unwrap_or_else(|| action.wants());
        if newest.moment.ms >= 0 {
            let key = MessageKey(row.get("message_key")?);
            snapshot.intents.insert(place, IntentOrder { position: newest, key, action, wants });
        }
    }
    Ok(())
}

/// Live rows of the addresses, of any server.
pub(super) async fn rows(tx: &mut Tx, places: &[Value], snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let sql = "SELECT * FROM virtual_macs WHERE revoked_at IS NULL
               AND ip_address {in}SELECT e.value->>'ip' FROM {rows}{/in} ORDER BY id {for_update}";
    for row in tx.batch("lock live rows", sql, places.to_vec(), Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        snapshot.live.insert(vmac.ip_address, vmac);
    }
    Ok(())
}

/// The last revoked rows of the places: what a revoke is answered with where nothing is left to revoke.
async fn revoked_rows(tx: &mut Tx, places: &[Value], snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let sql = "SELECT * FROM virtual_macs WHERE id IN (
                   SELECT MAX(v.id) FROM virtual_macs v JOIN {rows} ON v.ip_address = e.value->>'ip'
                       AND v.server_id = CAST(e.value->>'server_id' AS BIGINT)
                   WHERE v.revoked_at IS NOT NULL GROUP BY v.server_id, v.ip_address)";
    for row in tx.batch("read revoked rows", sql, places.to_vec(), Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        snapshot.revoked.insert((vmac.server_id, vmac.ip_address), vmac);
    }
    Ok(())
}

/// The group's own commands, where they are known, and the open ones of its places.
async fn commands(
    tx: &mut Tx,
    group: &[&Incoming],
    places: &[Value],
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
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
        let known = KnownCommand::from_row(&row)?;
        if known.outcome.is_none() {
            let place = (known.command.server_id, known.command.ip_address);
            snapshot.open.entry(place).or_default().push(known.command.clone());
        }
        if keys.contains(&known.command.key) {
            snapshot.commands.insert(known.command.key.clone(), known);
        }
    }
    Ok(())
}

async fn answers(tx: &mut Tx, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let finished = snapshot.commands.values().filter_map(|known| known.outcome.as_ref()?.vmac_id);
    let ids: Vec<Value> = finished.map(|id| json!({"id": id})).collect();
    let sql = "SELECT * FROM virtual_macs WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    for row in tx.batch("read answered rows", sql, ids, Vec::new()).await? {
        let vmac = Vmac::from_row(&row)?;
        snapshot.answers.insert(vmac.id, vmac);
    }
    Ok(())
}
