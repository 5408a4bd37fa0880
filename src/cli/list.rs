//! `vmacd list`

use super::args::ListArgs;
use super::fault::Fault;
use super::look::{Cell, Tone};
use super::open::Session;
use super::output::{Output, or_dash};
use super::suggest;
use super::watch::watch;
use crate::domain::{Desired, Status};
use crate::store::{Vmac, VmacFilter};

const COLUMNS: &[&str] = &["ID", "SERVER", "ADDRESS", "MAC", "VLAN", "STATUS", "SWITCHES", "UPDATED"];

/// Lists virtual MACs, oldest first.
pub(super) async fn run(session: Session, output: Output, args: ListArgs) -> Result<(), Fault> {
    let store = session.store().await?;
    if let Some(switch) = &args.switch {
        suggest::known_switch(&store, switch).await?;
    }
    let filter = VmacFilter {
        status: args.status,
        switch: args.switch,
        server_id: args.server,
        limit: args.limit,
        ..VmacFilter::default()
    };
    watch(output, args.watch.watch, async |output| output.table(&store.find(&filter).await?, COLUMNS, row)).await
}

fn row(vmac: &Vmac) -> Vec<Cell> {
    let places: Vec<_> = vmac.ports().map(|b| format!("{}:{}", b.switch, b.interface)).collect();
    vec![
        vmac.id.to_string().into(),
        vmac.server_id.to_string().into(),
        vmac.ip_address.to_string().into(),
        vmac.mac_address.to_string().into(),
        or_dash(vmac.vlan_name.as_ref()).into(),
        status(vmac),
        places.join(" ").into(),
        vmac.updated_at.format("%Y-%m-%d %H:%M:%S").to_string().into(),
    ]
}

/// The status, and what is on its way.
pub(super) fn status(vmac: &Vmac) -> Cell {
    match (vmac.status, vmac.desired) {
        (Status::Active | Status::Pending, Desired::Unbound) => {
            Cell::new(Tone::Waiting, format!("{} (revoking)", vmac.status))
        }
        (Status::Failed, _) => match &vmac.failure_code {
            Some(code) => Cell::new(Tone::Bad, format!("failed ({code})")),
            None => Cell::new(Tone::Bad, "failed"),
        },
        (status, _) => Cell::new(tone_of(status), status.to_string()),
    }
}

const fn tone_of(status: Status) -> Tone {
    match status {
        Status::Pending => Tone::Waiting,
        Status::Active => Tone::Good,
        Status::Failed => Tone::Bad,
        Status::Revoked => Tone::Past,
    }
}
