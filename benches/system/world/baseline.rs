//! What a push takes when nothing but the switch is in it: the same requests over an open session, one after another.

use std::time::{Duration, Instant};

use vmacd::domain::plan::Change;
use vmacd::domain::{Inventory, Switch};
use vmacd::switch::{Credential, SwitchClient, SwitchError, Timeouts};

use crate::world::{Create, World};

/// Open sessions to some switches of a world.
pub struct Baseline {
    clients: Vec<SwitchClient>,
}

impl Baseline {
    /// Logs in to every switch.
    pub async fn open(world: &World) -> Self {
        let inventory: Inventory = serde_json::from_value(world.sims.inventory.clone()).expect("an inventory");
        let mut clients = Vec::new();
        for switch in &inventory.switches {
            clients.push(open(switch).await.unwrap_or_else(|error| panic!("{}: {error}", switch.name)));
        }
        Self { clients }
    }

    /// Binds the address of a create with a MAC of its own; gives the milliseconds that it took.
    pub async fn push(&mut self, create: &Create) -> f64 {
        let client = self.clients.iter_mut().find(|client| client.name() == create.switch).expect("its switch");
        let began = Instant::now();
        requests(client, create).await.unwrap_or_else(|error| panic!("{}: {error}", create.switch));
        began.elapsed().as_secs_f64() * 1000.0
    }
}

async fn open(switch: &Switch) -> Result<SwitchClient, SwitchError> {
    let limit = Duration::from_secs(20);
    let timeouts = Timeouts { connect: limit, rpc: limit, commit: limit };
    let credential = Credential { user: "vmacd".into(), password: Some("vmacd".into()), ..Credential::default() };
    SwitchClient::connect(switch, None, &credential, &timeouts).await
}

/// The requests of a push that carries one change.
async fn requests(client: &mut SwitchClient, create: &Create) -> Result<(), SwitchError> {
    let push_id = format!("baseline-{}", create.number);
    let changes = [change(create)];
    client.lock().await?;
    client.history().await?;
    client.load(&changes).await?;
    client.commit_confirmed(&push_id, &[], 10).await?;
    client.changed_bindings(&changes).await?;
    client.confirm(&push_id).await?;
    client.history().await?;
    client.unlock().await
}

fn change(create: &Create) -> Change {
    let [.., a, b] = u32::try_from(create.number).expect("few").to_be_bytes();
    Change::Set {
        interface: create.interface.parse().expect("a name"),
        vlan: create.vlan.parse().expect("a name"),
        ip: create.ip.to_string().parse().expect("an address"),
        mac: format!("02:ee:ee:ee:{a:02x}:{b:02x}").parse().expect("a MAC"),
        group: None,
        activates: false,
    }
}
