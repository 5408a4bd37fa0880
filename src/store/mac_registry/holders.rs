//! Who has a MAC.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Value, json};

use crate::domain::{BindableAddress, Mac, shown};
use crate::store::database::engine::Row;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;

/// What has a MAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Holder {
    pub kind: HolderKind,
    server_id: Option<i64>,
    ip_address: Option<BindableAddress>,
    source: Option<String>,
}

/// In what way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum HolderKind {
    Live,
    Revoked,
    Pxe,
    Reserved,
    Former,
    Elsewhere,
}

const SELECT: &str = "SELECT v.mac_address AS mac,
        CASE WHEN v.status = 'revoked' THEN 'revoked' ELSE 'live' END AS kind, v.server_id AS server_id,
        v.ip_address AS ip_address, NULL AS source
    FROM virtual_macs v WHERE v.mac_address {in}SELECT e.value->>'mac' FROM {rows}{/in}
    UNION ALL SELECT s.pxe_mac, 'pxe', s.id, NULL, NULL
    FROM servers s WHERE s.pxe_mac {in}SELECT e.value->>'mac' FROM {rows}{/in}
    UNION ALL SELECT t.mac_address, t.kind, t.server_id, t.ip_address, t.source
    FROM taken_macs t WHERE t.mac_address {in}SELECT e.value->>'mac' FROM {rows}{/in}";

/// Who has each of these MACs; more than one may.
pub(in crate::store) async fn holders(tx: &mut Tx, macs: &[Mac]) -> Result<HashMap<Mac, Vec<Holder>>, StoreError> {
    let rows: Vec<Value> = macs.iter().map(|mac| json!({"mac": mac})).collect();
    let mut holders: HashMap<Mac, Vec<Holder>> = HashMap::new();
    for row in tx.batch("read who has a MAC", SELECT, rows, Vec::new()).await? {
        holders.entry(row.parse("mac")?).or_default().push(Holder::from_row(&row)?);
    }
    Ok(holders)
}

impl Holder {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let kind: String = row.get("kind")?;
        let kind = match kind.as_str() {
            "live" => HolderKind::Live,
            "revoked" => HolderKind::Revoked,
            "pxe" => HolderKind::Pxe,
            "reserved" => HolderKind::Reserved,
            "former" => HolderKind::Former,
            "elsewhere" => HolderKind::Elsewhere,
            _ => return Err(StoreError::Content { column: "kind".to_owned(), text: kind }),
        };
        Ok(Self {
            kind,
            server_id: row.get("server_id")?,
            ip_address: row.parse_optional("ip_address")?,
            source: row.get("source")?,
        })
    }

    /// True for what vmacd itself hands out, handed out or keeps for later.
    pub const fn is_vmacd(&self) -> bool {
        matches!(self.kind, HolderKind::Live | HolderKind::Revoked | HolderKind::Reserved | HolderKind::Former)
    }

    /// True for the reservation of that place.
    pub fn is_reservation_of(&self, server_id: i64, ip: BindableAddress) -> bool {
        self.kind == HolderKind::Reserved && self.server_id == Some(server_id) && self.ip_address == Some(ip)
    }

    /// True for a revoked row of that address.
    pub fn is_revoked_row_of(&self, ip: BindableAddress) -> bool {
        self.kind == HolderKind::Revoked && self.ip_address == Some(ip)
    }
}

/// As the end of a sentence that begins with the MAC.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = self.ip_address.map(|ip| ip.to_string()).unwrap_or_default();
        let server = self.server_id.unwrap_or_default();
        match self.kind {
            HolderKind::Live => write!(f, "is the virtual MAC of {ip} (server {server})"),
            HolderKind::Revoked => {
                write!(f, "was the virtual MAC of {ip} (server {server}) and is not handed out again")
            }
            HolderKind::Pxe => write!(f, "is the PXE MAC of server {server}"),
            HolderKind::Reserved => write!(f, "is reserved for {ip} of server {server}"),
            HolderKind::Former => write!(f, "was the virtual MAC of {ip} (server {server}) before it got another"),
            HolderKind::Elsewhere => {
                write!(f, "is used elsewhere (imported from {})", shown(self.source.as_deref().unwrap_or("a list")))
            }
        }
    }
}
