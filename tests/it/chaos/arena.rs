//! What a soak stands in: servers of its own behind proxies, switches, and workers that a supervisor keeps alive.

use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;
use vmacd::sim::{Estate, Options, SimHandle};

use super::base::Base;
use super::brokers::Brokers;
use crate::support::vmacd::{Serve, Settings, run};
use crate::support::{Proxy, duplicates, run_dir, unique};

/// The queue that collects every event.
pub const EVENTS: &str = "chaos.events";
const WORKERS: usize = 3;

pub struct Arena {
    pub estate: Estate,
    pub inventory: Value,
    pub brokers: Brokers,
    pub base: Base,
    pub sql: Proxy,
    pub workers: Vec<Serve>,
    /// The workers' environment, by way of the proxies.
    through: Settings,
    /// Past the proxies, for whoever looks on.
    direct: Settings,
}

impl Arena {
    pub async fn new(switches: u64) -> Self {
        let (brokers, base) = (Brokers::start().await, Base::start().await);
        let sql = Proxy::start(base.authority()).await;
        let switches = usize::try_from(switches).expect("few");
        let options = Options { switches, ports_per_switch: 4, duplicates: duplicates(), ..Options::default() };
        let estate = Estate::start(options).await.expect("switches");
        let direct = base.direct(settings()).set("VMACD_AMQP_URL", brokers.urls().join(","));
        let through = base.through(&sql, settings()).set("VMACD_AMQP_URL", brokers.urls_through().join(","));
        let inventory = estate.inventory_json();
        let mut arena = Self { estate, inventory, brokers, base, sql, workers: Vec::new(), through, direct };
        arena.import().await;
        for worker in 0..WORKERS {
            arena.workers.push(Serve::start_version(&version_of(worker), &arena.settings_of(worker)).await);
        }
        arena.collect_events().await;
        // A quorum queue that was declared a moment ago may be lost with its node (see `Rabbit::kill9`).
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        arena
    }

    async fn import(&self) {
        let file = run_dir().join(unique("inventory")).with_extension("json");
        std::fs::write(&file, self.inventory.to_string()).expect("a file");
        self.vmacd(&["inventory", "import", &file.display().to_string()]).await;
    }

    async fn collect_events(&self) {
        let (_connection, channel) = self.brokers.channel().await;
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(EVENTS.into(), durable, quorum).await.expect("a queue");
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(EVENTS.into(), "vmac.events".into(), "#".into(), options, none).await.expect("bound");
    }

    /// Runs a verb with `--json`, past the proxies.
    pub async fn vmacd(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
        run(&arguments, &self.direct).await.json()
    }

    pub fn switches(&self) -> &[SimHandle] {
        self.estate.switches()
    }

    /// Starts a worker anew in place of one that ended.
    pub fn restart(&mut self, worker: usize) {
        self.workers[worker] = Serve::spawn_version(&version_of(worker), &self.settings_of(worker));
    }

    /// The version before knows a pooler in session mode alone.
    fn settings_of(&self, worker: usize) -> Settings {
        let settings = self.through.clone();
        match &self.base {
            Base::Two(..) if is_former(worker) => {
                settings.unset("VMACD_DATABASE_POOLER").set("VMACD_DATABASE_URL", self.base.url())
            }
            _ => settings,
        }
    }

    /// Restarts every worker that ended, as a supervisor does.
    pub fn supervise(&mut self) {
        for worker in 0..self.workers.len() {
            if !self.workers[worker].is_running() {
                self.restart(worker);
            }
        }
    }
}

/// Which binary a worker runs: with `VMACD_TEST_FORMER` one of three is of the version before.
fn version_of(worker: usize) -> String {
    let former = is_former(worker).then(|| std::env::var("VMACD_TEST_FORMER").ok()).flatten();
    former.unwrap_or_else(|| env!("CARGO_BIN_EXE_vmacd").to_owned())
}

fn is_former(worker: usize) -> bool {
    worker == 0 && std::env::var_os("VMACD_TEST_FORMER").is_some()
}

fn settings() -> Settings {
    Settings::new()
        .set("VMACD_SSH_USER", "vmacd")
        .set("VMACD_SSH_PASSWORD", "vmacd")
        .set("VMACD_SSH_RPC_TIMEOUT_MS", 3_000)
        .set("VMACD_SSH_CONNECT_TIMEOUT_MS", 3_000)
        .set("VMACD_SSH_COMMIT_TIMEOUT_MS", 5_000)
        .set("VMACD_BROKER_RPC_TIMEOUT_MS", 3_000)
        .set("VMACD_DATABASE_STATEMENT_TIMEOUT_MS", 5_000)
        .set("VMACD_RETRY_DELAY_MIN_MS", 100)
        .set("VMACD_RETRY_DELAY_MAX_MS", 1_600)
        .set("VMACD_LEASE_TTL_MS", 2_000)
        // Everything goes wrong here, on purpose: nobody is there to thaw a site that stops by itself.
        .set("VMACD_LIMITS_STOP_FAILURES_MAX", 0)
}
