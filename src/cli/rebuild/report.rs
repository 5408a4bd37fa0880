//! What a rebuild found and did, as text and as data.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cli::switches::survey::place_text;
use crate::cli::ui::output::Document;
use crate::domain::adopt::{Adoptable, Refused};
use crate::domain::audit::Finding;
use crate::domain::{Action, SwitchName};
use crate::worker::RereadReport;

/// Lines of one kind that are printed for people; `--json` has all of them.
const LINES_MAX: usize = 50;

/// The report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Nothing was changed.
    pub dry_run: bool,
    /// From when on the archive was read.
    pub since: DateTime<Utc>,
    /// Workers that run; with any, nothing is done.
    pub workers: Vec<String>,
    /// Whether the database had no command before.
    pub was_empty: bool,
    /// Switches that were read.
    pub switches_read: usize,
    /// Switches that could not be read, and why.
    pub switches_unread: BTreeMap<SwitchName, String>,
    /// Bindings from before the archive that became rows, or would.
    pub adopted: Vec<Adoptable>,
    /// Reading the archive.
    pub archive: RereadReport,
    /// The commands that the database lacked, by what they ask for.
    pub lost: BTreeMap<Action, u64>,
    /// MACs found on ports that commands of their rows had drawn: the rows have them again.
    pub recognised: usize,
    /// Bindings that belong to no row and cannot be adopted.
    pub refused: Vec<Refused>,
    /// What differs between switches and rows.
    pub findings: Vec<Finding>,
    /// What cannot be known.
    pub unknown: Vec<String>,
    /// Whether the sites were thawed.
    pub thawed: bool,
}

impl Report {
    /// Whether anything is left for people to decide.
    pub fn has_problems(&self) -> bool {
        !(self.switches_unread.is_empty() && self.findings.is_empty() && self.archive.is_archived)
    }

    /// For printing.
    ///
    /// # Errors
    /// Never: it is plain data.
    pub fn document(&self) -> serde_json::Result<Document> {
        Ok(Document { data: serde_json::to_value(self)?, text: self.text(), more: 0 })
    }

    fn text(&self) -> String {
        let mut lines = vec![self.switches_line(), self.archive_line(), self.adopted_line()];
        if self.recognised > 0 {
            lines.push(format!("{} MACs on switches were recognised as those of lost orders", self.recognised));
        }
        lines.extend(section("differs", self.findings.iter().map(finding_line)));
        lines.extend(section("not read", self.switches_unread.iter().map(|(switch, why)| format!("{switch}: {why}"))));
        lines.extend(section(
            "belongs to no row",
            self.refused.iter().map(|refused| format!("{}: {}", place_text(&refused.place), refused.text)),
        ));
        lines.extend(section("cannot be known", self.unknown.iter().cloned()));
        lines.push(self.end_line());
        lines.join("\n")
    }

    fn switches_line(&self) -> String {
        let (read, unread) = (self.switches_read, self.switches_unread.len());
        format!("{read} switches read, {unread} could not be read")
    }

    fn archive_line(&self) -> String {
        let RereadReport { is_archived, read, known, commands, dead_letters, .. } = self.archive;
        if !is_archived {
            return "there is no archive of commands".to_owned();
        }
        let kinds: Vec<String> = self.lost.iter().map(|(action, count)| format!("{count} {action}")).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        let (tense, since) = (if self.dry_run { "would be admitted" } else { "admitted" }, self.since.to_rfc3339());
        format!(
            "archive since {since}: {read} messages, {known} known, {commands} commands{kinds} and {dead_letters} dead letters {tense}"
        )
    }

    fn adopted_line(&self) -> String {
        let tense = if self.dry_run { "would be adopted" } else { "adopted" };
        format!("{} bindings from before that {tense}", self.adopted.len())
    }

    fn end_line(&self) -> String {
        match (self.dry_run, self.thawed) {
            (true, _) => "nothing was changed".to_owned(),
            (_, true) => "all sites are thawed; start the workers".to_owned(),
            (_, false) => {
                "all sites are frozen. Start the workers; when this report is right, run `vmacd thaw --all`".to_owned()
            }
        }
    }
}

fn finding_line(finding: &Finding) -> String {
    let places: Vec<String> = finding.places.iter().map(place_text).collect();
    format!("{}: {}", finding.kind.as_str(), places.join("; "))
}

fn section(title: &str, lines: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let left = lines.len().saturating_sub(LINES_MAX);
    let mut printed: Vec<String> = lines.take(LINES_MAX).map(|line| format!("  {line}")).collect();
    if printed.is_empty() {
        return printed;
    }
    if left > 0 {
        printed.push(format!("  and {left} more (--json has all)"));
    }
    printed.insert(0, format!("{title}:"));
    printed
}
