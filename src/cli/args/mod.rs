//! The command line as types: every verb, flag, unit and default. One file for what belongs together.

mod access;
mod adopt;
mod audit;
mod backups;
mod database;
mod dead_letters;
mod examples;
mod freezes;
mod help;
mod inventory;
mod macs;
mod parse;
mod rebuild;
mod sim;
mod verbs;
mod vmac_requests;
mod vmac_views;
mod webhooks;

pub use access::{AuditLogArgs, AuditLogVerb, TokensVerb};
pub use adopt::AdoptArgs;
pub use audit::AuditArgs;
pub use backups::{BackupsVerb, RestoreArgs};
pub use database::{BackupArgs, MigrateArgs};
pub use dead_letters::{DeadLetterChange, DeadLetterSelection, DeadLettersVerb};
pub use freezes::{FreezeArgs, ThawArgs};
pub use help::command;
pub use inventory::{InventoryVerb, RemoveItem, RemoveOptions, SwitchesVerb};
pub use macs::{MacsFormat, MacsVerb, ReleaseArgs, ReserveArgs};
pub use parse::duration;
pub use rebuild::RebuildArgs;
pub use sim::{DemoArgs, SimArgs, SimDialect, SimDuplicates};
pub use verbs::{Cli, ColorWhen, Verb};
pub use vmac_requests::{CreateArgs, MoveArgs, RevokeArgs, RotateArgs, Target};
pub use vmac_views::{HistoryArgs, ListArgs, ShowArgs};
pub use webhooks::{DeliveriesArgs, DeliveryReplayArgs, WebhookAddArgs, WebhookArg, WebhooksVerb};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_said_plainly() {
        for arguments in [
            ["vmacd", "list", "--server", "web1"].as_slice(),
            &["vmacd", "create", "--ip", "10.0.0.1", "--server", "web1"],
            &["vmacd", "dead-letters", "show", "web1"],
            &["vmacd", "dead-letters", "discard", "--id", "1,web1"],
            &["vmacd", "backups", "show", "web1"],
        ] {
            let error = command().try_get_matches_from(arguments).expect_err("refused").to_string();
            assert!(error.contains("'web1'") && error.contains("expected a number"), "{error}");
        }
    }
}
