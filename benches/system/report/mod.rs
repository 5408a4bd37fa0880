//! From figures to the table of docs/BENCHMARKS.md.

pub mod document;
pub mod stats;
pub mod table;
