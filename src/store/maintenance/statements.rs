//! What the statements of a migration do: which lock each takes, whether its time grows with the rows, and whether workers
//! of the version before can go on. What is not known here counts as the worst.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::store::maintenance::migrations::Change;

/// What others wait for while a statement's lock is held, which is until its migration has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lock {
    /// Nothing.
    Nothing,
    /// Changes of the same rows.
    Rows,
    /// Changes of the table.
    Writes,
    /// Also reading it.
    Everything,
}

/// What a statement's time grows with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Nothing: it changes what is known of the table alone.
    Moment,
    /// It reads the table: an index, a check.
    Scan,
    /// It copies the table with its indexes.
    Rewrite,
    /// It changes rows one after another, with every index on them.
    Update,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Step {
    pub statement: String,
    /// The table that was there before, if there is one.
    pub table: Option<String>,
    pub lock: Lock,
    pub work: Work,
    pub change: Change,
}

/// What earlier statements have made.
#[derive(Debug, Default)]
pub(in crate::store) struct Schema {
    unique: BTreeSet<String>,
    /// By the migration at hand: nobody else knows of them yet.
    new: BTreeSet<String>,
}

const ADDITIVE: Change = Change::Additive;
const CONTRACTING: Change = Change::Contracting;

impl Schema {
    /// The statements of one migration.
    pub fn steps(&mut self, text: &str) -> Vec<Step> {
        self.new.clear();
        statements(text).into_iter().map(|statement| self.step(statement)).collect()
    }

    fn step(&mut self, statement: String) -> Step {
        let words = words(&statement);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (table, lock, work, change) = self.effect(&words);
        let is_new = table.as_ref().is_some_and(|table| self.new.contains(table));
        match is_new {
            true => Step { statement, table: None, lock: Lock::Nothing, work: Work::Moment, change: ADDITIVE },
            false => Step { statement, table, lock, work, change },
        }
    }

    fn effect(&mut self, words: &[&str]) -> (Option<String>, Lock, Work, Change) {
        let named = |word: &&str| Some((*word).to_lowercase());
        match words {
            ["CREATE", "TABLE", "IF", "NOT", "EXISTS", table, ..] | ["CREATE", "TABLE", table, ..] => {
                self.new.insert(table.to_lowercase());
                (None, Lock::Nothing, Work::Moment, ADDITIVE)
            }
            ["CREATE", "UNIQUE", "INDEX", name, ..] => {
                self.unique.insert(name.to_lowercase());
                // A second row that a former worker would write is refused from now on.
                (after("ON", words), Lock::Writes, Work::Scan, CONTRACTING)
            }
            ["CREATE", "INDEX", ..] => (after("ON", words), Lock::Writes, Work::Scan, ADDITIVE),
            ["CREATE", "TRIGGER", ..] => (after("ON", words), Lock::Writes, Work::Moment, ADDITIVE),
            ["CREATE", "FUNCTION", ..] | ["CREATE", "OR", "REPLACE", "FUNCTION", ..] => {
                (None, Lock::Nothing, Work::Moment, ADDITIVE)
            }
            ["ALTER", "TABLE", table, action @ ..] => {
                let (lock, work, change) = altered(action);
                (named(table), lock, work, change)
            }
            ["INSERT", "INTO", ..] => (after("FROM", words), Lock::Nothing, insert_work(words), ADDITIVE),
            ["UPDATE", table, ..] => (named(table), Lock::Rows, Work::Update, ADDITIVE),
            ["DELETE", "FROM", table, ..] => (named(table), Lock::Rows, Work::Update, CONTRACTING),
            // Where it is not there any more, statements are slower, unless they name what is unique.
            ["DROP", "INDEX", name] if !self.unique.contains(&name.to_lowercase()) => {
                (None, Lock::Everything, Work::Moment, ADDITIVE)
            }
            ["SET" | "SELECT" | "PRAGMA" | "ANALYZE" | "COMMENT", ..] => (None, Lock::Nothing, Work::Moment, ADDITIVE),
            ["DROP", "TABLE" | "TRIGGER", name, ..] => (named(name), Lock::Everything, Work::Moment, CONTRACTING),
            _ => (None, Lock::Everything, Work::Moment, CONTRACTING),
        }
    }
}

fn insert_work(words: &[&str]) -> Work {
    if words.contains(&"SELECT") { Work::Update } else { Work::Moment }
}

/// The word behind another, which is a table's name.
fn after(word: &str, words: &[&str]) -> Option<String> {
    let at = words.iter().position(|of| *of == word)?;
    words.get(at + 1).map(|table| table.to_lowercase())
}

/// What `ALTER TABLE` does: the strongest of its actions, which commas part.
fn altered(action: &[&str]) -> (Lock, Work, Change) {
    let has = |word: &str| action.contains(&word);
    match action {
        ["SET", "(", ..] => (Lock::Nothing, Work::Moment, ADDITIVE),
        ["ALTER", "COLUMN", _, "SET", "DEFAULT" | "STATISTICS" | "STORAGE", ..]
        | ["ALTER", _, "SET", "DEFAULT" | "STATISTICS" | "STORAGE", ..] => (Lock::Everything, Work::Moment, ADDITIVE),
        ["ADD", "COLUMN", ..] if !has("DROP") && !has("RENAME") => {
            let is_checked = has("CHECK") || has("REFERENCES") || has("UNIQUE");
            let is_filled = has("GENERATED") || has("PRIMARY");
            let is_demanded = has("NOT") && has("NULL") && !has("DEFAULT") || is_filled || has("UNIQUE");
            let work = if is_filled {
                Work::Rewrite
            } else if is_checked {
                Work::Scan
            } else {
                Work::Moment
            };
            (Lock::Everything, work, if is_demanded { CONTRACTING } else { ADDITIVE })
        }
        _ if has("TYPE") => (Lock::Everything, Work::Rewrite, CONTRACTING),
        ["ADD", ..] => (Lock::Everything, Work::Scan, CONTRACTING),
        _ => (Lock::Everything, Work::Moment, CONTRACTING),
    }
}

