//! `vmacd list`

use crate::cli::app_env::AppEnv;
use crate::cli::args::ListArgs;
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::output::{Document, Output};
use crate::cli::ui::style::{Cell, Tone};
use crate::cli::ui::watch::{watch, watch_list};
use crate::domain::{Desired, Status};
use crate::store::{Store, Vmac, VmacFilter, VmacPage};

const COLUMNS: &[&str] = &["ID", "SERVER", "ADDRESS", "MAC", "VLAN", "STATUS", "SWITCHES", "UPDATED"];

/// Rows read at once.
const PART: i64 = 1_000;
/// Lines of a terminal that does not say how many it has.
const LINES: i64 = 24;

/// Lists virtual MACs, newest first.
pub async fn run(env: AppEnv, output: Output, args: ListArgs) -> Result<(), Fault> {
    let store = env.store().await?;
    if let Some(switch) = &args.switch {
        did_you_mean::known_switch(&store, switch).await?;
    }
    let filter = VmacFilter {
        status: args.status,
        in_force: args.in_force,
        switch: args.switch,
        server_id: args.server,
        newest_first: true,
        limit: PART,
        ..VmacFilter::default()
    };
    if args.watch.watch.is_none() {
        let mut reader = PartReader::new(&store, filter, args.limit);
        return output.stream(COLUMNS, row, async || reader.next().await).await;
    }
    if output.is_terminal() {
        let poll = async |output| screenful(&store, &filter, args.limit, output).await;
        return watch(output, args.watch.watch, poll).await;
    }
    watch_list(output, args.watch.watch, async || {
        let mut reader = PartReader::new(&store, filter.clone(), args.limit);
        output.spool(COLUMNS, row, async || reader.next().await).await
    })
    .await
}

/// As much as a screen shows, and how much more there is.
async fn screenful(store: &Store, filter: &VmacFilter, limit: Option<i64>, output: Output) -> Result<Document, Fault> {
    let most = limit.unwrap_or(i64::MAX);
    let lines = output.height().and_then(|height| i64::try_from(height).ok()).unwrap_or(LINES);
    let filter = VmacFilter { limit: lines.min(most), ..filter.clone() };
    let vmacs = if filter.limit > 0 { store.vmacs().find(&filter).await? } else { Vec::new() };
    let count = usize::try_from(store.vmacs().count(&filter).await?.min(most)).unwrap_or(0);
    let document = output.table(&vmacs, COLUMNS, row)?;
    Ok(Document { more: count.saturating_sub(vmacs.len()), ..document })
}

/// A list that is read part by part.
struct PartReader<'a> {
    store: &'a Store,
    /// None once all is read.
    filter: Option<VmacFilter>,
    left: i64,
}

impl<'a> PartReader<'a> {
    fn new(store: &'a Store, filter: VmacFilter, limit: Option<i64>) -> Self {
        Self { store, filter: Some(filter), left: limit.unwrap_or(i64::MAX) }
    }

    async fn next(&mut self) -> Result<Option<Vec<Vmac>>, Fault> {
        let Some(filter) = self.filter.take().filter(|_| self.left > 0) else { return Ok(None) };
        let VmacPage { mut vmacs, goes_on_after } = self.store.vmacs().find_page(&filter).await?;
        vmacs.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= i64::try_from(vmacs.len()).unwrap_or(i64::MAX);
        self.filter = goes_on_after.map(|after_id| VmacFilter { after_id, ..filter });
        Ok(Some(vmacs))
    }
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
pub fn status(vmac: &Vmac) -> Cell {
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
