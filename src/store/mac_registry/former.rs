//! MACs that rows had before.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::Mac;
use crate::store::database::engine::{args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::parts::MacRegistry;

/// Notes MACs that are taken off rows: they are never handed out again, and bindings with them are still vmacd's own. The row
/// has them until the same transaction changes it, so nobody can be given them meanwhile.
pub(in crate::store) async fn former(tx: &mut Tx, macs: &[(i64, Mac)], now: DateTime<Utc>) -> Result<(), StoreError> {
    let rows: Vec<Value> = macs.iter().map(|(vmac_id, mac)| json!({"vmac_id": vmac_id, "mac": mac})).collect();
    let sql = "INSERT INTO taken_macs (mac_address, kind, server_id, ip_address, vmac_id, created_at)
        SELECT e.value->>'mac', 'former', v.server_id, v.ip_address, v.id, $2
        FROM {rows} JOIN virtual_macs v ON v.id = CAST(e.value->>'vmac_id' AS BIGINT) WHERE true
        ON CONFLICT (mac_address) DO NOTHING";
    tx.batch("record former MACs", sql, rows, args![now]).await.map(|_| ())
}

impl MacRegistry<'_> {
    /// Those of the MACs that rows had before, each with its row's number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn former(self, macs: &[Mac]) -> Result<Vec<(Mac, i64)>, StoreError> {
        let batch = batch_arg(macs.iter().map(|mac| json!({"mac": mac})).collect());
        let sql = "SELECT mac_address, vmac_id FROM taken_macs WHERE kind = 'former'
                   AND mac_address {in}SELECT e.value->>'mac' FROM {rows}{/in}";
        let rows = self.store.engine.read("find former MACs", sql, vec![batch]).await?;
        rows.iter().map(|row| Ok((row.parse("mac_address")?, row.get("vmac_id")?))).collect()
    }
}
