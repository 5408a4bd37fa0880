//! Replaces the queues of the earlier version, whose arguments cannot be changed, without losing a message while producers
//! publish.
//!
//! What there is at the broker says what is to be done next, so that whoever comes after a crash goes on from there:
//!
//! | the queue is | `.moving` exists | what is done |
//! |---|---|---|
//! | the earlier version's | no | wait until nobody consumes it, then declare and bind `.moving` |
//! | the earlier version's | yes | unbind it; read the retry queues to their end and delete them; read the queue to its end and delete it; declare and bind it anew |
//! | this version's | yes | unbind `.moving`, read it to its end, delete it |
//! | this version's | no | nothing |
//!
//! One worker does this, the one that holds the lock; others wait. (Quorum queues ignore the flag `exclusive` of a
//! consumer; tried with RabbitMQ 3.10.8.) While both queues are bound, what is published is in both and comes twice. That is
//! harmless for a message that has an id or says when it was issued: it is the same command.

use std::time::Duration;

use super::control::is_denied;
use super::declare::{Declared, declare_moving, declare_queue, routing_key};
use super::reader::Reader;
use crate::broker::error::BrokerError;
use crate::broker::topology::{QueueKind, Topology};
use crate::domain::chain;

/// Time between two tries to begin.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// Returns once the queue is this version's and the earlier one's are gone; what was in them was handed on meanwhile.
pub(super) async fn replace_former_queue(reader: &Reader<'_>, topology: &Topology) -> Result<(), String> {
    let mover = Mover { reader, topology, kind: reader.kind, queue: topology.queue(reader.kind) };
    let is_there = |error: BrokerError| chain(&error);
    if mover.state().await.map_err(is_there)? == State::Replaced {
        return Ok(());
    }
    mover.lock().await?;
    let mut said = false;
    loop {
        match mover.state().await.map_err(is_there)? {
            State::Replaced => return mover.unlock().await,
            State::Finishing => mover.finish().await?,
            State::Former { consumers: 0 } => mover.replace().await?,
            State::Former { .. } => {
                mover.say_once(&mut said, "a worker of an earlier version still consumes; stop it");
                tokio::time::sleep(TRY_EVERY).await;
            }
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The queue is the earlier version's.
    Former { consumers: u32 },
    /// The queue is this version's; what arrived meanwhile is still to be read.
    Finishing,
    /// Nothing is left to do.
    Replaced,
}

struct Mover<'a> {
    reader: &'a Reader<'a>,
    topology: &'a Topology,
    kind: QueueKind,
    queue: String,
}

impl Mover<'_> {
    async fn state(&self) -> Result<State, BrokerError> {
        let control = &self.reader.control;
        if declare_queue(control, self.topology, self.kind).await? == Declared::Formerly {
            let depth = control.depth(&self.queue).await?;
            return Ok(State::Former { consumers: depth.map_or(0, |depth| depth.consumers) });
        }
        let moving = self.topology.moving(self.kind);
        let is_there = match control.depth(&moving).await {
            // Since 4.3 RabbitMQ does not tell a login that may do nothing with a queue whether there is one. Such a login
            // cannot read it either: it is left to one that can.
            Err(error) if is_denied(&error, &[&moving]) => false,
            depth => depth?.is_some(),
        };
        Ok(if is_there { State::Finishing } else { State::Replaced })
    }

    /// Waits until no other worker has the lock. It ends with the connection, so also with a crash.
    async fn lock(&self) -> Result<(), String> {
        let (lock, mut said) = (self.topology.mover(self.kind), false);
        while !self.reader.control.lock(&lock).await.map_err(|error| chain(&error))? {
            self.say_once(&mut said, "another worker is replacing it");
            tokio::time::sleep(TRY_EVERY).await;
        }
        Ok(())
    }

    async fn unlock(&self) -> Result<(), String> {
        tracing::info!(queue = self.queue, "replaced the queue of the earlier version");
        self.reader.control.delete_queue(&self.topology.mover(self.kind)).await.map_err(|error| chain(&error))
    }

    fn say_once(&self, said: &mut bool, why: &str) {
        if !std::mem::replace(said, true) {
            tracing::warn!(queue = self.queue, why, "the queue of the earlier version is not replaced yet; waiting");
        }
    }

    /// From the earlier version's queue to `.moving`.
    async fn replace(&self) -> Result<(), String> {
        tracing::info!(queue = self.queue, "replacing the queue of the earlier version");
        self.redirect().await.map_err(|error| chain(&error))?;
        if self.kind == QueueKind::Commands {
            for retry in self.topology.former_retries() {
                self.empty_retry(&retry).await?;
            }
        }
        self.reader.read_to_end(&self.queue).await?;
        self.reader.control.delete_queue(&self.queue).await.map_err(|error| chain(&error))
    }

    async fn redirect(&self) -> Result<(), BrokerError> {
        declare_moving(&self.reader.control, self.topology, self.kind).await?;
        self.reader.control.unbind(&self.queue, &self.queue, routing_key(self.kind)).await
    }

    /// Reads a retry queue before its delays are over, and deletes it with its exchange.
    async fn empty_retry(&self, retry: &str) -> Result<(), String> {
        let control = &self.reader.control;
        let told = |error: BrokerError| chain(&error);
        control.delete_exchange(retry).await.map_err(told)?;
        if control.depth(retry).await.map_err(told)?.is_some() {
            self.reader.read_to_end(retry).await?;
            control.delete_queue(retry).await.map_err(told)?;
        }
        Ok(())
    }

    /// From `.moving` to this version's queue.
    async fn finish(&self) -> Result<(), String> {
        let (control, moving) = (&self.reader.control, self.topology.moving(self.kind));
        let unbound = control.unbind(&moving, &self.queue, routing_key(self.kind)).await;
        unbound.map_err(|error| chain(&error))?;
        self.reader.read_to_end(&moving).await?;
        control.delete_queue(&moving).await.map_err(|error| chain(&error))
    }
}
