//! The rows: Postgres where they are shared, SQLite as the embedded default, one SQL text for both.
//!
//! By aggregate: `admit` takes commands in, `work` says what waits for a switch, `settle` writes what a push
//! came to; `leases`, `pushes` and `backups` serve the push; `freezes` and `site_pushes` hold it back; `workers` says who
//! runs; `commands`, `vmacs`,
//! `outbox`, `dead_letters` (`collect` keeps new ones), `adopt`, `inventory`, `taken` (MACs that no row has) and `queue` are
//! what their names say. `engine` and `tx` hide which database it is; `tables` brings its tables up to date, `copy`
//! and `close` are for SQLite's files.
//!
//! Guarantees: one transaction per call; a constant number of statements per group, whatever its size (in admission as many
//! times as one address comes in the group); the unique indexes decide about MACs and addresses; writes of a push's results
//! need the current lease.

mod admit;
mod adopt;
mod backups;
mod bury;
mod clock;
mod close;
mod collect;
mod commands;
mod connect;
mod copy;
mod counts;
mod dead_letters;
mod drift;
mod due;
mod engine;
mod error;
mod event_body;
mod freezes;
mod import;
mod in_force;
mod inbox;
mod inventory;
mod journal;
mod leases;
mod migrations;
mod outbox;
mod overview;
mod ownership;
mod page_sessions;
mod ports;
mod private_files;
mod pushes;
mod queue;
mod refusal;
mod seal;
mod settle;
mod site_pushes;
mod tables;
mod taken;
mod turns;
mod tx;
mod vault;
mod vmac_conditions;
mod vmacs;
mod waiting;
mod work;
mod work_item;
mod workers;

pub use admit::{Admission, Incoming, IntakeBatch, Rehearsal};
pub use backups::Backup;
pub use collect::DeadLetter;
pub use commands::{CommandOutcome, OpenCommand, Outcome};
pub use connect::{Store, StoreOptions};
pub use copy::DatabaseCopy;
pub use counts::{Counts, Listed};
pub use dead_letters::{DeadLetterCause, DeadLetterFilter, DeadLetterRow, FullDeadLetter};
pub use drift::{LookDue, LookEnd, Pace, Settlement};
pub use due::Due;
pub use error::StoreError;
pub use event_body::{DRIFT_KEY, EventBody, IN_FORCE_KEY, WAITING_KEY};
pub use import::ImportReport;
pub use in_force::{InForceNews, ShownInForce};
pub use inbox::CommandRecord;
pub use inventory::KnownSwitch;
pub use journal::{OpenedPush, PushBefore, SentPush, SiteLimits};
pub use leases::{Lease, Renewed, Trouble};
pub use outbox::Event;
pub use overview::{SwitchOverview, Waits};
pub use page_sessions::SessionLimits;
pub use pushes::{PushRecord, PushRow, PushState};
pub use queue::{ClaimLimit, ClaimedMessages, NewQueueMessage, QueueClaim, QueueMessage};
pub use seal::BackupKey;
pub use settle::{Finished, GatheredRow, PushResults, Settled};
pub use taken::{ElsewhereConflict, ElsewhereMac, ElsewhereReport, NewReservation, PoolFigures, Reservation, Reserved};
pub use turns::Fence;
pub use vmacs::{TimelineEntry, Vmac, VmacFilter, VmacPage};
pub use waiting::WaitingCommand;
pub use work_item::{WorkItem, WorkPort};
pub use workers::{RowWait, SwitchTrouble, SwitchTroubles};
