//! What is measured, one file each.

mod backups;
mod before;
mod cost;
mod dead;
mod dead_many;
mod depth;
mod floor;
mod group;
mod growth;
mod latency;
mod many;
mod pipeline;
mod slow;
mod switches;
mod workers;
mod year;
mod year_orders;

use crate::options::Options;
use crate::report::table::Row;

/// Every scenario, in the order of the table.
pub const NAMES: &[&str] = &[
    "group",
    "slow",
    "many",
    "pipeline",
    "floor",
    "latency",
    "cost",
    "before",
    "dead",
    "dead-many",
    "growth",
    "depth",
    "switches",
    "backups",
    "workers",
    "year",
];

/// Runs one of [`NAMES`].
pub async fn run(name: &str, options: &Options) -> Vec<Row> {
    match name {
        "group" => group::run(options).await,
        "slow" => slow::run(options).await,
        "many" => many::run(options).await,
        "pipeline" => pipeline::run(options).await,
        "floor" => floor::run(options).await,
        "latency" => latency::run(options).await,
        "cost" => cost::run(options).await,
        "before" => before::run(options).await,
        "dead" => dead::run(options).await,
        "dead-many" => dead_many::run(options).await,
        "growth" => growth::run(options).await,
        "depth" => depth::run(options).await,
        "switches" => switches::run(options).await,
        "backups" => backups::run(options).await,
        "workers" => workers::run(options).await,
        "year" => year::run(options).await,
        other => panic!("{other}: no such scenario"),
    }
}
