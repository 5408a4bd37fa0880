//! A RabbitMQ cluster of a test's own: three nodes on loopback.

use super::{Rabbit, eventually};

/// Its nodes.
pub struct Cluster {
    nodes: Vec<Rabbit>,
}

impl Cluster {
    /// Starts it (10 to 30 s).
    pub fn private() -> Self {
        let first = Rabbit::private();
        let (second, third) = (Rabbit::joining(&first), Rabbit::joining(&first));
        Self { nodes: vec![first, second, third] }
    }

    /// The URLs of all nodes, as a setting has them.
    pub fn urls(&self) -> String {
        self.nodes.iter().map(Rabbit::url).collect::<Vec<_>>().join(",")
    }

    /// A node by its place.
    pub fn node(&self, place: usize) -> &Rabbit {
        &self.nodes[place]
    }

    /// The place of the node whose port the text has.
    pub fn place_in(&self, text: &str) -> Option<usize> {
        self.nodes.iter().position(|node| text.contains(node.authority()))
    }

    /// SIGKILL of one node.
    pub fn kill9(&mut self, place: usize) {
        self.nodes[place].kill9();
    }

    /// Starts it again, and waits until each of these queues has all its members.
    pub async fn start_again(&mut self, place: usize, prefix: &str) {
        self.nodes[place].start_again();
        self.is_whole(place, prefix).await;
    }

    /// Waits until each quorum queue of this prefix has all its members, as this node sees it.
    pub async fn is_whole(&self, place: usize, prefix: &str) {
        eventually("each queue has all its members", async || {
            let listed = tokio::task::block_in_place(|| {
                self.nodes[place].ctl(&["list_queues", "name", "online", "--no-table-headers"])
            });
            let missing: Vec<_> = listed
                .lines()
                .filter(|line| line.starts_with(prefix) && line.matches("@localhost").count() < self.nodes.len())
                .map(str::to_owned)
                .collect();
            if missing.is_empty() && listed.contains(prefix) { Ok(()) } else { Err(listed) }
        })
        .await;
    }
}
