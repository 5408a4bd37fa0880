//! What is measured, one file each.

mod group;
mod latency;
mod many;
mod pipeline;

use crate::options::Options;
use crate::table::Row;

/// Every scenario, in the order of the table.
pub const NAMES: &[&str] = &["group", "many", "pipeline", "latency"];

/// Runs one of [`NAMES`].
pub async fn run(name: &str, options: &Options) -> Vec<Row> {
    match name {
        "group" => group::run(options).await,
        "many" => many::run(options).await,
        "pipeline" => pipeline::run(options).await,
        "latency" => latency::run(options).await,
        other => panic!("{other}: no such scenario"),
    }
}
