//! The rows of the result, and the table they make.

use std::fmt;

/// Whether a goal was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Met,
    NotMet,
    /// A figure without a goal of its own, or one whose conditions this machine does not give.
    Context,
    /// It could not be measured.
    Broken,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub scenario: &'static str,
    pub what: String,
    pub measured: String,
    pub goal: String,
    pub verdict: Verdict,
    pub conditions: String,
}

impl Row {
    /// A figure with a goal.
    pub fn goal(scenario: &'static str, what: &str, measured: String, goal: &str, met: bool, conditions: &str) -> Self {
        let verdict = if met { Verdict::Met } else { Verdict::NotMet };
        Self { verdict, goal: goal.to_owned(), ..Self::context(scenario, what, measured, conditions) }
    }

    /// A figure that helps to read others.
    pub fn context(scenario: &'static str, what: &str, measured: String, conditions: &str) -> Self {
        Self {
            scenario,
            what: what.to_owned(),
            measured,
            goal: String::new(),
            verdict: Verdict::Context,
            conditions: conditions.to_owned(),
        }
    }

    /// A scenario that failed.
    pub fn broken(scenario: &'static str, why: &str) -> Self {
        let why = why.lines().next().unwrap_or_default();
        Self { verdict: Verdict::Broken, ..Self::context(scenario, "not measured", why.to_owned(), "") }
    }

    pub fn is_broken(&self) -> bool {
        self.verdict == Verdict::Broken
    }

    /// The row as Markdown.
    pub fn markdown(&self) -> String {
        let met = match self.verdict {
            Verdict::Met => "yes",
            Verdict::NotMet => "**no**",
            Verdict::Context => "",
            Verdict::Broken => "**broken**",
        };
        let cells = [self.scenario, &self.what, &self.measured, &self.goal, met, &self.conditions];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        format!("| {} |", cells.join(" | "))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "   {}: {}: {}", self.scenario, self.what, self.measured)?;
        if !self.goal.is_empty() {
            write!(f, " (goal {}: {:?})", self.goal, self.verdict)?;
        }
        write!(f, " [{}]", self.conditions)
    }
}

/// The first two lines of the table.
pub const HEAD: &str = "| scenario | what | measured | goal | met | conditions |\n|---|---|---|---|---|---|\n";

/// All rows as a table.
pub fn markdown(rows: &[Row]) -> String {
    let lines: String = rows.iter().map(|row| row.markdown() + "\n").collect();
    format!("{HEAD}{lines}")
}
