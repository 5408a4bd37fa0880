//! Taking a switch or a server out of the inventory: only once nothing needs it.

use serde::Serialize;

use crate::domain::{BindableAddress, Desired, InventoryItem};
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::mac_registry::hold_allocation;
use crate::store::parts::InventoryStore;
use crate::store::vmacs::Vmac;

/// Rows and reservations that are named; the others are counted.
const NAMED_MAX: usize = 10;

/// What needs a switch or a server.
#[derive(Debug, Clone, PartialEq)]
pub struct InventoryNeeds {
    /// The switch or server.
    pub item: InventoryItem,
    /// Live rows with a port on the switch, or of the server.
    pub rows: Vec<Vmac>,
    /// Addresses that MACs are reserved for.
    pub reserved: Vec<BindableAddress>,
    /// Pushes to the switch whose end is not known.
    pub pushes: Vec<String>,
}

/// What was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InventoryRemoval {
    /// `switch` or `server`.
    pub what: &'static str,
    /// Its name or number.
    pub name: String,
    /// Ports of servers that went with it.
    pub ports: usize,
    /// Reservations that went with it.
    pub reservations: usize,
}

impl InventoryNeeds {
    /// True where nothing needs it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.reserved.is_empty() && self.pushes.is_empty()
    }

    /// The addresses that are to be revoked, each with the server: not those that are being revoked already.
    pub fn revokes(&self) -> Vec<(i64, BindableAddress)> {
        let live = self.rows.iter().filter(|row| row.desired == Desired::Bound);
        let servers = |row: &Vmac| match &self.item {
            InventoryItem::Server(id) => vec![*id],
            InventoryItem::Switch(name) => {
                let ports = row.switch_bindings.iter().filter(|port| port.switch == *name && !port.leaving);
                let mut servers: Vec<i64> = ports.map(|port| row.server_of(port)).collect();
                servers.sort_unstable();
                servers.dedup();
                servers
            }
        };
        live.flat_map(|row| servers(row).into_iter().map(|server_id| (server_id, row.ip_address))).collect()
    }

    /// What needs it, named.
    pub fn in_words(&self) -> String {
        let rows = self.rows.iter().map(|row| format!("{} (server {}, {})", row.ip_address, row.server_id, row.status));
        let parts = [
            named("virtual MAC", "virtual MACs", rows.collect()),
            named("reservation", "reservations", self.reserved.iter().map(ToString::to_string).collect()),
            named("push whose end is not known", "pushes whose end is not known", self.pushes.clone()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

fn named(one: &str, many: &str, names: Vec<String>) -> Option<String> {
    let count = names.len();
    let more = if count > NAMED_MAX { format!(" and {} more", count - NAMED_MAX) } else { String::new() };
    let names = names.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    (count > 0).then(|| format!("{count} {}: {names}{more}", if count == 1 { one } else { many }))
}

impl InventoryStore<'_> {
    /// What needs a switch or a server.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn needs(self, item: &InventoryItem) -> Result<InventoryNeeds, StoreError> {
        let mut tx = self.store.begin("read what needs a part of the inventory").await?;
        needs(&mut tx, item).await
    }

    /// Takes a switch or a server out of the inventory. Its pushes, backups and history stay. `with_reservations` takes
    /// reservations for the server along.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::StillNeeded`] while something needs it, and nothing was changed; or when the database
    /// fails.
    pub async fn remove(self, item: &InventoryItem, with_reservations: bool) -> Result<InventoryRemoval, StoreError> {
        let what = "take out of the inventory";
        let mut tx = self.store.begin(what).await?;
        // No row is made meanwhile that would need it.
        hold_allocation(&mut tx).await?;
        let mut needs = needs(&mut tx, item).await?;
        let mut reservations = 0;
        if let (InventoryItem::Server(id), true) = (item, with_reservations) {
            let sql = "DELETE FROM taken_macs WHERE kind = 'reserved' AND server_id = $1 RETURNING 1 AS gone";
            reservations = tx.run(what, sql, args![*id]).await?.len();
            needs.reserved.clear();
        }
        if !needs.is_empty() {
            return Err(StoreError::StillNeeded { item: item.clone(), by: needs.in_words() });
        }
        let ports = match item {
            InventoryItem::Switch(name) => remove_switch(&mut tx, name.as_str()).await?,
            InventoryItem::Server(id) => remove_server(&mut tx, *id).await?,
        };
        tx.commit(what).await?;
        Ok(InventoryRemoval { what: item.kind(), name: item.name(), ports, reservations })
    }
}

/// The row of `switch_leases` stays: its token must never fall.
async fn remove_switch(tx: &mut Tx, name: &str) -> Result<usize, StoreError> {
    let what = "take a switch out";
    for sql in ["DELETE FROM drift WHERE switch = $1", "DELETE FROM not_in_force WHERE switch = $1"] {
        tx.run(what, sql, args![name]).await?;
    }
    let ports = tx.run(what, "DELETE FROM server_ports WHERE switch = $1 RETURNING 1 AS gone", args![name]).await?;
    tx.run(what, "DELETE FROM switches WHERE name = $1", args![name]).await?;
    Ok(ports.len())
}

async fn remove_server(tx: &mut Tx, id: i64) -> Result<usize, StoreError> {
    let what = "take a server out";
    let ports = tx.run(what, "DELETE FROM server_ports WHERE server_id = $1 RETURNING 1 AS gone", args![id]).await?;
    tx.run(what, "DELETE FROM servers WHERE id = $1", args![id]).await?;
    Ok(ports.len())
}

async fn needs(tx: &mut Tx, item: &InventoryItem) -> Result<InventoryNeeds, StoreError> {
    let what = "read what needs a part of the inventory";
    let mut needs = InventoryNeeds { item: item.clone(), rows: Vec::new(), reserved: Vec::new(), pushes: Vec::new() };
    let (is_known, rows) = match item {
        InventoryItem::Switch(name) => {
            let known = tx.run(what, "SELECT name FROM switches WHERE name = $1 {for_update}", args![name.as_str()]);
            let is_known = !known.await?.is_empty();
            let sql = "SELECT id FROM pushes WHERE switch = $1 AND finished_at IS NULL ORDER BY id";
            for row in tx.run(what, sql, args![name.as_str()]).await? {
                needs.pushes.push(row.get("id")?);
            }
            let sql = "SELECT * FROM virtual_macs WHERE revoked_at IS NULL
                       AND id IN (SELECT vmac_id FROM virtual_mac_ports WHERE switch = $1) ORDER BY id";
            (is_known, tx.run(what, sql, args![name.as_str()]).await?)
        }
        InventoryItem::Server(id) => {
            let is_known =
                !tx.run(what, "SELECT id FROM servers WHERE id = $1 {for_update}", args![*id]).await?.is_empty();
            let sql =
                "SELECT ip_address FROM taken_macs WHERE kind = 'reserved' AND server_id = $1 ORDER BY ip_address";
            for row in tx.run(what, sql, args![*id]).await? {
                needs.reserved.extend(row.parse_optional::<BindableAddress>("ip_address")?);
            }
            let sql = "SELECT * FROM virtual_macs WHERE revoked_at IS NULL AND (server_id = $1
                       OR id IN (SELECT vmac_id FROM virtual_mac_ports WHERE server_id = $1)) ORDER BY id";
            (is_known, tx.run(what, sql, args![*id]).await?)
        }
    };
    if !is_known {
        return Err(StoreError::NotFound { what: item.kind(), id: item.name() });
    }
    needs.rows = rows.iter().map(Vmac::from_row).collect::<Result<_, _>>()?;
    Ok(needs)
}
