//! `vmacd macs import`: MACs that something else uses.

mod lines;
mod read;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::args::{MacsFormat, MacsVerb};
use super::fault::Fault;
use super::open::Session;
use super::output::Output;
use super::progress::Progress;
use crate::store::{ElsewhereMac, ElsewhereReport};
use read::{BadLine, List};

/// Bad lines that are told one by one.
const TOLD_MAX: usize = 20;

/// Runs the verb.
pub(super) async fn run(session: Session, output: Output, verb: MacsVerb) -> Result<(), Fault> {
    let MacsVerb::Import { file, source, format } = verb;
    let macs = open(&file, format)?;
    let name = || file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let store = session.store().await?;
    let progress = Progress::new(output, "importing", macs.len());
    let report = store.import_elsewhere(&macs, &source.unwrap_or_else(name), |done| progress.at(done)).await?;
    progress.done();
    output.one(&report, || told(&report))
}

fn told(report: &ElsewhereReport) -> String {
    let counts =
        format!("{} added, {} unchanged, {} in conflict", report.added, report.unchanged, report.conflicts.len());
    let conflicts = report.conflicts.iter().map(|conflict| format!("line {}: {}", conflict.line, conflict.text));
    std::iter::once(counts).chain(conflicts).collect::<Vec<_>>().join("\n")
}

fn open(file: &Path, format: Option<MacsFormat>) -> Result<Vec<ElsewhereMac>, Fault> {
    let at_fault = |error: String| Fault::input(format!("{}: {error}", file.display()));
    let ending = file.extension().and_then(|ending| ending.to_str());
    let input = BufReader::new(File::open(file).map_err(|error| at_fault(error.to_string()))?);
    let list = match (ending, format) {
        (Some("json"), None | Some(MacsFormat::Netbox)) => read::json(input),
        (_, Some(MacsFormat::Netbox)) => read::csv(input, true),
        (Some("csv"), None) | (_, Some(MacsFormat::Csv)) => read::csv(input, false),
        _ => return Err(at_fault("unknown kind of file; expected .csv or .json, or name it with --format".to_owned())),
    };
    let List { macs, bad } = list.map_err(at_fault)?;
    if bad.is_empty() { Ok(macs) } else { Err(at_fault(refusal(&bad))) }
}

fn refusal(bad: &[BadLine]) -> String {
    let told = bad.iter().take(TOLD_MAX).map(|bad| format!("\nline {}: {}", bad.line, bad.problem));
    let more = bad.len().saturating_sub(TOLD_MAX);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    format!("nothing was taken in; mend what cannot be read:{}{more}", told.collect::<String>())
}
