//! `vmacd list`

use super::args::ListArgs;
use super::fault::Fault;
use super::open::Session;
use super::output::{Output, or_dash};
use crate::store::{Vmac, VmacFilter};

/// Lists virtual MACs, oldest first.
pub(super) async fn run(session: Session, output: Output, args: ListArgs) -> Result<(), Fault> {
    let filter = VmacFilter {
        status: args.status,
        switch: args.switch,
        server_id: args.server,
        limit: args.limit,
        ..VmacFilter::default()
    };
    let vmacs = session.store().await?.find(&filter).await?;
    output.list(&vmacs, &["ID", "SERVER", "ADDRESS", "MAC", "VLAN", "STATUS", "SWITCHES", "UPDATED"], row)
}

fn row(vmac: &Vmac) -> Vec<String> {
    let places: Vec<_> = vmac.switch_bindings.iter().map(|b| format!("{}:{}", b.switch, b.interface)).collect();
    vec![
        vmac.id.to_string(),
        vmac.server_id.to_string(),
        vmac.ip_address.to_string(),
        vmac.mac_address.to_string(),
        or_dash(vmac.vlan_name.as_ref()),
        status(vmac),
        places.join(" "),
        vmac.updated_at.format("%Y-%m-%d %H:%M:%S").to_string(),
    ]
}

/// The status, and what is on its way.
pub(super) fn status(vmac: &Vmac) -> String {
    use crate::domain::{Desired, Status};
    match (vmac.status, vmac.desired) {
        (Status::Active | Status::Pending, Desired::Unbound) => format!("{} (revoking)", vmac.status),
        (Status::Failed, _) => match &vmac.failure_code {
            Some(code) => format!("failed ({code})"),
            None => "failed".to_owned(),
        },
        (status, _) => status.to_string(),
    }
}
