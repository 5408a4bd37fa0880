//! `vmacd audit`

use clap::Args;

use super::examples;
use crate::domain::SwitchName;

/// `vmacd audit`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd audit",
    "vmacd audit --switch sw-a1 --json",
    "vmacd audit --fix              # shows what can be repaired, asks, and has the workers repair it",
])]
pub struct AuditArgs {
    /// Only this switch; may be given more than once [default: all of them]
    #[arg(long, value_name = "NAME")]
    pub switch: Vec<SwitchName>,
    /// Have the workers drive again what is vmacd's; what is somebody else's is never touched
    #[arg(long)]
    pub fix: bool,
    /// Do not ask
    #[arg(long, requires = "fix")]
    pub yes: bool,
}
