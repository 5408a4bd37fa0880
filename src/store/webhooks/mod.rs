//! Webhooks and their deliveries: each event, queued for each webhook that wants it.
//!
//! A trigger on `events` queues (migration 0029), in the transaction that writes the event: nothing is lost whoever writes it,
//! and without a webhook it does nothing. `registry` has the webhooks, `claim` hands deliveries out in the order of each address,
//! `outcome` notes what came of them, `deliveries` lists and replays them.

pub(super) mod claim;
pub(super) mod deliveries;
pub(super) mod outcome;
pub(super) mod registry;
pub(super) mod row;
