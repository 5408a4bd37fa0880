//! One world a measurement: fresh switches, a fresh database, fresh queues, and workers to start.

pub mod baseline;
pub mod flow;
pub mod peers;
pub mod producer;
pub mod sims;
pub mod watch;
pub mod worker;

use std::collections::HashSet;
use std::net::Ipv4Addr;

use serde_json::Value;

use crate::support::Rabbit;
use crate::support::postgres::{Database, fresh_database};
use crate::support::vmacd::{Settings, run_program};
use crate::world::sims::{Estate, Sims};
use crate::world::worker::{Program, Worker};

/// What a measurement stands in.
pub struct World {
    program: Program,
    pub sims: Sims,
    pub settings: Settings,
    pub namespace: String,
    pub database: Database,
    servers: Vec<Server>,
}

/// A server of the inventory.
#[derive(Clone, Debug)]
struct Server {
    id: i64,
    switch: String,
    interface: String,
    vlan: String,
    primary: Ipv4Addr,
}

/// A create to publish.
#[derive(Clone, Debug)]
pub struct Create {
    /// Its number within the measurement, its correlation id.
    pub number: usize,
    pub server_id: i64,
    pub switch: String,
    pub interface: String,
    pub vlan: String,
    pub ip: Ipv4Addr,
    /// The MAC that is asked for; else one from the pool.
    pub mac: Option<String>,
}

impl World {
    /// Starts the switches and imports their inventory into a fresh database.
    pub async fn start(estate: Estate) -> Self {
        Self::start_with(&Program::measured(), estate).await
    }

    /// As [`Self::start`], for workers of that program. The switches are always this build's.
    pub async fn start_with(program: &Program, estate: Estate) -> Self {
        let world = Self { program: program.clone(), ..Self::empty(estate).await };
        world.import().await;
        world
    }

    /// As [`Self::start`], without the import.
    pub async fn empty(estate: Estate) -> Self {
        let (sims, database) = (Sims::start(estate).await, fresh_database().await);
        let namespace = Rabbit::namespace();
        let settings = Settings::new()
            .set("VMACD_DATABASE_URL", database.url())
            .set("VMACD_AMQP_URL", Rabbit::shared().url())
            .set("VMACD_BROKER_NAMESPACE", &namespace)
            .set("VMACD_SSH_PASSWORD", "vmacd");
        let servers = servers(&sims.inventory);
        Self { program: Program::measured(), sims, settings, namespace, database, servers }
    }

    /// Imports the inventory as it stands.
    pub async fn import(&self) {
        let file = self.sims.inventory_file().display().to_string();
        run_program(self.program.path(), &["inventory", "import", &file], &self.settings).await.ok();
    }

    /// Starts switches of which the first so many seem to be elsewhere: at `port`. Gives their names too.
    pub async fn with_dead(estate: Estate, dead: usize, port: u16) -> (Self, HashSet<String>) {
        let mut world = Self::empty(estate).await;
        let switches = world.sims.inventory["switches"].as_array_mut().expect("switches");
        let mut names = HashSet::new();
        for switch in switches.iter_mut().take(dead) {
            switch["port"] = port.into();
            names.insert(switch["name"].as_str().expect("a name").to_owned());
        }
        world.import().await;
        (world, names)
    }

    /// Starts a worker.
    pub async fn serve(&self) -> Worker {
        Worker::start(&self.program, &self.settings).await
    }

    /// So many creates, numbered from `first`: round robin over the switches, and over each switch's servers.
    pub fn creates(&self, first: usize, count: usize) -> Vec<Create> {
        (first..first + count).map(|number| self.create(number)).collect()
    }

    fn create(&self, number: usize) -> Create {
        let (lap, at) = (number / self.servers.len(), number % self.servers.len());
        let server = &self.servers[at];
        let offset = u32::try_from(lap).expect("few laps") + 1;
        assert!(offset <= 253, "the server has no more addresses");
        let ip = Ipv4Addr::from(u32::from(server.primary) + offset);
        let Server { id, switch, interface, vlan, .. } = server.clone();
        Create { number, server_id: id, switch, interface, vlan, ip, mac: None }
    }
}

/// The servers of the inventory: the first of each switch, then the second of each, and so on.
fn servers(inventory: &Value) -> Vec<Server> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let read = |server: &Value| Server {
        id: server["id"].as_i64().expect("a number"),
        switch: text(&server["ports"][0]["switch"]),
        interface: text(&server["ports"][0]["interface"]),
        vlan: text(&server["vlan_name"]),
        primary: text(&server["primary_ip"]).parse().expect("an address"),
    };
    let all: Vec<Server> = inventory["servers"].as_array().expect("servers").iter().map(read).collect();
    let switches = inventory["switches"].as_array().map_or(1, Vec::len).max(1);
    let ports = all.len() / switches;
    (0..ports).flat_map(|port| all.iter().skip(port).step_by(ports).cloned()).collect()
}
