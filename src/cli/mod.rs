//! The command line and the composition root: the only part that sees all the others.
//!
//! `args` is the command line as types; each verb has its file; `open` puts store and broker together;
//! `fault` decides the exit code; `output` prints data, as text or as JSON; `look` is how the text looks.

mod absent;
mod adopt;
mod args;
mod ask;
mod asked;
mod audit;
mod backup;
mod backups;
mod bound;
mod check;
mod dead_letters;
mod demo;
mod descriptors;
mod dry_run;
mod fault;
mod files;
mod freeze;
mod hint;
mod inventory;
mod list;
mod look;
mod macs;
mod open;
mod output;
mod pools;
mod process;
mod progress;
mod rehearse;
mod request;
mod reserve;
mod restore;
mod serve;
mod shell;
mod show;
mod sim;
mod spool;
mod subnet;
mod suggest;
mod survey;
mod switches;
mod vitals;
mod waiting;
mod watch;

use std::process::ExitCode;

use clap::FromArgMatches;

use args::{Cli, Verb};
use fault::Fault;
use open::{Session, Stores};
use output::Output;

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
    Interrupted(process::Signal),
}

/// Runs the verb, and closes what it opened: also where it fails, and where a signal ends it.
async fn run_to_end(cli: Cli) -> End {
    let stores = Stores::default();
    let may_interrupt = !handles_signals(&cli.verb);
    let end = tokio::select! {
        result = run(cli, &stores) => End::Done(result),
        signal = process::interrupted(), if may_interrupt => End::Interrupted(signal),
    };
    stores.close().await;
    end
}

/// Whether the verb ends in its own way when it is told to.
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

async fn run(cli: Cli, stores: &Stores) -> Result<(), Fault> {
    let output = Output::new(cli.json, cli.color);
    // The service reads its settings first: they say where its traces go.
    if !matches!(cli.verb, Verb::Serve) {
        telemetry::start_logs();
    }
    let session = || Session::load(cli.config.as_deref(), stores);
    match cli.verb {
        Verb::Demo(args) => demo::run(args).await,
        Verb::Sim(args) => sim::run(args, cli.config).await,
        Verb::Serve => serve::run(session()?).await,
        Verb::Create(args) => request::create(session()?, output, args).await,
        Verb::Move(args) => request::take(session()?, output, args).await,
        Verb::Rotate(args) => request::rotate(session()?, output, args).await,
        Verb::Revoke(args) => request::revoke(session()?, output, args).await,
        Verb::List(args) => list::run(session()?, output, args).await,
        Verb::Show(args) => show::run(session()?, output, &args).await,
        Verb::Reserve(args) => reserve::reserve(session()?, output, args).await,
        Verb::Release(args) => reserve::release(session()?, output, args).await,
        Verb::Reservations => reserve::list(session()?, output).await,
        Verb::Pools => pools::run(session()?, output).await,
        Verb::Macs(verb) => macs::run(session()?, output, verb).await,
        Verb::DeadLetters(verb) => dead_letters::run(session()?, output, verb).await,
        Verb::Inventory(verb) => inventory::run(session()?, output, verb).await,
        Verb::Switches(verb) => switches::run(session()?, output, verb).await,
        Verb::Backups(verb) => backups::run(session()?, output, verb).await,
        Verb::Audit(args) => audit::run(session()?, output, args).await,
        Verb::Freeze(args) => freeze::freeze(session()?, output, args).await,
        Verb::Thaw(args) => freeze::thaw(session()?, output, args).await,
        Verb::Freezes => freeze::list(session()?, output).await,
        Verb::Adopt(args) => adopt::run(session()?, output, args).await,
        Verb::Migrate => session()?.migrate(output).await,
        Verb::Backup(args) => backup::run(session()?, output, args).await,
        Verb::Config { example: true } => shell::example(),
        Verb::Config { example: false } => session()?.print(output),
        Verb::Completions { shell } => shell::completions(shell),
        Verb::Man { folder } => shell::man(&folder),
    }
}
