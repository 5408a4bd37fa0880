//! Which MACs are taken: by rows, by PXE MACs of servers, and by what the table `taken_macs` keeps for later (`reservations`),
//! from before (`former`) and of others (`elsewhere`). `holders` says who has a MAC, `free` finds one that nobody has,
//! `figures` how full each pool is.
//!
//! No unique index spans two tables. So that no MAC is handed out while it is put into `taken_macs`, whoever writes one
//! there first holds new rows back ([`hold_allocation`]) and then looks who has it; an allocation looks in the statement
//! that makes the row, which begins after such a transaction is over.

mod elsewhere;
mod figures;
mod former;
mod free;
mod holders;
mod reservations;

pub use elsewhere::{ElsewhereConflict, ElsewhereMac, ElsewhereReport};
pub use figures::PoolFigures;
pub(super) use former::former;
pub(super) use free::{exhausted, find_free};
pub(super) use holders::{Holder, holders};
pub use reservations::{NewReservation, Reservation, Reserved};
pub(super) use reservations::{reserved_differently, unknown_pool};

use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;

/// Keeps other transactions from making rows until this one is over, after those that made some are. Reading and locking
/// rows goes on. On SQLite a write transaction is alone anyway.
pub(super) async fn hold_allocation(tx: &mut Tx) -> Result<(), StoreError> {
    tx.on_postgres("hold allocation back", "LOCK TABLE virtual_macs IN SHARE ROW EXCLUSIVE MODE").await
}
