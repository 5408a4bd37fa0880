//! What integration tests stand on: servers, databases, the real binary, a proxy that breaks, and waiting.
//!
//! Servers are started by `tests/servers`, the one home of those recipes. The shared pair is up before the tests
//! run (`tests/run`, or `eval "$(tests/servers up)"` for plain `cargo nextest run`): nextest gives every test a
//! process, so tests share servers through the environment. A test isolates itself by its own broker namespace and
//! its own database.
#![allow(dead_code, unused_imports, reason = "not every helper is used at all times")]

pub mod browser;
pub mod certificates;
pub mod cluster;
pub mod collector;
pub mod drawn;
pub mod eager;
mod eventually;
pub mod http;
mod memory_group;
pub mod pair;
pub mod ports;
pub mod postgres;
pub mod proxy;
pub mod rabbit;
mod run_dir;
mod servers;
mod skewed_clock;
pub mod sshd;
pub mod table;
mod tiny_disk;
pub mod vmacd;

pub use eventually::{eventually, eventually_within, patience};
pub use memory_group::MemoryGroup;
pub use ports::free_port;
pub use proxy::Proxy;
pub use rabbit::Rabbit;
pub use run_dir::{duplicates, is_long, number, run_dir, size, unique};
pub use skewed_clock::SkewedClock;
pub use tiny_disk::TinyDisk;
