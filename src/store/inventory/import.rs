//! Importing an inventory.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::{
    Inventory, InventoryConflict, InventoryPlace, Mac, Server, Switch, SwitchName, inventory_conflicts,
};
use crate::store::database::clash::again_on_clash;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::inventory::enum_to_text;
use crate::store::mac_registry::holders;
use crate::store::parts::InventoryStore;

/// Servers written with one statement.
const BATCH: usize = 500;
/// The result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Switches and servers that were not there before.
    pub added: usize,
    /// Those that changed.
    pub updated: usize,
    /// Those that were there already, the same.
    pub unchanged: usize,
}

impl InventoryStore<'_> {
    /// Imports an inventory: what is new is added, what differs is updated, what is not named stays. A
    /// pinned host key and a site stay when the file has none. All or nothing.
    ///
    /// # Errors
    /// [`StoreError::Inventory`] has everything that does not fit; or when the database fails.
    pub async fn import(self, inventory: &Inventory) -> Result<ImportReport, StoreError> {
        self.import_with(inventory, |_| ()).await
    }

    /// The same, reporting after each step how many switches and servers are done; nothing is kept unless all of it succeeds.
    ///
    /// # Errors
    /// As [`Self::import`].
    pub async fn import_with(
        self,
        inventory: &Inventory,
        mut progress: impl FnMut(usize),
    ) -> Result<ImportReport, StoreError> {
        again_on_clash!(self.import_once(inventory, &mut progress))
    }

    /// Everything for which [`Self::import`] would refuse the inventory.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn conflicts(self, inventory: &Inventory) -> Result<Vec<InventoryConflict>, StoreError> {
        let before = self.export().await?;
        let mut tx = self.store.begin("check an inventory").await?;
        all_conflicts(&mut tx, inventory, &before).await
    }

    async fn import_once(
        self,
        inventory: &Inventory,
        progress: &mut impl FnMut(usize),
    ) -> Result<ImportReport, StoreError> {
        let now = self.store.now().await?;
        let before = self.export().await?;
        let mut report = ImportReport { added: 0, updated: 0, unchanged: 0 };
        let mut tx = self.store.begin("import an inventory").await?;
        let conflicts = all_conflicts(&mut tx, inventory, &before).await?;
        if !conflicts.is_empty() {
            return Err(StoreError::Inventory(conflicts));
        }
        let known: HashMap<&SwitchName, &Switch> = before.switches.iter().map(|known| (&known.name, known)).collect();
        for switch in &inventory.switches {
            let known = known.get(&switch.name).copied();
            let host_key = switch.host_key.clone().or(known.and_then(|known| known.host_key.clone()));
            let site = switch.site.clone().or(known.and_then(|known| known.site.clone()));
            let switch = Switch { host_key, site, ..switch.clone() };
            if report.count(known, &switch) {
                put_switch(&mut tx, &switch, now).await?;
            }
            progress(report.total());
        }
        let changed = changed_servers(inventory, &before, &mut report);
        forget_primaries(&mut tx, &changed).await?;
        let unwritten = report.total() - changed.len();
        for (at, servers) in changed.chunks(BATCH).enumerate() {
            put_servers(&mut tx, servers, now).await?;
            progress(unwritten + at * BATCH + servers.len());
        }
        tx.commit("import an inventory").await?;
        Ok(report)
    }
}

/// What contradicts itself, or what is known already, and PXE MACs that are virtual ones.
async fn all_conflicts(
    tx: &mut Tx,
    inventory: &Inventory,
    before: &Inventory,
) -> Result<Vec<InventoryConflict>, StoreError> {
    let mut conflicts = inventory_conflicts(inventory, before);
    let macs: Vec<Mac> = inventory.servers.iter().map(|server| server.pxe_mac).collect();
    let holders = holders(tx, &macs).await?;
    for (at, Server { id, pxe_mac, .. }) in inventory.servers.iter().enumerate() {
        let holder = holders.get(pxe_mac).into_iter().flatten().find(|holder| holder.is_vmacd());
        conflicts.extend(holder.map(|holder| InventoryConflict {
            place: InventoryPlace::Server(at),
            field: "pxe_mac",
            text: format!("server {id}: {pxe_mac} {holder}; it cannot be a server's PXE MAC"),
        }));
    }
    Ok(conflicts)
}

