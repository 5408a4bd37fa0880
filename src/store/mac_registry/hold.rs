//! Holding allocations back while a MAC is put into `taken_macs`.

use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;

/// Keeps other transactions from making rows until this one ends, and waits for those that made some. Reading and locking
/// rows goes on. On SQLite a write transaction is alone anyway.
pub(in crate::store) async fn hold_allocation(tx: &mut Tx) -> Result<(), StoreError> {
    tx.on_postgres("hold allocation back", "LOCK TABLE virtual_macs IN SHARE ROW EXCLUSIVE MODE").await
}
