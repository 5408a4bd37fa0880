//! `vmacd sim`: simulated switches on real ports.

use std::path::PathBuf;

use crate::cli::args::{SimArgs, SimDialect, SimDuplicates};
use crate::cli::fault::Fault;
use crate::cli::process::file_limits::raise_file_limit;
use crate::cli::process::signals::shutdown_token;
use crate::sim;

/// Runs until SIGTERM or Ctrl-C.
pub async fn run(args: SimArgs, config: Option<PathBuf>) -> Result<(), Fault> {
    let options = sim::Options {
        switches: args.switches,
        ports_per_switch: args.ports_per_switch,
        port_base: args.port,
        listen: args.listen,
        advertise: args.advertise,
        dialect: match args.dialect {
            SimDialect::NonEls => sim::Dialect::NonEls,
            SimDialect::Els => sim::Dialect::Els,
        },
        commit_time: args.commit_time,
        rpc_time: args.rpc_time,
        read_rate: args.read_rate,
        bindings: args.bindings,
        config_size: args.config_size.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        config,
        user: args.user,
        password: args.password,
        inventory: args.inventory,
        control: args.control,
        seed: args.seed,
        faults: args.fault,
        duplicates: args.duplicates.map(|rule| match rule {
            SimDuplicates::Port => sim::DuplicateScope::Interface,
            SimDuplicates::Vlan => sim::DuplicateScope::Vlan,
            SimDuplicates::Switch => sim::DuplicateScope::Switch,
            SimDuplicates::None => sim::DuplicateScope::Off,
        }),
        rate_limit: args.rate_limit,
        legacy_ssh: args.legacy_ssh,
        ..sim::Options::default()
    };
    let shutdown = shutdown_token()?;
    raise_file_limit();
    Ok(sim::run(options, shutdown.cancelled_owned()).await?)
}
