//! The statements that Postgres executed for one database, from the server's own log: it names prepared ones too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use crate::support::run_dir;
use crate::world::World;

/// One that was executed.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The process id of the server's backend: one a connection.
    pub backend: String,
    /// Time of day, ms.
    pub at_ms: f64,
    /// How long the server took for this step of it, ms.
    pub took_ms: f64,
    /// False for the steps before it, parsing and binding, which the log lists by themselves.
    pub is_execution: bool,
    /// The whole text, with single spaces.
    pub text: String,
}

impl Statement {
    /// False for `SELECT` without a lock and for what only frames a transaction.
    pub fn writes(&self) -> bool {
        let text = self.text.to_ascii_uppercase();
        let has = |word| text.split(|c: char| !c.is_ascii_alphabetic()).any(|found| found == word);
        ["INSERT", "UPDATE", "DELETE", "MERGE"].into_iter().any(has)
    }

    /// The first so many characters.
    pub fn shortened(&self, characters: usize) -> String {
        let short: String = self.text.chars().take(characters).collect();
        if short.len() < self.text.len() { format!("{short} ...") } else { short }
    }
}

/// Has the server log every statement of the database's sessions that begin from now on.
pub async fn log_all(world: &World) {
    let name = world.database.name();
    let on = format!(
        "ALTER DATABASE {name} SET log_min_duration_statement = 0; ALTER DATABASE {name} SET log_parameter_max_length = 0"
    );
    world.database.execute(on).await;
}

/// The end of the log as it is now.
pub fn mark() -> u64 {
    open().metadata().expect("the server's log").len()
}

/// What was executed since then, in order.
pub fn since(mark: u64) -> Vec<Statement> {
    steps_since(mark).into_iter().filter(|step| step.is_execution).collect()
}

/// The texts that took the server's time since then, longest first: how often, how many milliseconds in all.
pub fn longest_since(mark: u64) -> Vec<(String, usize, f64)> {
    let mut texts: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for step in steps_since(mark) {
        let (count, took_ms) = texts.entry(step.text).or_default();
        *count += usize::from(step.is_execution);
        *took_ms += step.took_ms;
    }
    let mut texts: Vec<_> = texts.into_iter().map(|(text, (count, took_ms))| (text, count, took_ms)).collect();
    texts.sort_by(|(_, _, one), (_, _, other)| other.total_cmp(one));
    texts
}

fn steps_since(mark: u64) -> Vec<Statement> {
    let (mut file, mut bytes) = (open(), Vec::new());
    file.seek(SeekFrom::Start(mark)).and_then(|_| file.read_to_end(&mut bytes)).expect("the server's log");
    let mut entries: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(&bytes).lines() {
        match (line.strip_prefix('\t'), entries.last_mut()) {
            (Some(more), Some(entry)) => *entry += &format!(" {more}"),
            _ => entries.push(line.to_owned()),
        }
    }
    entries.iter().filter_map(|entry| statement(entry)).collect()
}

/// Of `2026-11-28 21:52:21.123 UTC [4711] LOG:  duration: 0.123 ms  execute sqlx_s_1: SELECT 1`.
fn statement(entry: &str) -> Option<Statement> {
    let (head, rest) = entry.split_once(" LOG:  duration: ")?;
    let (took_ms, rest) = rest.split_once(" ms  ")?;
    let (kind, text) = rest.split_once(": ")?;
    let is_execution = kind == "statement" || kind.starts_with("execute ");
    let backend = head.split_once('[')?.1.trim_end_matches(']').to_owned();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Statement { backend, at_ms: time_of_day_ms(head)?, took_ms: took_ms.parse().ok()?, is_execution, text })
}

fn time_of_day_ms(head: &str) -> Option<f64> {
    let mut parts = head.split(' ').nth(1)?.split(':').map(|part| part.parse::<f64>().ok());
    let mut next = || parts.next().flatten();
    Some(((next()? * 60.0 + next()?) * 60.0 + next()?) * 1000.0)
}

fn open() -> File {
    let path = run_dir().join("postgres/out.log");
    File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
