//! MACs kept for a server's address until it is created.

use chrono::{DateTime, Utc};
use rand::Rng;
use serde::Serialize;
use serde_json::json;

use super::free::{exhausted, find_free};
use super::hold::hold_allocation;
use super::holders::holders;
use crate::domain::{BindableAddress, Code, Failure, Mac, Pool, PoolName, SwitchName, VlanName};
use crate::store::database::clash::again_on_clash;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::MacRegistry;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct NewReservation {
    /// The server; the inventory need not have it.
    pub server_id: i64,
    /// Its address.
    pub ip_address: BindableAddress,
    /// The MAC; one of the pool where it is left out.
    pub mac_address: Option<Mac>,
    /// The pool; the one that would serve the create where it is left out.
    pub pool: Option<PoolName>,
}

/// A MAC that is kept for a server's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reservation {
    /// The server.
    pub server_id: i64,
    /// Its address.
    pub ip_address: BindableAddress,
    /// The MAC.
    pub mac_address: Mac,
    /// The pool that it was taken from; none where the MAC itself was asked for.
    pub pool: Option<PoolName>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// The result of a request for a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// The reservation.
    pub reservation: Reservation,
    /// False where it was there already.
    pub is_new: bool,
}

impl Reservation {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            server_id: row.get("server_id")?,
            ip_address: row.parse("ip_address")?,
            mac_address: row.parse("mac_address")?,
            pool: row.parse_optional("pool")?,
            created_at: row.get("created_at")?,
        })
    }
}

impl<'a> MacRegistry<'a> {
    /// Reserves a MAC for a server's address; asked again, it returns the same one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the address has a virtual MAC of the server already, another MAC is reserved for it, the one
    /// asked for is taken, or the pool is unknown or full; or when the database fails.
    pub async fn reserve(self, wanted: &NewReservation, rng: &mut impl Rng) -> Result<Reserved, StoreError> {
        again_on_clash!(self.reserve_once(wanted, rng))
    }

    async fn reserve_once(self, wanted: &NewReservation, rng: &mut impl Rng) -> Result<Reserved, StoreError> {
        let now = self.store.now().await?;
        let mut tx = self.store.begin("reserve a MAC").await?;
        hold_allocation(&mut tx).await?;
        if let Some(known) = known(&mut tx, wanted).await? {
            tx.commit("reserve a MAC").await?;
            return Ok(Reserved { reservation: known, is_new: false });
        }
        refuse_bound(&mut tx, wanted).await?;
        let pool = self.pool_for(&mut tx, wanted).await?;
        let mac = self.choose(&mut tx, wanted, pool, rng).await?;
        let pool = wanted.mac_address.is_none().then(|| pool.name.clone());
        let (server_id, ip_address) = (wanted.server_id, wanted.ip_address);
        let reservation = Reservation { server_id, ip_address, mac_address: mac, pool, created_at: now };
        write(&mut tx, &reservation).await?;
        tx.commit("reserve a MAC").await?;
        Ok(Reserved { reservation, is_new: true })
    }

