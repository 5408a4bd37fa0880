//! Orders one at a time, without a broker and a switch: what each costs the database.

use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use vmacd::domain::plan::{EndState, Reached, Wish, WishResult};
use vmacd::domain::{Action, Arrival, Command, Desired, Inventory, Issued, MessageKey, SwitchName};
use vmacd::store::{GatheredRow, Incoming, PushResults, Store, StoreOptions};

const SERVER: i64 = 900_001;
const LEASE: std::time::Duration = std::time::Duration::from_secs(60);

/// A database, and what orders took there.
pub struct Orders {
    store: Store,
    switch: SwitchName,
    rng: StdRng,
    pub create_ms: Vec<f64>,
    pub revoke_ms: Vec<f64>,
}

impl Orders {
    pub async fn new(url: &str) -> Self {
        let store = Store::connect(url, StoreOptions::default()).await.expect("a database");
        let inventory: Inventory = serde_json::from_value(json!({
            "switches": [{"name": "sw-year", "host": "127.0.0.1"}],
            "servers": [{"id": SERVER, "pxe_mac": "52:54:00:00:00:01",
                "ports": [{"switch": "sw-year", "interface": "ge-0/0/1"}]}],
        }))
        .expect("an inventory");
        store.inventory().import(&inventory).await.expect("imported");
        let (switch, rng) = ("sw-year".parse().expect("a name"), StdRng::seed_from_u64(rand::random()));
        Self { store, switch, rng, create_ms: Vec::new(), revoke_ms: Vec::new() }
    }

    /// A create and its revoke, each until its result is written.
    pub async fn one(&mut self, number: u32) {
        for action in [Action::Create, Action::Revoke] {
            let began = Instant::now();
            let order = order(action, number);
            self.store.intake().admit(&[order], &mut self.rng).await.expect("admitted");
            self.settle().await;
            let took_ms = began.elapsed().as_secs_f64() * 1_000.0;
            let times = if action == Action::Create { &mut self.create_ms } else { &mut self.revoke_ms };
            times.push(took_ms);
        }
    }

    async fn settle(&self) {
        let lease = self.store.leases().acquire(&self.switch, "bench", LEASE).await.expect("an answer").expect("free");
        let (mut gathered, mut ends) = (std::collections::HashMap::new(), Vec::new());
        for item in self.store.work().due_on(&self.switch, 100).await.expect("work") {
            gathered.insert(item.vmac.id, GatheredRow { generation: item.vmac.generation, attempts: item.attempts });
            ends.extend(item.ports.iter().map(|port| {
                let wish = Wish {
                    vmac_id: item.vmac.id,
                    desired: port.desired,
                    leaving: port.leaving,
                    interface: port.interface.clone(),
                    ip: item.vmac.ip_address,
                    mac: item.vmac.mac_address,
                    pxe_mac: port.pxe_mac,
                    primary_ip: port.primary_ip,
                    vlan: None,
                };
                let end = if port.desired == Desired::Bound { EndState::Bound } else { EndState::Removed };
                let reached = Reached { end, previous_mac: None, push: Some(("push-1".to_owned(), None)) };
                WishResult { wish, end: Ok(reached) }
            }));
        }
        let results = PushResults { gathered, results: &ends, ..PushResults::default() };
        self.store.pushes().record(&lease, &results).await.expect("settled");
        self.store.leases().release(&lease).await.expect("released");
    }
}

fn order(action: Action, number: u32) -> Incoming {
    let key = format!("{action}-order-{number}");
    let ip = format!("10.{}.{}.{}", 200 + number / 62_500, number / 250 % 250, number % 250 + 1);
    let body = format!("{{\"server_id\": {SERVER}, \"ip_address\": \"{ip}\"}}");
    Incoming {
        message_id: Some(key.clone()),
        command: Command {
            action,
            server_id: SERVER,
            from_server_id: None,
            ip_address: ip.parse().expect("an address"),
            vlan_name: None,
            mac_address: None,
            group: None,
            pool: None,
            issued: None,
            requested_by: None,
            reference: None,
        },
        issued: Issued::At { ms: 1_700_000_000_000 + i64::from(action == Action::Revoke), nanos: 0 },
        arrival: Arrival { number: 1, is_kept: false },
        body_hash: format!("hash of {key}"),
        message_identity: format!("message {key}"),
        body: body.into_bytes(),
        correlation_id: None,
        traceparent: None,
        headers: json!({}),
        timestamp: None,
        stamped_at_ms: None,
        replay_number: 0,
        key: MessageKey(key),
    }
}
