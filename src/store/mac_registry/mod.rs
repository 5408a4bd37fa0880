//! Which MACs are taken: by rows, by PXE MACs of servers, and by what the table `taken_macs` keeps for later (`reservations`),
//! from before (`former`) and of others (`elsewhere`). `holders` says who has a MAC, `free` finds one that nobody has,
//! `figures` how full each pool is.
//!
//! No unique index spans two tables. So that no MAC is handed out while it is put into `taken_macs`, who writes one there
//! first holds new rows back ([`hold_allocation`]) and then asks who has it; an allocation asks in the statement that makes
//! the row, which begins after such a transaction has ended.

mod elsewhere;
mod figures;
mod former;
mod free;
mod hold;
mod holders;
mod reservations;

pub use elsewhere::{ElsewhereConflict, ElsewhereMac, ElsewhereReport};
pub use figures::PoolFigures;
pub(super) use former::former;
pub(super) use free::{exhausted, find_free};
pub(super) use hold::hold_allocation;
pub(super) use holders::{Holder, holders};
pub use reservations::{NewReservation, Reservation, Reserved};
pub(super) use reservations::{reserved_differently, unknown_pool};
