//! Why the simulator cannot start.

use std::path::PathBuf;

/// What goes wrong around the simulated switches (what goes wrong on them is [`super::FaultKind`]).
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A fault's text cannot be read.
    #[error("unknown fault {text:?}: give a name, name@3, name@3+ or name%0.1")]
    Fault {
        /// What was given.
        text: String,
    },
    /// The configuration to start from cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    ReadConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration to start from is not one.
    #[error("{origin}:{line}:{column}: {message} at {bad_element:?}")]
    Config {
        /// The file, or what else it came from.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// The column in it, from 1.
        column: usize,
        /// The switch's word for it.
        message: String,
        /// The statement at fault.
        bad_element: String,
    },
    /// More switches or ports than the address plan has room for.
    #[error("{switches} switches with {ports} ports each: the address plan has room for 1024 switches of 254 ports")]
    Size {
        /// The switches asked for.
        switches: usize,
        /// The ports of each.
        ports: usize,
    },
    /// More bindings than the ports have addresses.
    #[error("{bindings} bindings on {ports} ports: each port has 253 addresses for them")]
    Bindings {
        /// The bindings asked for.
        bindings: usize,
        /// The ports.
        ports: usize,
    },
    /// A port cannot be listened on.
    #[error("switch {switch} cannot listen on {address}")]
    Listen {
        /// The switch's name.
        switch: String,
        /// Where it should have listened.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The control socket cannot be listened on.
    #[error("cannot listen on the control socket {path}")]
    Control {
        /// Its file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The inventory file cannot be written.
    #[error("cannot write the inventory {}", path.display())]
    WriteInventory {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}
