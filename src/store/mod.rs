//! The rows: Postgres where they are shared, SQLite as the embedded default, one SQL text for both.
//!
//! A folder for each thing the rows are about:
//! - `admit` admits commands, `commands` has those that were admitted, `events` their outbox, `dead_letters` what failed;
//! - `vmacs` and `mac_registry` (MACs that no row has) are the addresses, `inventory` the switches and servers;
//! - `work` says what waits for a switch and who holds its lease, `pushes` has the journal and records the results of a push,
//!   `backups` the configurations from before it; `freezes` holds pushes back, `checks` keeps what drift checks found;
//! - `access` has the tokens and the log of who changed what;
//! - `webhooks` has where events are sent to, and each on its way there;
//! - `retention` removes what is old;
//! - `queue` is the embedded queue; `workers`, `counts` and `page_sessions` are what their names say.
//!
//! Callers use [`Store`] by its parts, such as [`Store::leases`] and [`Store::pushes`] (`parts`), each with the methods of its
//! folder.
//!
//! `database` hides which database it is; `connect` opens it; `maintenance` brings its tables up to date, copies and closes it.
//!
//! Guarantees: one transaction per call; a constant number of statements per group, whatever its size (in admission as many
//! times as one address comes in the group); the unique indexes decide about MACs and addresses; writes of a push's results
//! need the current lease.

mod access;
mod admit;
mod backups;
mod checks;
mod commands;
mod connect;
mod counts;
mod database;
mod dead_letters;
mod events;
mod freezes;
mod inventory;
mod mac_registry;
mod maintenance;
mod page_sessions;
mod parts;
mod pushes;
mod queue;
mod retention;
mod vmacs;
mod webhooks;
mod work;
mod workers;

pub use access::audit_log::{CheckedLog, LogFilter};
pub use access::secret::TokenSecret;
pub use access::tokens::{NewToken, Token};
pub use admit::fence::Fence;
pub use admit::{Admission, Incoming, IntakeBatch, Rehearsal};
pub use backups::Backup;
pub use backups::seal::BackupKey;
pub use checks::drift::{CheckDue, CheckEnd, CheckPace, DriftFindings};
pub use checks::in_force::{InForceNews, ShownInForce};
pub use commands::CommandRecord;
pub use commands::outcome::{CommandOutcome, Outcome};
pub use commands::reread::{KnownMessages, WithoutId};
pub use commands::row::CommandRow;
pub use commands::waiting::WaitingCommand;
pub use connect::{Store, StoreOptions};
pub use counts::{Counts, Listed};
pub use database::error::StoreError;
pub use dead_letters::keep::DeadLetter;
pub use dead_letters::{DeadLetterCause, DeadLetterFilter, DeadLetterRow, FullDeadLetter};
pub use events::body::{DRIFT_KEY, EventBody, IN_FORCE_KEY, WAITING_KEY};
pub use events::outbox::{Event, EventClaim};
pub use inventory::KnownSwitch;
pub use inventory::import::ImportReport;
pub use inventory::overview::{NextChange, SwitchOverview};
pub use inventory::remove::{InventoryNeeds, InventoryRemoval};
pub use mac_registry::{
    ElsewhereConflict, ElsewhereMac, ElsewhereReport, NewReservation, PoolFigures, Reservation, Reserved,
};
pub use maintenance::copy::DatabaseCopy;
pub use maintenance::migrations::Change;
pub use maintenance::plan::{MigrationPlan, PlannedMigration, PlannedStep};
pub use maintenance::statements::Lock;
pub use page_sessions::{PageSession, SessionLimits};
pub use parts::{
    AuditLog, Backups, Checks, Commands, DeadLetters, Events, Freezes, Intake, InventoryStore, Leases, MacRegistry,
    PageSessions, Pushes, Queue, Retention, Statistics, Switches, Tokens, Vmacs, Webhooks, Work, Workers,
};
pub use pushes::open_and_send::{OpenedPush, PushBefore, SentPush, SiteLimits};
pub use pushes::record::{Finished, GatheredRow, PushResults, RecordedPush};
pub use pushes::{PushRecord, PushRow, PushState};
pub use queue::{ClaimLimit, ClaimedMessages, NewQueueMessage, QueueClaim, QueueMessage};
pub use retention::figures::TableFigures;
pub use retention::{RetentionBatch, RetentionWindows};
pub use vmacs::filter::VmacFilter;
pub use vmacs::history::{AddressHolder, AskedBy, HeldPort, HolderChange};
pub use vmacs::recognise::Recognised;
pub use vmacs::{TimelineEntry, Vmac, VmacPage};
pub use webhooks::claim::ClaimedDelivery;
pub use webhooks::deliveries::{Delivery, DeliveryFilter};
pub use webhooks::outcome::DeliveryEnd;
pub use webhooks::registry::{NewWebhook, WebhookOverview};
pub use webhooks::row::Webhook;
pub use work::due::Due;
pub use work::item::{WorkItem, WorkPort};
pub use work::leases::{Lease, Renewed, Trouble};
pub use workers::{RowWait, SwitchTrouble, SwitchTroubles};
