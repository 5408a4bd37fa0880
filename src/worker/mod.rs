//! The worker: takes messages in, brings the switches to what the rows desire, settles the messages.
//!
//! Start reading here. One message travels like this:
//! - [`intake`] takes a batch of deliveries, reads the commands and has the store admit them in one
//!   transaction; what needs a switch is held in [`waiting`] and the switches' lanes are poked.
//! - [`lane`] is one task per switch. It takes the lease, pushes everything that waits for the switch,
//!   whichever worker took it in ([`push`]), and has the store write the results.
//! - [`settle`] is the only place that acknowledges, retries or dead-letters a message.
//! - [`traces`] are the spans of all that, for whoever traces.
//! - [`sweep`] drives again what no message drives, [`outbox`] publishes the events, [`collect`] moves
//!   dead letters into the database.
//! - [`freezes`] goes on when a site is thawed, [`stop`] freezes one by itself when its commits go wrong.
//! - [`drift`] looks slowly at what the switches hold, and tells or mends what is no longer as it was pushed.
//! - [`restore`] brings a whole configuration back when an operator asks for it, under the same lease; [`mod@dry_run`] shows
//!   under it what commands would change. Both come by a [`visit`].
//!
//! Laws: at most one push per switch at a time, different switches in parallel; a message is
//! acknowledged only after what it asked for stands in the database; a worker whose lease is gone
//! writes nothing and commits nothing.

mod arrivals;
mod call_off;
mod collect;
mod context;
mod drift;
mod dry_run;
mod freezes;
mod intake;
mod lane;
mod lanes;
mod lease;
mod outbox;
mod push;
mod restore;
mod retry;
mod run;
mod session;
mod settle;
mod slots;
mod stop;
mod survey;
mod sweep;
mod traces;
mod turnstile;
mod visit;
mod waiting;

pub use context::Parts;
pub use dry_run::{DryRun, dry_run};
pub use restore::{Disagreement, RestorePreview, Restorer};
pub use run::{Worker, WorkerError};
pub use session::{credential, timeouts};
pub use survey::survey;

use crate::domain::chain;