    async fn pool_for(self, tx: &mut Tx, wanted: &NewReservation) -> Result<&'a Pool, StoreError> {
        if let Some(name) = &wanted.pool {
            return self.store.pools.named(name).ok_or_else(|| StoreError::Refused(unknown_pool(name)));
        }
        let sql = "SELECT s.vlan_name AS vlan_name, p.switch AS switch FROM servers s
                   LEFT JOIN server_ports p ON p.server_id = s.id WHERE s.id = $1 ORDER BY p.switch, p.interface";
        let (mut vlan, mut switches): (Option<VlanName>, Vec<SwitchName>) = (None, Vec::new());
        for row in tx.run("find a server", sql, args![wanted.server_id]).await? {
            vlan = row.parse_optional("vlan_name")?;
            switches.extend(row.parse_optional("switch")?);
        }
        Ok(self.store.pools.serving(vlan.as_ref(), &switches))
    }

    async fn choose(
        self,
        tx: &mut Tx,
        wanted: &NewReservation,
        pool: &Pool,
        rng: &mut impl Rng,
    ) -> Result<Mac, StoreError> {
        if let Some(mac) = wanted.mac_address.or_else(|| pool.mac_of(wanted.ip_address)) {
            let of_address = pool.mac_of(wanted.ip_address) == Some(mac);
            let others = holders(tx, &[mac]).await?.remove(&mac).unwrap_or_default();
            let other = others.iter().find(|holder| !(of_address && holder.is_revoked_row_of(wanted.ip_address)));
            return other.map_or(Ok(mac), |other| Err(refused(Code::MacTaken, format!("{mac} {other}"))));
        }
        let drawn = self.store.pools.draw(pool, rng);
        if holders(tx, &[drawn]).await?.is_empty() {
            return Ok(drawn);
        }
        match find_free(tx, &self.store.pools, pool, 1, rng).await?.first() {
            Some(mac) => Ok(*mac),
            None => Err(StoreError::Refused(exhausted(tx, &self.store.pools, pool, 0).await?)),
        }
    }

    /// Releases a reserved MAC. It may be handed out again, because nobody has used it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn release(self, server_id: i64, ip: BindableAddress) -> Result<Reservation, StoreError> {
        let sql = "DELETE FROM taken_macs WHERE kind = 'reserved' AND server_id = $1 AND ip_address = $2 RETURNING *";
        let rows = self.store.engine.write("release a reserved MAC", sql, args![server_id, ip.to_string()]).await?;
        let missing = || StoreError::NotFound { what: "reservation", id: format!("for {ip} of server {server_id}") };
        Reservation::from_row(rows.first().ok_or_else(missing)?)
    }

    /// At most `limit` reservations after this MAC, in the order of their MACs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reservations(self, after: Option<Mac>, limit: i64) -> Result<Vec<Reservation>, StoreError> {
        let after = after.map(|mac| mac.to_string()).unwrap_or_default();
        let sql = "SELECT * FROM taken_macs WHERE kind = 'reserved' AND mac_address > $1 ORDER BY mac_address LIMIT $2";
        let rows = self.store.engine.read("list the reservations", sql, args![after, limit]).await?;
        rows.iter().map(Reservation::from_row).collect()
    }
}

fn refused(code: Code, text: String) -> StoreError {
    StoreError::Refused(Failure::new(code, text))
}

/// The failure where the pool named does not exist.
pub(in crate::store) fn unknown_pool(name: &PoolName) -> Failure {
    Failure::new(Code::UnknownPool, format!("the settings have no pool `{name}`; add [pools.{name}], or name none"))
}

/// The failure where another MAC than the reserved one is asked for.
pub(in crate::store) fn reserved_differently(server_id: i64, ip: BindableAddress, mac: Mac, asked: Mac) -> Failure {
    let text =
        format!("{mac} is reserved for {ip} of server {server_id}, not {asked}; release it first, or ask for none");
    Failure::new(Code::ReservedDifferently, text)
}

async fn known(tx: &mut Tx, wanted: &NewReservation) -> Result<Option<Reservation>, StoreError> {
    let sql = "SELECT * FROM taken_macs WHERE kind = 'reserved' AND server_id = $1 AND ip_address = $2";
    let rows = tx.run("find a reservation", sql, args![wanted.server_id, wanted.ip_address.to_string()]).await?;
    let Some(known) = rows.first().map(Reservation::from_row).transpose()? else { return Ok(None) };
    match wanted.mac_address.filter(|asked| *asked != known.mac_address) {
        None => Ok(Some(known)),
        Some(asked) => {
            let (server_id, ip) = (known.server_id, known.ip_address);
            Err(StoreError::Refused(reserved_differently(server_id, ip, known.mac_address, asked)))
        }
    }
}

async fn refuse_bound(tx: &mut Tx, wanted: &NewReservation) -> Result<(), StoreError> {
    let (server_id, ip) = (wanted.server_id, wanted.ip_address);
    let sql = "SELECT mac_address FROM virtual_macs WHERE server_id = $1 AND ip_address = $2 AND revoked_at IS NULL";
    match tx.run("find a live row", sql, args![server_id, ip.to_string()]).await?.first() {
        None => Ok(()),
        Some(row) => {
            let mac: String = row.get("mac_address")?;
            let text =
                format!("{ip} of server {server_id} has the virtual MAC {mac} already; nothing is to be reserved");
            Err(refused(Code::BoundDifferently, text))
        }
    }
}

async fn write(tx: &mut Tx, reservation: &Reservation) -> Result<(), StoreError> {
    let sql = "INSERT INTO taken_macs (mac_address, kind, server_id, ip_address, pool, created_at)
               SELECT e.value->>'mac_address', 'reserved', CAST(e.value->>'server_id' AS BIGINT),
                   e.value->>'ip_address', e.value->>'pool', $2 FROM {rows}";
    tx.batch("write a reservation", sql, vec![json!(reservation)], args![reservation.created_at]).await.map(|_| ())
}
