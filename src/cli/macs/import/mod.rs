//! `vmacd macs import`: MACs that something else uses.
//!
//! `table` reads what a spreadsheet or NetBox's tables save, `json` what its API answers; `entry` is what both make.

mod entry;
mod json;
mod table;

use std::path::Path;

use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::{MacsFormat, MacsVerb};
use crate::cli::fault::Fault;
use crate::cli::import_files::{self, FileKind, Problems};
use crate::cli::ui::output::Output;
use crate::cli::ui::progress::Progress;
use crate::domain::shown;
use crate::store::{ElsewhereMac, ElsewhereReport};

pub async fn run(env: AppEnv, output: Output, verb: MacsVerb) -> Result<(), Fault> {
    let MacsVerb::Import { file, source, format } = verb;
    let macs = read_file(&file, format)?;
    let name = || file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let store = env.store_for_import().await?;
    note(&store, "import_macs", file.display(), serde_json::json!({"macs": macs.len()})).await?;
    let progress = Progress::new(output, "importing", macs.len());
    let report =
        store.mac_registry().import_elsewhere(&macs, &source.unwrap_or_else(name), |done| progress.at(done)).await?;
    progress.done();
    output.item(&report, || summary(&file, &report))
}

fn summary(file: &Path, report: &ElsewhereReport) -> String {
    let file = shown(&file.to_string_lossy()).into_owned();
    let counts =
        format!("{} added, {} unchanged, {} in conflict", report.added, report.unchanged, report.conflicts.len());
    let conflicts =
        report.conflicts.iter().map(|conflict| format!("{file}, line {}: {}", conflict.line, conflict.text));
    std::iter::once(counts).chain(conflicts).collect::<Vec<_>>().join("\n")
}

/// The MACs of a file, all or none.
fn read_file(file: &Path, format: Option<MacsFormat>) -> Result<Vec<ElsewhereMac>, Fault> {
    let mut problems = Problems::new(file);
    let kind = FileKind::of(file);
    if format.is_none() && !matches!(kind, Some(FileKind::Json | FileKind::Table)) {
        let text = "unknown kind of file; expected .csv or .json, or give --format";
        return Err(Fault::input(format!("{}: {text}", file.display())));
    }
    let text = import_files::read(file, &mut problems)?;
    // What an API answered may be kept under any name.
    let is_json = kind == Some(FileKind::Json) || text.trim_start().starts_with(['[', '{']);
    let macs = match format {
        None | Some(MacsFormat::Netbox) if is_json => json::read(&text, &mut problems),
        Some(MacsFormat::Netbox) => table::read_with_gaps(&text, &mut problems),
        None | Some(MacsFormat::Csv) => table::read(&text, &mut problems),
    };
    problems.check().map(|()| macs)
}
