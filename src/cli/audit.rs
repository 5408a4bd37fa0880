//! `vmacd audit`: what the switches hold against what the rows say, and mending what is vmacd's.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::args::AuditArgs;
use super::ask;
use super::fault::Fault;
use super::look::{Cell, Tone};
use super::open::Session;
use super::output::{Document, Output, or_dash};
use super::progress::Progress;
use super::suggest;
use crate::domain::audit::{AuditedRow, Finding, Kind, Known, Place, Seen, audit};
use crate::domain::{Failure, Status, SwitchName};
use crate::store::{Store, Vmac, VmacFilter};
use crate::worker::survey;

/// Switches looked at side by side.
const SIDE_BY_SIDE: usize = 16;
/// Rows read at a time.
const ROWS_AT_ONCE: i64 = 5_000;

/// Looks, tells, and mends where it is asked to. Whatever stands at the end is a fault, so that a timer notices.
pub(super) async fn run(session: Session, output: Output, args: AuditArgs) -> Result<(), Fault> {
    if args.fix && !args.yes && !ask::can_ask() {
        let fault = Fault::input("nobody can be asked here, and nothing was done");
        return Err(fault.with_hint("--yes mends without asking"));
    }
    let store = session.store_as_it_is().await?;
    let found = look(&session, &store, output, &args.switch).await?;
    output.print(&found.document(output))?;
    let mended = args.fix && mend(&store, &args, &found).await?;
    found.verdict(mended)
}

/// What an audit found.
struct Found {
    findings: Vec<Finding>,
    /// Switches that could not be looked at.
    unseen: Vec<(SwitchName, Failure)>,
    switches: usize,
}

async fn look(session: &Session, store: &Store, output: Output, only: &[SwitchName]) -> Result<Found, Fault> {
    let switches = chosen(store, only).await?;
    let before: HashMap<i64, DateTime<Utc>> =
        live_rows(store).await?.into_iter().map(|row| (row.id, row.updated_at)).collect();
    let progress = Progress::new(output, "looking at switches", switches.len());
    let looks = switches.iter().map(|switch| async move { (switch, survey(store, &session.settings, switch).await) });
    let looked: Vec<_> = stream::iter(looks)
        .buffer_unordered(SIDE_BY_SIDE)
        .enumerate()
        .inspect(|(done, _)| progress.at(done + 1))
        .map(|(_, looked)| looked)
        .collect()
        .await;
    progress.done();
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    for (switch, looked) in looked {
        match looked {
            Ok(look) => seen.push(look),
            Err(failure) => unseen.push((switch.clone(), failure)),
        }
    }
    let known = known(store, &seen, &before).await?;
    Ok(Found { findings: audit(&seen, &known), unseen, switches: switches.len() })
}

async fn chosen(store: &Store, only: &[SwitchName]) -> Result<Vec<SwitchName>, Fault> {
    for name in only {
        suggest::known_switch(store, name).await?;
    }
    match only.is_empty() {
        true => Ok(store.switches().await?.into_iter().map(|known| known.switch.name).collect()),
        false => Ok(only.to_vec()),
    }
}

/// The rows and servers as they are now; a row that was another one before the look is not settled.
async fn known(store: &Store, seen: &[Seen], before: &HashMap<i64, DateTime<Utc>>) -> Result<Known, Fault> {
    let bound = seen.iter().flat_map(|seen| seen.bindings.iter().map(|binding| binding.mac));
    let macs: Vec<_> =
        bound.chain(seen.iter().flat_map(|seen| seen.learned.iter().map(|learned| learned.mac))).collect();
    let mut rows: BTreeMap<i64, AuditedRow> = BTreeMap::new();
    for row in live_rows(store).await?.into_iter().chain(store.vmacs_with(&macs).await?) {
        let settled = row.status == Status::Revoked || before.get(&row.id) == Some(&row.updated_at);
        rows.insert(row.id, audited(row, settled));
    }
    Ok(Known { rows: rows.into_values().collect(), servers: store.export().await?.servers })
}