/// Words in capitals; parentheses, commas and what is quoted stand alone.
fn words(statement: &str) -> Vec<String> {
    let spaced = statement.replace('(', " ( ").replace(')', " ) ").replace(',', " , ");
    spaced.split_whitespace().map(str::to_uppercase).collect()
}

/// The statements of a text without its comments. A semicolon ends one, unless it is quoted or in the body of a trigger.
fn statements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = String::new();
    let (mut quote, mut rest) = (None, text);
    while let Some(next) = rest.chars().next() {
        let part = part(rest, quote);
        match part {
            part if part.starts_with("--") && quote.is_none() => {}
            ";" if quote.is_none() && is_whole(&statement) => keep(&mut found, &mut statement),
            part => statement.push_str(part),
        }
        if part == "$$" || part == "'" {
            quote = match quote {
                None => Some(next),
                Some(open) if open == next => None,
                other => other,
            };
        }
        rest = &rest[part.len()..];
    }
    keep(&mut found, &mut statement);
    found
}

/// The beginning of a text: a comment up to the end of its line, a quote, or one character.
fn part(rest: &str, quote: Option<char>) -> &str {
    if rest.starts_with("--") && quote.is_none() {
        return rest.split_once('\n').map_or(rest, |(comment, _)| comment);
    }
    if rest.starts_with("$$") {
        return &rest[..2];
    }
    &rest[..rest.chars().next().map_or(0, char::len_utf8)]
}

/// The body of a trigger of SQLite has statements of its own, up to its END.
fn is_whole(statement: &str) -> bool {
    let words = words(statement);
    let is_body =
        words.starts_with(&["CREATE".to_owned(), "TRIGGER".to_owned()]) && words.iter().any(|word| word == "BEGIN");
    !is_body || words.last().is_some_and(|word| word == "END")
}

fn keep(found: &mut Vec<String>, statement: &mut String) {
    let whole = std::mem::take(statement).split_whitespace().collect::<Vec<_>>().join(" ");
    if !whole.is_empty() {
        found.push(whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(Option<String>, Lock, Work, Change)> {
        let steps = Schema::default().steps(text).into_iter();
        steps.map(|step| (step.table, step.lock, step.work, step.change)).collect()
    }

    fn table(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn statements_end_where_no_quote_comment_or_trigger_holds_the_semicolon() {
        let text = "-- a; b\nSELECT ';' ;CREATE FUNCTION f() AS $$ SELECT 1; SELECT 2; $$;
            CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END; UPDATE a SET b = 1";
        let found = statements(text);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(found[1].starts_with("CREATE FUNCTION") && found[2].ends_with("END"), "{found:#?}");
    }

    #[test]
    fn what_only_adds_is_additive() {
        let everything = (table("t"), Lock::Everything, Work::Moment, Change::Additive);
        assert_eq!(of("ALTER TABLE t ADD COLUMN a TEXT")[0], everything);
        assert_eq!(of("ALTER TABLE t ADD COLUMN a BIGINT NOT NULL DEFAULT 0"), [everything]);
        assert_eq!(of("CREATE INDEX i ON t (a)"), [(table("t"), Lock::Writes, Work::Scan, Change::Additive)]);
        assert_eq!(of("UPDATE t SET a = 1"), [(table("t"), Lock::Rows, Work::Update, Change::Additive)]);
        assert_eq!(
            of("ALTER TABLE t SET (fillfactor = 50)"),
            [(table("t"), Lock::Nothing, Work::Moment, Change::Additive)]
        );
    }

    #[test]
    fn a_table_of_the_same_migration_is_nobodys_yet() {
        let steps = of("CREATE TABLE n (a TEXT); CREATE UNIQUE INDEX i ON n (a); DROP TABLE n");
        assert!(steps.iter().all(|step| *step == (None, Lock::Nothing, Work::Moment, Change::Additive)), "{steps:?}");
    }

    #[test]
    fn what_takes_or_demands_something_is_contracting_and_so_is_what_is_not_known() {
        for text in [
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE t ADD COLUMN a TEXT, DROP COLUMN b",
            "ALTER TABLE t RENAME COLUMN a TO b",
            "ALTER TABLE t ADD COLUMN a TEXT NOT NULL",
            "ALTER TABLE t ADD COLUMN id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            "ALTER TABLE t ALTER a TYPE TEXT",
            "ALTER TABLE t ADD CHECK (a > 0)",
            "CREATE UNIQUE INDEX i ON t (a)",
            "DROP TABLE t",
            "DELETE FROM t",
            "REINDEX TABLE t",
        ] {
            assert_eq!(of(text)[0].3, Change::Contracting, "{text}");
        }
    }

    #[test]
    fn an_index_may_go_unless_it_holds_what_is_unique() {
        let mut schema = Schema::default();
        schema.steps("CREATE TABLE t (a TEXT); CREATE UNIQUE INDEX u ON t (a); CREATE INDEX i ON t (a)");
        let steps = schema.steps("DROP INDEX i; DROP INDEX u");
        assert_eq!([steps[0].change, steps[1].change], [Change::Additive, Change::Contracting]);
    }
}
