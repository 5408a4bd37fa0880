//! `vmacd audit`: compares the switches with the rows, and repairs vmacd's own bindings.

use std::collections::BTreeMap;

use serde_json::json;

use super::survey::{place_text, read_switches, unchecked};
use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::AuditArgs;
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::confirm;
use crate::cli::ui::output::{Document, Output};
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::audit::{Finding, FindingKind, audit};
use crate::domain::{Failure, SwitchName};
use crate::store::Store;

/// Checks, reports, and repairs with `--fix`. Problems that remain end in a fault, so that a timer notices.
pub async fn run(env: AppEnv, output: Output, args: AuditArgs) -> Result<(), Fault> {
    if args.fix && !args.yes && !confirm::can_ask() {
        let fault = Fault::input("this needs a confirmation and there is no terminal to ask on; nothing was done");
        return Err(fault.with_hint("--yes repairs without asking"));
    }
    let store = env.store().await?;
    let survey = read_switches(&env, &store, output, &args.switch).await?;
    let switches = survey.seen.len() + survey.unseen.len();
    let found = AuditResult { findings: audit(&survey.seen, &survey.known), unseen: survey.unseen, switches };
    output.print(&found.document(output))?;
    let repaired = args.fix && repair(&store, &args, &found).await?;
    found.verdict(repaired)
}

/// What an audit found.
struct AuditResult {
    findings: Vec<Finding>,
    /// Switches that could not be read.
    unseen: Vec<(SwitchName, Failure)>,
    switches: usize,
}

/// Queues the rows to repair for the workers; false if there are none.
async fn repair(store: &Store, args: &AuditArgs, found: &AuditResult) -> Result<bool, Fault> {
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
    let question = format!("Repair {count} bindings on {} switches?", rows.len());
    if !args.yes && !confirm::yes_or_no(question).await? {
        return Err(Fault::input("not confirmed; nothing was done"));
    }
    note(store, "repair", "", json!({"rows": rows})).await?;
    for (switch, ids) in rows {
        store.work().queue_again(switch, &ids).await?;
    }
    tracing::info!(bindings = count, "queued for the workers to repair");
    Ok(true)
}

impl AuditResult {
    fn document(&self, output: Output) -> Document {
        let columns = ["FINDING", "ROW", "WHERE", "WHAT TO DO"];
        let unseen = unchecked(&self.unseen);
        let data = json!({"switches": self.switches, "findings": self.findings, "not_looked_at": unseen});
        let lines = self.findings.iter().map(row).chain(self.unseen.iter().map(|(switch, why)| {
            let cells = ["not_looked_at", "-", switch.as_str(), &why.text].map(|text| Cell::new(Tone::Plain, text));
            cells.into()
        }));
        let all_well = self.findings.is_empty() && self.unseen.is_empty();
        let text = if all_well {
            match self.switches {
                1 => "1 switch checked, no differences".to_owned(),
                switches => format!("{switches} switches checked, no differences"),
            }
        } else {
            output.style.table(&columns, lines)
        };
        Document { data, text, more: 0 }
    }

    fn verdict(&self, repaired: bool) -> Result<(), Fault> {
        let left = self.findings.iter().filter(|finding| !(repaired && finding.mended_on.is_some())).count();
        match (left, self.unseen.len()) {
            (0, 0) => Ok(()),
            (left, unseen) => {
                let problems = if left == 1 { "1 problem".to_owned() } else { format!("{left} problems") };
                let unchecked = match unseen {
                    0 => String::new(),
                    1 => "; 1 switch could not be checked".to_owned(),
                    unseen => format!("; {unseen} switches could not be checked"),
                };
                let text = format!("{problems} found{unchecked}");
                Err(Fault::service(anyhow::Error::msg(text)))
            }
        }
    }
}

fn row(finding: &Finding) -> Vec<Cell> {
    let places: Vec<String> = finding.places.iter().map(place_text).collect();
    vec![
        Cell::new(Tone::Bad, finding.kind.as_str()),
        Cell::new(Tone::Plain, or_dash(finding.vmac_id.as_ref())),
        Cell::new(Tone::Plain, places.join("; ")),
        Cell::new(Tone::Plain, what_to_do(finding)),
    ]
}

const fn what_to_do(finding: &Finding) -> &'static str {
    match finding.kind {
        FindingKind::MacTwice => {
            "remove the binding that does not belong, or give the row another MAC with `vmacd rotate`"
        }
        FindingKind::AddressTwice => "remove the binding that does not belong",
        FindingKind::AddressElsewhere => {
            "find out which server uses the address, then `vmacd revoke` this row or remove the other binding"
        }
        FindingKind::LearnedElsewhere => "check the cabling and what that server sends",
        FindingKind::NotBacked if finding.mended_on.is_none() => {
            "on the switch, activate the statement that contains it"
        }
        FindingKind::Inactive => "activate it on the switch, or remove it there",
        FindingKind::NotBacked | FindingKind::LeftOver => "`vmacd audit --fix` repairs it",
        FindingKind::Unexplained if finding.vmac_id.is_some() => {
            "the MAC is or was that row's, but not on this port: find out who put it there, and remove it by hand"
        }
        FindingKind::Unexplained => {
            "vmacd did not create it: adopt it with `vmacd adopt`, remove it by hand, or leave it"
        }
    }
}
