//! Which bindings on a switch are vmacd's, as the rows remember it.

use serde_json::json;

use crate::domain::plan::{LeftPort, Ownership, PresentBinding, Wish, addresses_elsewhere, macs_at};
use crate::domain::{BindableAddress, Desired, SwitchName};
use crate::store::database::engine::batch_arg;
use crate::store::database::error::StoreError;
use crate::store::parts::Vmacs;
use crate::store::vmacs::Vmac;

/// All rows of these addresses: live and revoked ones have an index each.
const ROWS_OF_ADDRESSES: &str = "SELECT * FROM virtual_macs WHERE id {in}
        SELECT v.id FROM virtual_macs v WHERE v.revoked_at IS NULL
            AND v.ip_address {in}SELECT e.value->>'ip' FROM {rows}{/in}
        UNION ALL SELECT v.id FROM virtual_macs v WHERE v.revoked_at IS NOT NULL
            AND v.ip_address {in}SELECT e.value->>'ip' FROM {rows}{/in}{/in}
    ORDER BY id";

impl Vmacs<'_> {
    /// What the rows know of the bindings for the wishes' addresses on the switch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ownership(
        self,
        switch: &SwitchName,
        wishes: &[Wish],
        present: &[PresentBinding],
    ) -> Result<Ownership, StoreError> {
        let mut owned = Ownership::default();
        let macs = macs_at(wishes, present);
        if !macs.is_empty() {
            owned.macs = self.ours_among(&macs).await?;
        }
        let addresses = addresses_elsewhere(wishes, present);
        if !addresses.is_empty() {
            owned.left = self.left_ports(switch, addresses.into_iter().collect()).await?;
        }
        Ok(owned)
    }

    /// The ports of the switch that rows had for these addresses and do not want any more.
    async fn left_ports(
        self,
        switch: &SwitchName,
        addresses: Vec<BindableAddress>,
    ) -> Result<Vec<LeftPort>, StoreError> {
        let batch = batch_arg(addresses.iter().map(|ip| json!({"ip": ip})).collect());
        let rows = self.store.engine.read("read whose addresses were", ROWS_OF_ADDRESSES, vec![batch]).await?;
        let vmacs = rows.iter().map(Vmac::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(vmacs.iter().flat_map(|vmac| left_by(vmac, switch)).collect())
    }
}

fn left_by(vmac: &Vmac, switch: &SwitchName) -> Vec<LeftPort> {
    let here = vmac.switch_bindings.iter().filter(|port| port.switch == *switch);
    let left = here.filter(|port| port.wants(vmac.desired) == Desired::Unbound);
    left.map(|port| LeftPort { ip: vmac.ip_address, interface: port.interface.clone(), mac: port.mac }).collect()
}
