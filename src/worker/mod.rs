//! The worker: admits messages, brings the switches to what the rows want, and records the results.
//!
//! Start reading here. One command travels like this:
//! - [`intake`] takes a batch of messages, has the store admit them in one transaction, and acknowledges them. From there
//!   on a command exists only in the rows.
//! - [`lanes::dispatcher`] claims the switches that are due and starts a [`lanes::lane`] for each, as many as there are free
//!   slots.
//! - [`push`] brings a switch to what its rows want: everything that is due there goes into one commit.
//! - [`push::save_results`] has the store write what that came to: results, outcomes, events, what is retried and when.
//! - [`outbox`] publishes the events, and [`webhooks`] sends them to webhooks.
//!
//! Beside that: `intake` also retries commands that could not be admitted yet ([`intake::waiting`]) and moves messages that
//! the broker gave up on into the database ([`intake::dead_queue`]); what a database has lost it reads again from the archive
//! ([`intake::reread`]). [`switches`] has what the worker holds of a switch: leases, idle
//! sessions, what is known of its configuration. [`checks`] reads the switches slowly for drift, and asks whether bindings are
//! in force. [`retention`] removes old rows. [`auto_freeze`] freezes a site when its commits go wrong. [`operator`] is what an operator asks of a switch
//! directly: restore, dry run, survey. [`run`] starts and stops all this, [`supervision`] keeps the tasks running and says how
//! they are, [`traces`] are the spans.
//!
//! Laws: at most one push per switch at a time, different switches in parallel; a message is acknowledged once its
//! command is durable; a worker whose lease is gone writes nothing and commits nothing.

mod auto_freeze;
mod checks;
mod context;
mod intake;
mod lanes;
mod operator;
mod outbox;
mod push;
mod retention;
mod run;
mod slots;
mod supervision;
mod switches;
mod traces;
mod webhooks;

pub use context::{WorkerParts, host_name};
pub use intake::reread::Rereading;
pub use intake::reread::extent::{AdmitLost, Extent, RereadError, RereadReport};
pub use operator::dry_run::{DryRun, dry_run};
pub use operator::restore::{Disagreement, RestorePreview, Restorer};
pub use operator::survey::survey;
pub use run::Worker;
pub use supervision::supervise::{Supervisor, TaskState, WorkerError};
pub use supervision::task_health::TaskName;
pub use switches::connect::{credential, timeouts};
