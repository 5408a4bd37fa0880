//! The worker: takes messages in, brings the switches to what the rows desire, settles the messages.
//!
//! Start reading here. One command travels like this:
//! - [`intake`] takes a batch of messages, has the store admit them in one transaction, and acknowledges them. From there
//!   on nothing but the rows stands for a command.
//! - [`dispatcher`] claims the switches that are due and starts a [`lane`] for each, as many as there are free slots.
//! - [`push`] brings a switch to what its rows want: everything that is due there goes into one commit.
//! - [`settle`] has the store write what that came to: results, outcomes, events, what is tried again and when.
//! - [`outbox`] publishes the events.
//!
//! Beside that: [`waiting`] tries commands again that could not be admitted yet, [`lease`] keeps the leases in hand,
//! [`session`] the idle sessions, [`run`] starts and stops all this, [`supervise`] keeps the tasks running ([`task_health`]
//! is how each is), [`collect`] moves what the broker gave up into the database, [`stop`] freezes a site by
//! itself when its commits go wrong, [`drift`] looks slowly at what the switches hold, [`in_force`] asks them whether it is in force, [`presence`] writes that the worker runs ([`outages`]: what it misses), and [`traces`] are the spans of all
//! that. [`restore`] brings a whole configuration back when an operator asks for it; [`mod@dry_run`] shows what commands
//! would change. Both come by a [`visit`].
//!
//! Laws: at most one push per switch at a time, different switches in parallel; a message is acknowledged once its
//! command is durable; a worker whose lease is gone writes nothing and commits nothing.

mod arrivals;
mod call_off;
mod collect;
mod context;
mod dispatcher;
mod drift;
mod dry_run;
mod in_force;
mod intake;
mod lane;
mod lease;
mod memory;
mod outages;
mod outbox;
mod presence;
mod push;
mod restore;
mod run;
mod session;
mod settle;
mod slots;
mod stop;
mod supervise;
mod survey;
mod task_health;
mod traces;
mod turnstile;
mod visit;
mod waiting;

pub use context::Parts;
pub use dry_run::{DryRun, dry_run};
pub use outages::Outages;
pub use restore::{Disagreement, RestorePreview, Restorer};
pub use run::{Worker, WorkerError};
pub use session::{credential, timeouts};
pub use supervise::{Supervisor, TaskFailed, TaskName, TaskState};
pub use survey::survey;
pub use task_health::Beat;

use crate::domain::chain;
