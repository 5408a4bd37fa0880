//! `vmacd migrate`: the tables brought up to date, or what that would do.

use std::fmt::Write as _;

use crate::cli::app_env::AppEnv;
use crate::cli::args::MigrateArgs;
use crate::cli::fault::Fault;
use crate::cli::ui::output::Output;
use crate::store::{Change, Lock, MigrationPlan, PlannedMigration, PlannedStep};

pub async fn run(env: AppEnv, output: Output, args: &MigrateArgs) -> Result<(), Fault> {
    let url = env.settings.database.url.to_string();
    if args.plan {
        let plan = env.database().await?.migration_plan().await?;
        return output.item(&plan, || format!("{url}: {}", text(&plan)));
    }
    env.migrated().await?;
    output.item(&serde_json::json!({"migrated": url}), || format!("{url}: tables are up to date"))
}

fn text(plan: &MigrationPlan) -> String {
    let Some(found) = plan.found else {
        return format!("no tables yet; `vmacd migrate` creates them (version {})", plan.wanted);
    };
    if plan.migrations.is_empty() {
        return match plan.newer {
            true => format!("the tables (version {found}) are newer, and this version works with them; nothing to do"),
            false => format!("tables are up to date (version {found}); nothing to do"),
        };
    }
    let workers = match plan.workers_go_on {
        true => "Workers that are running go on: migrate first, then replace them one after another.",
        false => "Stop all workers first: those that are running cannot go on.",
    };
    let mut text = format!("from version {found} to {}. {workers}", plan.wanted);
    plan.migrations.iter().for_each(|migration| add(&mut text, migration));
    text
}

fn add(text: &mut String, migration: &PlannedMigration) {
    let change = match (migration.change, migration.why) {
        (Change::Additive, _) => "additive".to_owned(),
        (Change::Contracting, why) => format!("contracting: {}", why.unwrap_or_default()),
    };
    let _ = write!(text, "\n\n{} ({change})", migration.name);
    if migration.steps.is_empty() {
        text.push_str("\n  new tables only; nothing is locked");
    }
    for step in &migration.steps {
        let _ = write!(text, "\n  {}\n    {}", step.statement, consequence(step));
    }
}

fn consequence(step: &PlannedStep) -> String {
    let table = step.table.as_deref().unwrap_or("the database");
    let size = match (step.rows, step.bytes) {
        (Some(rows), Some(bytes)) => format!("{table} ({rows} rows, {} MB)", bytes / 1_000_000),
        _ => table.to_owned(),
    };
    let time = about(step.locked_ms);
    match step.lock {
        Lock::Nothing => format!("{size}: nobody waits"),
        Lock::Rows => format!("{size}: changes of its rows wait {time}"),
        Lock::Writes => format!("{size}: changes wait {time}, reading goes on"),
        Lock::Everything => format!("{size}: everything waits {time}"),
    }
}

fn about(ms: u64) -> String {
    match ms {
        0..1_000 => "less than a second".to_owned(),
        1_000..120_000 => format!("about {} s", ms.div_ceil(1000)),
        _ => format!("about {} min", ms.div_ceil(60_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(change: Change) -> MigrationPlan {
        let step = PlannedStep {
            statement: "CREATE INDEX i ON commands (a)".to_owned(),
            table: Some("commands".to_owned()),
            rows: Some(10_000_000),
            bytes: Some(4_000_000_000),
            lock: Lock::Writes,
            locked_ms: 66_667,
        };
        let why = (change == Change::Contracting).then_some("a column went");
        let name = "0030_more".to_owned();
        let migration = PlannedMigration { version: 30, name, change, why, steps: vec![step] };
        let workers_go_on = change == Change::Additive;
        MigrationPlan { found: Some(29), wanted: 30, newer: false, workers_go_on, migrations: vec![migration] }
    }

    #[test]
    fn a_plan_says_who_may_go_on_and_who_waits_for_how_long() {
        insta::assert_snapshot!(text(&plan(Change::Additive)), @r"
        from version 29 to 30. Workers that are running go on: migrate first, then replace them one after another.

        0030_more (additive)
          CREATE INDEX i ON commands (a)
            commands (10000000 rows, 4000 MB): changes wait about 67 s, reading goes on
        ");
        assert!(text(&plan(Change::Contracting)).contains("Stop all workers first"));
        assert!(text(&plan(Change::Contracting)).contains("0030_more (contracting: a column went)"));
    }

    #[test]
    fn a_plan_without_migrations_says_why_there_is_nothing_to_do() {
        let empty = |newer| MigrationPlan { newer, migrations: Vec::new(), ..plan(Change::Additive) };
        assert!(text(&empty(false)).starts_with("tables are up to date (version 29)"));
        assert!(text(&empty(true)).contains("are newer, and this version works with them"));
    }
}