async fn live_rows(store: &Store) -> Result<Vec<Vmac>, Fault> {
    let (mut rows, mut after_id) = (Vec::new(), 0);
    loop {
        let page = store.find(&VmacFilter { after_id, limit: ROWS_AT_ONCE, ..VmacFilter::default() }).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        after_id = last.id;
        rows.extend(page.into_iter().filter(|row| row.status != Status::Revoked));
    }
}

fn audited(row: Vmac, settled: bool) -> AuditedRow {
    let Vmac { id, ip_address, mac_address, status, desired, switch_bindings, .. } = row;
    AuditedRow { id, ip: ip_address, mac: mac_address, status, desired, settled, bindings: switch_bindings }
}

/// Has the workers drive the rows again that this mends. Says whether anything is under way.
async fn mend(store: &Store, args: &AuditArgs, found: &Found) -> Result<bool, Fault> {
    let mut rows: BTreeMap<&SwitchName, Vec<i64>> = BTreeMap::new();
    for finding in &found.findings {
        if let (Some(switch), Some(id)) = (&finding.mended_on, finding.vmac_id) {
            rows.entry(switch).or_default().push(id);
        }
    }
    let count: usize = rows.values().map(Vec::len).sum();
    if count == 0 {
        return Ok(false);
    }
    let question = format!("Drive {count} bindings on {} switches again?", rows.len());
    if !args.yes && !ask::ask(question).await? {
        return Err(Fault::input("not confirmed; nothing was done"));
    }
    for (switch, ids) in rows {
        store.queue_again(switch, &ids).await?;
    }
    tracing::info!(bindings = count, "driven again by the next sweep of a worker");
    Ok(true)
}

impl Found {
    fn document(&self, output: Output) -> Document {
        let columns = ["FINDING", "ROW", "WHERE", "WHAT TO DO"];
        let unseen: Vec<_> = self
            .unseen
            .iter()
            .map(|(switch, why)| json!({"switch": switch, "code": why.code, "text": why.text}))
            .collect();
        let data = json!({"switches": self.switches, "findings": self.findings, "not_looked_at": unseen});
        let lines = self.findings.iter().map(row).chain(self.unseen.iter().map(|(switch, why)| {
            let cells = ["not_looked_at", "-", switch.as_str(), &why.text].map(|text| Cell::new(Tone::Plain, text));
            cells.into()
        }));
        let all_well = self.findings.is_empty() && self.unseen.is_empty();
        let text = if all_well {
            format!("{} switches hold what the rows say", self.switches)
        } else {
            output.look.table(&columns, lines)
        };
        Document { data, text }
    }

    fn verdict(&self, mended: bool) -> Result<(), Fault> {
        let left = self.findings.iter().filter(|finding| !(mended && finding.mended_on.is_some())).count();
        match (left, self.unseen.len()) {
            (0, 0) => Ok(()),
            (left, unseen) => {
                let text = format!("{left} findings stand, and {unseen} switches could not be looked at");
                Err(Fault::service(anyhow::Error::msg(text)))
            }
        }
    }
}

fn row(finding: &Finding) -> Vec<Cell> {
    let places: Vec<String> = finding.places.iter().map(place).collect();
    vec![
        Cell::new(Tone::Bad, finding.kind.as_str()),
        Cell::new(Tone::Plain, or_dash(finding.vmac_id.as_ref())),
        Cell::new(Tone::Plain, places.join("; ")),
        Cell::new(Tone::Plain, what_to_do(finding.kind)),
    ]
}

fn place(place: &Place) -> String {
    let ip = place.ip.map(|ip| format!("{ip} ")).unwrap_or_default();
    format!("{} {} {ip}{}", place.switch, place.interface, place.mac)
}

const fn what_to_do(kind: Kind) -> &'static str {
    match kind {
        Kind::MacTwice => "remove the one that does not belong; a row's own: revoke and create it again",
        Kind::AddressTwice => "remove the one that does not belong",
        Kind::LearnedElsewhere => "look at the cabling and at what that server sends",
        Kind::NotBacked | Kind::LeftOver => "--fix has a worker mend it",
        Kind::Unexplained => "not vmacd's: remove it by hand, or leave it",
    }
}
