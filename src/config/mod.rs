//! Settings: one typed value, read once at start, validated against one another.
//!
//! Sources, later ones win: the defaults in `settings`, the file (`--config` or `VMACD_CONFIG`, else
//! `vmacd.toml` in this folder, else `/etc/vmacd/vmacd.toml`), the environment (`VMACD_<SECTION>_<KEY>`; `..._FILE` names a
//! file that holds the value, for secrets). `origins` remembers which of them set what.
//!
//! `settings` is where a setting is added: name, default, range and meaning stand there once, and `document` tells them.

mod document;
mod hook_checks;
mod hook_settings;
mod load;
mod origins;
mod pools;
mod retention_settings;
mod secret;
mod section;
mod settings;
mod signed_parts;
mod validate;
mod variables;

pub use crate::domain::ServiceUrl;
pub use document::{example, tables, variables};
pub use hook_settings::{HookFields, HookSettings, SecretEncoding};
pub use load::{ConfigError, load};
pub use origins::Origins;
pub use retention_settings::RetentionSettings;
pub use secret::Secret;
pub use section::Range;
pub use settings::{
    AmqpSettings, DatabaseSettings, HttpSettings, Migrate, Pooler, RetrySettings, Settings, SshSettings,
    TelemetrySettings, WebhookSettings, WorkerSettings,
};
pub use signed_parts::SignedPart;
pub use variables::OF_TESTS;
