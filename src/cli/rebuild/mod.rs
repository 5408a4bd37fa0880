//! `vmacd rebuild`: after the database was restored from a backup, or lost, the switches and the archive of commands bring
//! back what it lacks.
//!
//! Each step can be repeated: a freeze that is there stays, what was adopted is ours, what was admitted is known.

mod lost;
mod report;
mod steps;
mod unknown;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::RebuildArgs;
use crate::cli::fault::Fault;
use crate::cli::times::time_ago;
use crate::cli::ui::confirm;
use crate::cli::ui::output::Output;
use crate::store::Store;
use steps::{Rebuild, running};

/// Runs the steps and prints the report; what is left for people to decide ends in a fault.
pub async fn run(env: AppEnv, output: Output, args: RebuildArgs) -> Result<(), Fault> {
    let store = env.store().await?;
    let since = time_ago("--since", &args.since, store.now().await?)?;
    if env.settings.amqp.url.is_empty() {
        let fault = Fault::input("the embedded queue keeps no archive");
        return Err(fault.with_hint(
            "restore its newest copy, then follow \"The database was restored from a backup\" in docs/OPERATING.md",
        ));
    }
    check_reach(&env, &store, since).await?;
    if !args.dry_run {
        check_nobody_works(&store).await?;
        let question =
            format!("Freeze all sites, and bring back what the database lacks since {}?", since.to_rfc3339());
        confirm::require(args.yes, question, "--yes does it without asking, --dry-run shows what would be done")
            .await?;
    }
    if !args.dry_run {
        note(&store, "rebuild", "", json!({"since": since})).await?;
    }
    let rebuild = Rebuild { env: &env, store: &store, output, since, dry_run: args.dry_run, thaw: args.thaw };
    let report = rebuild.run().await?;
    output.print(&report.document()?)?;
    if report.has_problems() {
        let text = "there are differences that nobody but you can decide about; the report lists them";
        return Err(Fault::service(anyhow::Error::msg(text)));
    }
    Ok(())
}

/// Commands that were removed for their age are not recognised: the archive's copies would come in as new ones.
async fn check_reach(env: &AppEnv, store: &Store, since: DateTime<Utc>) -> Result<(), Fault> {
    let days = env.settings.retention.commands_days;
    let removed_before = store.now().await? - TimeDelta::days(i64::from(days));
    if days == 0 || since > removed_before || store.intake().newest_command_at().await?.is_none() {
        return Ok(());
    }
    let fault = Fault::input(format!("--since is further back than {days} days, for which commands are kept"));
    Err(fault.with_hint("give a time a little before the backup was made; retention.commands_days is the limit"))
}

/// Workers would admit messages beside it.
async fn check_nobody_works(store: &Store) -> Result<(), Fault> {
    let workers = running(store).await?;
    if workers.is_empty() {
        return Ok(());
    }
    let fault = Fault::input(format!("workers are running: {}", workers.join(", ")));
    Err(fault.with_hint(
        "stop them all first (`systemctl stop vmacd` on every host); one that died counts as running for 20 s",
    ))
}
