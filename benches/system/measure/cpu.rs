//! The CPU that everybody who takes part in a measurement uses.

use crate::process::{cpu_seconds, server_pid, tree_cpu_seconds};
use crate::report::stats::median;
use crate::world::World;
use crate::world::worker::Worker;

/// Seconds of CPU of everybody who takes part.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    worker: f64,
    pub switches: f64,
    rabbitmq: f64,
    postgres: f64,
    measuring: f64,
}

impl Cpu {
    pub fn now(world: &World, worker: Option<&Worker>) -> Self {
        Self {
            worker: worker.map_or(0.0, |worker| cpu_seconds(worker.pid())),
            switches: world.sims.cpu_seconds(),
            rabbitmq: tree_cpu_seconds(server_pid("rabbitmq")),
            postgres: tree_cpu_seconds(server_pid("postgres")),
            measuring: cpu_seconds(std::process::id()),
        }
    }

    pub fn since(self, before: &Self) -> Self {
        Self {
            worker: self.worker - before.worker,
            switches: self.switches - before.switches,
            rabbitmq: self.rabbitmq - before.rabbitmq,
            postgres: self.postgres - before.postgres,
            measuring: self.measuring - before.measuring,
        }
    }

    /// Milliseconds for each create: worker, Postgres, RabbitMQ, switches, the measuring itself.
    pub fn per_create_ms(self, creates: usize) -> [f64; 5] {
        let Self { worker, switches, rabbitmq, postgres, measuring } = self;
        [worker, postgres, rabbitmq, switches, measuring].map(|seconds| seconds * 1000.0 / creates as f64)
    }
}

/// The medians over some runs, in words.
pub fn each(runs: &[[f64; 5]]) -> String {
    let names = ["worker", "Postgres", "RabbitMQ", "switches", "producer and watch"];
    let of = |at: usize| median(&runs.iter().map(|run| run[at]).collect::<Vec<_>>());
    let each = names.iter().enumerate().map(|(at, name)| format!("{name} {:.2} ms", of(at)));
    each.collect::<Vec<_>>().join(", ")
}
