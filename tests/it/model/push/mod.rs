//! The rules that keep two workers from harming each other, model-checked: the lease with its token and the time for which
//! its holder trusts it, the switch's lock, the journal, commit confirmed with its timer, and what is tried again. Every
//! interleaving of two workers, of kills, pauses, lost sessions, lost answers, and times that run out is walked through.
//!
//! The model is the push of `src/switch/transaction.rs` and the leases, the journal and the settlement of `src/store`, for
//! one binding on one switch, one step for each thing that can be interrupted. A worker that makes no step is paused. `state` is
//! what there is, `model` what can happen and what must hold; each rule can be broken, and a test shows that each is needed.

mod model;
mod state;
