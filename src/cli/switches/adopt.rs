//! `vmacd adopt`: makes rows of bindings that are already on the switches; the switches are only read.

use std::collections::HashMap;

use serde_json::json;

use super::survey::{place_text, read_switches, unchecked};
use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::AdoptArgs;
use crate::cli::fault::Fault;
use crate::cli::ui::confirm;
use crate::cli::ui::output::{Document, Output};
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::adopt::{Adoptable, Adoption, Obstacle, Refused, adopt};
use crate::domain::audit::BoundPort;
use crate::domain::{BindableAddress, Failure, SwitchName};
use crate::store::Store;

/// Reads the switches, asks, adopts and reports. A switch that could not be read is a fault at the end.
pub async fn run(env: AppEnv, output: Output, args: AdoptArgs) -> Result<(), Fault> {
    if !args.dry_run && !args.yes && !confirm::can_ask() {
        let fault = Fault::input("this needs a confirmation and there is no terminal to ask on; nothing was done");
        return Err(fault.with_hint("--yes adopts without asking, --dry-run shows what would be adopted"));
    }
    let store = env.store().await?;
    let survey = read_switches(&env, &store, output, &args.switch).await?;
    let mut report = Report::new(adopt(&survey.seen, &survey.known), survey.unseen, args.dry_run);
    if !args.dry_run {
        report.consent(&args).await?;
        report.adopt_rows(&store).await?;
    }
    output.print(&report.document(output))?;
    report.verdict()
}

/// What was adopted and what was not.
struct Report {
    adoption: Adoption,
    /// Switches that could not be read.
    unseen: Vec<(SwitchName, Failure)>,
    dry_run: bool,
    /// The rows made, by address.
    rows: HashMap<BindableAddress, i64>,
}

impl Report {
    fn new(adoption: Adoption, unseen: Vec<(SwitchName, Failure)>, dry_run: bool) -> Self {
        Self { adoption, unseen, dry_run, rows: HashMap::new() }
    }

    async fn consent(&self, args: &AdoptArgs) -> Result<(), Fault> {
        let (count, refused) = (self.adoption.adoptable.len(), self.adoption.refused.len());
        let question = format!("Adopt {count} addresses as virtual MACs? {refused} bindings cannot be adopted.");
        match args.yes || count == 0 || confirm::yes_or_no(question).await? {
            true => Ok(()),
            false => Err(Fault::input("not confirmed; nothing was done")),
        }
    }

    /// Makes the rows; what somebody else took in the meantime is reported as refused.
    async fn adopt_rows(&mut self, store: &Store) -> Result<(), Fault> {
        let addresses: Vec<_> = self.adoption.adoptable.iter().map(|found| found.ip_address).collect();
        note(store, "adopt", "", json!({"addresses": addresses})).await?;
        let made = store.vmacs().adopt(&self.adoption.adoptable).await?;
        self.rows = made.into_iter().map(|row| (row.ip_address, row.id)).collect();
        let adoptable = std::mem::take(&mut self.adoption.adoptable);
        let (made, taken): (Vec<_>, Vec<_>) =
            adoptable.into_iter().partition(|found| self.rows.contains_key(&found.ip_address));
        self.adoption.adoptable = made;
        self.adoption.refused.extend(taken.iter().flat_map(taken_meanwhile));
        Ok(())
    }

    fn document(&self, output: Output) -> Document {
        let Adoption { adoptable, ours, physical, refused } = &self.adoption;
        let adopted: Vec<_> = adoptable.iter().map(|found| self.with_row(found)).collect();
        let data = json!({
            "dry_run": self.dry_run, "adopted": adopted, "already_rows": ours, "physical": physical,
            "refused": refused, "not_looked_at": unchecked(&self.unseen),
        });
        let columns = ["RESULT", "WHERE", "WHY"];
        let lines =
            adoptable.iter().flat_map(|found| self.adopted_lines(found)).chain(refused.iter().map(refused_line));
        let unseen =
            self.unseen.iter().map(|(switch, why)| line(Tone::Bad, "not_looked_at", switch.to_string(), &why.text));
        let text = format!("{}{}", output.style.table(&columns, lines.chain(unseen)), self.summary());
        Document { data, text, more: 0 }
    }

    fn with_row(&self, found: &Adoptable) -> serde_json::Value {
        let mut data = json!(found);
        data["vmac_id"] = json!(self.rows.get(&found.ip_address));
        data
    }

    fn adopted_lines(&self, found: &Adoptable) -> Vec<Vec<Cell>> {
        let (result, tone) = if self.dry_run { ("adoptable", Tone::Waiting) } else { ("adopted", Tone::Good) };
        let why = match self.rows.get(&found.ip_address) {
            Some(id) => format!("row {id}, server {}", found.server_id),
            None => format!("server {}", found.server_id),
        };
        places(found).iter().map(|at| line(tone, result, place_text(at), &why)).collect()
    }

    fn summary(&self) -> String {
        let Adoption { adoptable, ours, physical, refused } = &self.adoption;
        let taken = if self.dry_run { "can be adopted" } else { "adopted" };
        format!(
            "\n{} addresses {taken}; {} bindings already belong to virtual MACs, {physical} are servers' own MACs, {} cannot be adopted",
            adoptable.len(),
            ours.len(),
            refused.len()
        )
    }

    fn verdict(&self) -> Result<(), Fault> {
        match self.unseen.len() {
            0 => Ok(()),
            unseen => {
                let text = format!("{unseen} switches could not be checked; run `vmacd adopt` again once they answer");
                Err(Fault::service(anyhow::Error::msg(text)))
            }
        }
    }
}

fn places(found: &Adoptable) -> Vec<BoundPort> {
    let (ip, mac) = (Some(found.ip_address), found.mac_address);
    let at = found.ports.iter();
    at.map(|port| BoundPort { switch: port.switch.clone(), interface: port.interface.clone(), ip, mac }).collect()
}

fn taken_meanwhile(found: &Adoptable) -> Vec<Refused> {
    let text = "the address or the MAC was taken in the meantime; run `vmacd adopt` again to see by whom";
    let refused = |place| Refused { place, reason: Obstacle::TakenMeanwhile, text: text.to_owned() };
    places(found).into_iter().map(refused).collect()
}

fn refused_line(refused: &Refused) -> Vec<Cell> {
    line(Tone::Bad, refused.reason.as_str(), place_text(&refused.place), &refused.text)
}

fn line(tone: Tone, result: &str, at: String, why: &str) -> Vec<Cell> {
    vec![Cell::new(tone, result), Cell::new(Tone::Plain, at), Cell::new(Tone::Plain, why)]
}
