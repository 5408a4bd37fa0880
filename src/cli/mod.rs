//! The command line and the composition root: the only part that sees all the others.
//!
//! `args` is the command line as types; each verb has its file, in the room of what it is about: `vmacs`, `macs`, `switches`,
//! `backups`, `inventory`, `access`, `webhooks`, `serve`, `demo`. `app_env` puts settings, store and broker (`amqp`) together; `fault` decides the exit code
//! and says what to do; `times` reads times; `ui` prints.

mod access;
mod amqp;
mod app_env;
mod args;
mod backups;
mod database;
mod dead_letters;
mod demo;
mod fault;
mod generate;
mod import_files;
mod inventory;
mod macs;
mod migrate;
mod process;
mod rebuild;
mod serve;
mod sim;
mod switches;
mod terminal;
mod times;
mod ui;
mod vmacs;
mod webhooks;

use std::process::ExitCode;

use clap::FromArgMatches;

use app_env::{AppEnv, OpenStores};
use args::{Cli, Verb};
use fault::Fault;
use process::signals;
use ui::output::Output;

use crate::telemetry;

/// Parses the command line, runs it, and answers with the exit code: 0 done, 1 the input is at fault,
/// 2 the service or its environment is at fault.
pub fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let json = cli.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Fault::service(error).report(json),
    };
    match runtime.block_on(run_to_end(cli)) {
        End::Interrupted(signal) => {
            // A question at the terminal is left unanswered.
            runtime.shutdown_background();
            signal.exit_code()
        }
        End::Done(result) => {
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
            result.map_or_else(|fault| fault.report(json), |()| ExitCode::SUCCESS)
        }
    }
}

/// How the program came to its end.
enum End {
    Done(Result<(), Fault>),
    Interrupted(signals::Signal),
}

/// Runs the verb, and closes what it opened: also where it fails, and where a signal ends it.
async fn run_to_end(cli: Cli) -> End {
    let stores = OpenStores::default();
    let may_interrupt = !handles_signals(&cli.verb);
    let end = tokio::select! {
        result = run(cli, &stores) => End::Done(result),
        signal = signals::interrupted(), if may_interrupt => End::Interrupted(signal),
    };
    stores.close().await;
    end
}

/// Whether the verb handles signals itself.
fn handles_signals(verb: &Verb) -> bool {
    match verb {
        Verb::Serve | Verb::Demo(_) | Verb::Sim(_) => true,
        Verb::List(args) => args.watch.watch.is_some(),
        Verb::Show(args) => args.watch.watch.is_some(),
        _ => false,
    }
}

fn parse() -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&args::command().try_get_matches()?)
}

async fn run(cli: Cli, stores: &OpenStores) -> Result<(), Fault> {
    let output = Output::new(cli.json, cli.color);
    // The service reads its settings first: they say where its traces go.
    if !matches!(cli.verb, Verb::Serve) {
        telemetry::start_logs();
    }
    let env = || AppEnv::load(cli.config.as_deref(), stores);
    match cli.verb {
        Verb::Demo(args) => demo::run(args).await,
        Verb::Sim(args) => sim::run(args, cli.config).await,
        Verb::Serve => serve::run(env()?).await,
        Verb::Create(args) => vmacs::request::create(env()?, output, args).await,
        Verb::Move(args) => vmacs::request::move_address(env()?, output, args).await,
        Verb::Rotate(args) => vmacs::request::rotate(env()?, output, args).await,
        Verb::Revoke(args) => vmacs::request::revoke(env()?, output, args).await,
        Verb::List(args) => vmacs::list::run(env()?, output, args).await,
        Verb::Show(args) => vmacs::show::run(env()?, output, &args).await,
        Verb::History(args) => vmacs::history::run(env()?, output, args).await,
        Verb::Reserve(args) => macs::reservations::reserve(env()?, output, args).await,
        Verb::Release(args) => macs::reservations::release(env()?, output, args).await,
        Verb::Reservations => macs::reservations::list(env()?, output).await,
        Verb::Pools => macs::pools::run(env()?, output).await,
        Verb::Macs(verb) => macs::import::run(env()?, output, verb).await,
        Verb::DeadLetters(verb) => dead_letters::run(env()?, output, verb).await,
        Verb::Webhooks(verb) => webhooks::run(env()?, output, verb).await,
        Verb::Inventory(verb) => inventory::run(env()?, output, verb).await,
        Verb::Switches(verb) => switches::run(env()?, output, verb).await,
        Verb::Backups(verb) => backups::run(env()?, output, verb).await,
        Verb::Audit(args) => switches::audit::run(env()?, output, args).await,
        Verb::Freeze(args) => switches::freezes::freeze(env()?, output, args).await,
        Verb::Thaw(args) => switches::freezes::thaw(env()?, output, args).await,
        Verb::Freezes => switches::freezes::list(env()?, output).await,
        Verb::Adopt(args) => switches::adopt::run(env()?, output, args).await,
        Verb::Tokens(verb) => access::run_tokens(env()?, output, verb).await,
        Verb::AuditLog(verb) => access::run_audit_log(env()?, output, verb).await,
        Verb::Migrate(args) => migrate::run(env()?, output, &args).await,
        Verb::Rebuild(args) => rebuild::run(env()?, output, args).await,
        Verb::Backup(args) => database::run(env()?, output, args).await,
        Verb::Config { example: true } => generate::example(),
        Verb::Config { example: false } => env()?.print(output),
        Verb::Completions { shell } => generate::completions(shell),
        Verb::Man { folder } => generate::man(&folder),
    }
}