/// The servers that are new or differ, with their ports in order.
fn changed_servers(inventory: &Inventory, before: &Inventory, report: &mut ImportReport) -> Vec<Server> {
    let known: HashMap<i64, &Server> = before.servers.iter().map(|known| (known.id, known)).collect();
    let mut changed = Vec::new();
    for server in &inventory.servers {
        let mut server = server.clone();
        server.ports.sort();
        if report.count(known.get(&server.id).copied(), &server) {
            changed.push(server);
        }
    }
    changed
}

impl ImportReport {
    /// Counts one thing, and says whether it must be written.
    fn count<T: PartialEq>(&mut self, known: Option<&T>, now: &T) -> bool {
        let counter = match known {
            None => &mut self.added,
            Some(known) if known == now => &mut self.unchanged,
            Some(_) => &mut self.updated,
        };
        *counter += 1;
        known != Some(now)
    }

    const fn total(&self) -> usize {
        self.added + self.updated + self.unchanged
    }
}

async fn put_switch(tx: &mut Tx, switch: &Switch, now: DateTime<Utc>) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO switches (name, host, port, host_key, dialect, ssh_profile, credential, site, drift, created_at,
                   updated_at, duplicates)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $9, $10, $8, $8, $11)
               ON CONFLICT (name) DO UPDATE SET host = excluded.host, port = excluded.port,
                   host_key = excluded.host_key, dialect = excluded.dialect, dialect_found = NULL,
                   ssh_profile = excluded.ssh_profile, credential = excluded.credential, site = excluded.site,
                   drift = excluded.drift, updated_at = excluded.updated_at, duplicates = excluded.duplicates,
                   duplicates_found = CASE WHEN COALESCE(switches.host_key, '') = COALESCE(excluded.host_key, '')
                       AND switches.dialect = excluded.dialect AND switches.duplicates = excluded.duplicates
                       THEN switches.duplicates_found END";
    let arguments = args![
        switch.name.as_str(),
        switch.host.as_str(),
        i64::from(switch.port),
        switch.host_key.clone(),
        enum_to_text(&switch.dialect),
        enum_to_text(&switch.ssh_profile),
        switch.credential.0.as_str(),
        now,
        switch.site.as_ref().map(ToString::to_string),
        switch.drift.map(|mode| mode.as_str().to_owned()),
        enum_to_text(&switch.duplicates)
    ];
    tx.run("write a switch", sql, arguments).await?;
    // What kept it from being reached may be fixed.
    let sql = "INSERT INTO switch_leases (switch, holder, token) VALUES ($1, '', 0)
               ON CONFLICT (switch) DO UPDATE SET next_try_at_ms = 0";
    tx.run("wake a switch", sql, args![switch.name.as_str()]).await.map(|_| ())
}

/// Primary addresses are unique: servers may exchange theirs.
async fn forget_primaries(tx: &mut Tx, servers: &[Server]) -> Result<(), StoreError> {
    let sql = "UPDATE servers SET primary_ip = NULL
               WHERE id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    tx.batch("forget primary addresses", sql, ids(servers), Vec::new()).await.map(|_| ())
}

fn ids(servers: &[Server]) -> Vec<Value> {
    servers.iter().map(|server| json!({"id": server.id})).collect()
}

async fn put_servers(tx: &mut Tx, servers: &[Server], now: DateTime<Utc>) -> Result<(), StoreError> {
    let sql = "INSERT INTO servers (id, pxe_mac, primary_ip, vlan_name, created_at, updated_at)
               SELECT CAST(e.value->>'id' AS BIGINT), e.value->>'pxe_mac', e.value->>'primary_ip',
                   e.value->>'vlan_name', $2, $2 FROM {rows} WHERE true
               ON CONFLICT (id) DO UPDATE SET pxe_mac = excluded.pxe_mac, primary_ip = excluded.primary_ip,
                   vlan_name = excluded.vlan_name, updated_at = excluded.updated_at";
    tx.batch("write servers", sql, servers.iter().map(|server| json!(server)).collect(), args![now]).await?;
    let sql = "DELETE FROM server_ports WHERE server_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    tx.batch("forget servers' ports", sql, ids(servers), Vec::new()).await?;
    let sql = "INSERT INTO server_ports (server_id, switch, interface)
               SELECT CAST(e.value->>'id' AS BIGINT), e.value->>'switch', e.value->>'interface' FROM {rows}";
    let port = |server: &Server| {
        let id = server.id;
        server
            .ports
            .clone()
            .into_iter()
            .map(move |port| json!({"id": id, "switch": port.switch, "interface": port.interface}))
    };
    tx.batch("write servers' ports", sql, servers.iter().flat_map(port).collect(), Vec::new()).await.map(|_| ())
}
