//! The switch client against simulated switches, over real SSH: what a push does, and what it does not.

mod address_elsewhere;
pub mod bench;
mod early;
mod interrupted;
mod ipv6;
mod known;
mod opening;
mod openssh;
mod others;
mod previewing;
mod pushing;
mod refusals;
mod restoring;
mod stages;
