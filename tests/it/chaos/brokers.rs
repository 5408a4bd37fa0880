//! The RabbitMQ of a soak: one node that dies and comes back, or with `VMACD_CHAOS_CLUSTER` three of which one at a time is away; each
//! behind a proxy.

use lapin::{Channel, Connection};

use crate::support::{Proxy, Rabbit};

/// The queues of vmacd and the soak's own.
const QUEUES: &str = "v";

pub struct Brokers {
    nodes: Vec<Rabbit>,
    proxies: Vec<Proxy>,
    /// The node that is down, in a cluster.
    down: Option<usize>,
}

impl Brokers {
    pub async fn start() -> Self {
        let mut nodes = vec![Rabbit::private()];
        if std::env::var_os("VMACD_CHAOS_CLUSTER").is_some() {
            let others = [Rabbit::joining(&nodes[0]), Rabbit::joining(&nodes[0])];
            nodes.extend(others);
        }
        let mut proxies = Vec::new();
        for node in &nodes {
            proxies.push(Proxy::start(node.authority()).await);
        }
        Self { nodes, proxies, down: None }
    }

    /// The URLs of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url().to_owned()).collect()
    }

    /// The same by way of the proxies.
    pub fn urls_through(&self) -> Vec<String> {
        let pairs = self.nodes.iter().zip(&self.proxies);
        pairs.map(|(node, proxy)| format!("{}?heartbeat=2", node.url_through(proxy.port()))).collect()
    }

    /// A node that is up.
    fn up(&self) -> &Rabbit {
        let up = (0..self.nodes.len()).find(|place| Some(*place) != self.down);
        &self.nodes[up.expect("one is up")]
    }

    pub async fn channel(&self) -> (Connection, Channel) {
        self.up().channel().await
    }

    /// Runs `rabbitmqctl`.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        tokio::task::block_in_place(|| self.up().ctl(arguments))
    }

    /// SIGKILL for a node; one that is alone is started again at once. False where another is still down, or not in step.
    pub fn crash(&mut self, place: usize) -> bool {
        let (place, alone) = (place % self.nodes.len(), self.nodes.len() == 1);
        if self.down.is_some() || !(alone || self.is_whole()) {
            return false;
        }
        tokio::task::block_in_place(|| self.nodes[place].kill9());
        self.down = Some(place);
        if alone {
            self.recover();
        }
        true
    }

    /// Starts the node that is down again.
    pub fn recover(&mut self) {
        if let Some(place) = self.down.take() {
            tokio::task::block_in_place(|| self.nodes[place].start_again());
        }
    }

    /// True when every quorum queue has all its members: with another node lost it would have no majority.
    fn is_whole(&self) -> bool {
        let listed = self.ctl(&["list_queues", "name", "online", "--no-table-headers"]);
        let mut ours = listed.lines().filter(|line| line.starts_with(QUEUES));
        ours.all(|line| line.matches("@localhost").count() == self.nodes.len())
    }

    pub fn cut(&self) {
        self.proxies.iter().for_each(Proxy::cut);
    }

    pub fn black_hole(&self) {
        self.proxies.iter().for_each(Proxy::black_hole);
    }

    pub fn restore(&self) {
        self.proxies.iter().for_each(Proxy::restore);
    }
}
