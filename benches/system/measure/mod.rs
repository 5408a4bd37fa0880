//! What is counted while a scenario runs: time, CPU, the disk, Postgres' work, and a switch's lock.

pub mod counts;
pub mod cpu;
pub mod fsync;
pub mod holds;
pub mod statements;
