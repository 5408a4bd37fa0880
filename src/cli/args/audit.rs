//! `vmacd audit`

use clap::Args;

use super::examples::examples;
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
    /// Have the workers repair vmacd's own bindings; other bindings are never changed
    #[arg(long)]
    pub fix: bool,
    /// Do not ask for confirmation
    #[arg(long, requires = "fix")]
    pub yes: bool,
}
