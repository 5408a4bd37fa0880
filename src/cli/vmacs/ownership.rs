//! Which server has or had an address, for those who revoke it.

use crate::cli::fault::Fault;
use crate::domain::Status;
use crate::store::{Store, Vmac, VmacFilter};

/// True where the address has a virtual MAC on the server now.
pub async fn has_vmac(store: &Store, server: i64, ip: &str) -> Result<bool, Fault> {
    Ok(rows(store, ip).await?.iter().any(|row| row.status != Status::Revoked && row.knows(server)))
}

/// The newest row of those by which the server once had the address.
pub async fn former_vmac(store: &Store, server: i64, ip: &str) -> Result<Option<Vmac>, Fault> {
    let rows = rows(store, ip).await?.into_iter();
    Ok(rows.filter(|row| row.server_id == server || row.knows(server)).max_by_key(|row| row.id))
}

async fn rows(store: &Store, ip: &str) -> Result<Vec<Vmac>, Fault> {
    Ok(store.vmacs().find(&VmacFilter { ip: Some(ip.parse()?), ..VmacFilter::default() }).await?)
}
