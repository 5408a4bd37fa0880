//! What switches showed of bindings, written to their rows. A row does not count as changed by it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::commands::lock_vmacs;
use super::connect::Store;
use super::error::StoreError;
use super::vmacs::Vmac;
use crate::domain::evidence::{EvidenceTable, renewed};
use crate::domain::{BindingState, InterfaceName, SwitchName};

/// Rows written in one transaction.
const BATCH: usize = 500;

const UPDATE: &str = "UPDATE virtual_macs SET switch_bindings = e.value->'switch_bindings'
    FROM {rows} WHERE virtual_macs.id = CAST(e.value->>'id' AS BIGINT)
        AND virtual_macs.id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";

/// A binding that tables of a switch showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The row.
    pub vmac_id: i64,
    /// The port.
    pub interface: InterfaceName,
    /// The tables.
    pub tables: Vec<EvidenceTable>,
}

impl Store {
    /// Notes what a look at the switch showed, for rows that have not changed since they were read before it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_evidence(
        &self,
        switch: &SwitchName,
        shown: &[Shown],
        as_of: &HashMap<i64, DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        for shown in shown.chunks(BATCH) {
            let now = self.now().await?;
            let mut tx = self.begin("record evidence").await?;
            let ids = shown.iter().map(|shown| json!({"id": shown.vmac_id})).collect();
            let mut vmacs = lock_vmacs(&mut tx, ids).await?;
            vmacs.retain(|id, vmac| as_of.get(id) == Some(&vmac.updated_at));
            for shown in shown {
                if let Some(vmac) = vmacs.get_mut(&shown.vmac_id) {
                    renew(vmac, switch, shown, now);
                }
            }
            let rows = vmacs.values().map(|vmac| json!({"id": vmac.id, "switch_bindings": vmac.switch_bindings}));
            tx.batch("record evidence", UPDATE, rows.collect(), Vec::new()).await?;
            tx.commit("record evidence").await?;
        }
        Ok(())
    }
}

fn renew(vmac: &mut Vmac, switch: &SwitchName, shown: &Shown, now: DateTime<Utc>) {
    let here = vmac.switch_bindings.iter_mut().filter(|binding| {
        binding.switch == *switch
            && binding.interface.same_interface(&shown.interface)
            && binding.state == BindingState::Bound
    });
    here.for_each(|binding| binding.evidence = renewed(&binding.evidence, &shown.tables, now));
}
