//! `vmacd tokens ...` and `vmacd audit-log ...`

use clap::{Args, Subcommand};

use super::examples::examples;
use crate::domain::{Role, TokenName};

/// `vmacd tokens ...`
#[derive(Debug, Subcommand)]
pub enum TokensVerb {
    /// Make a token with a name and a role; its secret is printed once
    #[command(after_help = examples![
        "vmacd tokens create billing --role producer",
        "vmacd tokens create ops-1 --role operator --expires 90d",
    ])]
    Create {
        /// The name that the log and `requested_by` show; never given twice
        name: TokenName,
        /// viewer reads, producer orders, operator also replays, freezes and changes the inventory, admin also makes tokens
        #[arg(long)]
        role: Role,
        /// When it expires: a time (RFC 3339), or a span from now (90d) [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// List the tokens, revoked ones too
    #[command(after_help = examples!["vmacd tokens list", "vmacd tokens list --json"])]
    List,
    /// Give a token another secret; the one before is refused from now on
    #[command(after_help = examples!["vmacd tokens rotate billing"])]
    Rotate {
        /// Its name
        name: TokenName,
    },
    /// Revoke a token: it is refused from now on, and logins with it end
    #[command(after_help = examples!["vmacd tokens revoke billing"])]
    Revoke {
        /// Its name
        name: TokenName,
    },
}

/// `vmacd audit-log ...`
#[derive(Debug, Subcommand)]
pub enum AuditLogVerb {
    /// List who changed what, the newest first
    #[command(after_help = examples![
        "vmacd audit-log list",
        "vmacd audit-log list --who ops-1 --action freeze",
        "vmacd audit-log list --json > log.json",
    ])]
    List(AuditLogArgs),
    /// Check that no entry was changed or removed
    #[command(after_help = examples!["vmacd audit-log verify"])]
    Verify,
}

/// `vmacd audit-log list`
#[derive(Debug, Args)]
pub struct AuditLogArgs {
    /// Only entries of this token or person
    #[arg(long, value_name = "NAME")]
    pub who: Option<String>,
    /// Only entries with this action
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
}
