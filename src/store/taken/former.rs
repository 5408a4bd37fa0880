//! MACs that rows had before.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::engine::args;
use super::super::error::StoreError;
use super::super::tx::Tx;
use crate::domain::Mac;

/// Notes MACs that are taken off rows: they are never handed out again, and bindings with them are still vmacd's own. The row
/// has them until the same transaction changes it, so nobody can be given them meanwhile.
pub(in crate::store) async fn former(tx: &mut Tx, macs: &[(i64, Mac)], now: DateTime<Utc>) -> Result<(), StoreError> {
    let rows: Vec<Value> = macs.iter().map(|(vmac_id, mac)| json!({"vmac_id": vmac_id, "mac": mac})).collect();
    let sql = "INSERT INTO taken_macs (mac_address, kind, server_id, ip_address, vmac_id, created_at)
        SELECT e.value->>'mac', 'former', v.server_id, v.ip_address, v.id, $2
        FROM {rows} JOIN virtual_macs v ON v.id = CAST(e.value->>'vmac_id' AS BIGINT) WHERE true
        ON CONFLICT (mac_address) DO NOTHING";
    tx.batch("note former MACs", sql, rows, args![now]).await.map(|_| ())
}
