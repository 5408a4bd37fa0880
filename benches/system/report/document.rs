//! docs/BENCHMARKS.md: the measured part is written anew, the rest is left as people wrote it.

use std::path::PathBuf;

use crate::report::stats::spread;
use crate::report::table::{HEAD, Row};

const BEGIN: &str = "<!-- measured: written by benches/run -->";
const END: &str = "<!-- end of what is measured -->";

/// Puts the rows into the document, in place of those of the same scenarios. `BENCH_FACTS` names a file with lines about
/// the machine, written by `benches/run`.
pub fn write(rows: &[Row], fsyncs_per_second: &[f64]) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/BENCHMARKS.md"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (head, rest) = text.split_once(BEGIN).expect("docs/BENCHMARKS.md has the line where the measured part begins");
    let (measured, tail) = rest.split_once(END).expect("docs/BENCHMARKS.md has the line where the measured part ends");
    let facts = std::env::var("BENCH_FACTS").ok().and_then(|file| std::fs::read_to_string(file).ok());
    let facts = facts.unwrap_or_default();
    let fsync = format!(
        "- the disk: {} syncs a second (4 KiB appended and synced, again and again; before each scenario)",
        spread(fsyncs_per_second, 0)
    );
    let table = merged(measured, rows);
    let text = format!("{head}{BEGIN}\n\n{}\n{fsync}\n\n{HEAD}{table}\n{END}{tail}", facts.trim_end());
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    eprintln!("written: docs/BENCHMARKS.md");
}

/// The rows that stand, without those of scenarios that were measured now, and the new ones, in the scenarios' order.
fn merged(measured: &str, rows: &[Row]) -> String {
    let scenario_of = |line: &str| line.trim_start_matches("| ").split(" | ").next().unwrap_or_default().to_owned();
    let is_new = |name: &str| rows.iter().any(|row| row.scenario == name);
    let kept = measured.lines().filter(|line| line.starts_with("| ") && !HEAD.contains(line));
    let kept: Vec<(String, String)> = kept.map(|line| (scenario_of(line), line.to_owned())).collect();
    let of = |name: &'static str| {
        let old = kept.iter().filter(move |(of, _)| of == name && !is_new(name)).map(|(_, line)| line.clone());
        let new = rows.iter().filter(move |row| row.scenario == name).map(Row::markdown);
        old.chain(new).map(|line| line + "\n").collect::<String>()
    };
    crate::scenarios::NAMES.iter().map(|name| of(name)).collect()
}
