//! What the archive says of addresses, before any of it is admitted.

use std::collections::{BTreeMap, HashMap};

use crate::domain::adopt::Adoptable;
use crate::domain::{Action, BindableAddress, Draws, Mac, Pools};
use crate::store::{Incoming, IntakeBatch, StoreError};
use crate::worker::AdmitLost;

/// The commands that the database lacks, in their order for each address.
#[derive(Debug, Default)]
pub struct LostOrders {
    of_address: HashMap<BindableAddress, Vec<LostOrder>>,
    /// How many of each kind.
    pub count: BTreeMap<Action, u64>,
}

/// One of them, as far as it says which MAC the address got.
#[derive(Debug, Clone, Copy)]
struct LostOrder {
    action: Action,
    draws: Draws,
    asked: Option<Mac>,
}

impl LostOrder {
    fn of(incoming: &Incoming) -> Self {
        let command = &incoming.command;
        let draws = Draws::of(&incoming.message_identity, command.server_id, command.ip_address);
        Self { action: command.action, draws, asked: command.mac_address }
    }

    fn may_have_given(&self, ip: BindableAddress, mac: Mac, pools: &Pools) -> bool {
        let of_address = || pools.iter().any(|pool| pool.mac_of(ip) == Some(mac));
        self.asked == Some(mac) || pools.may_have_drawn(self.draws, mac) || of_address()
    }
}

impl LostOrders {
    /// True where the binding came about by these commands from the beginning: then they make its row, and it is not adopted
    /// before. What was there before them, or was created before them and rotated by one, is.
    pub fn made(&self, found: &Adoptable, pools: &Pools) -> bool {
        let mut is_created = false;
        for order in self.of_address.get(&found.ip_address).into_iter().flatten() {
            is_created |= order.action == Action::Create;
            if is_created && order.may_have_given(found.ip_address, found.mac_address, pools) {
                return true;
            }
        }
        false
    }
}

/// Only notes what is lost.
impl AdmitLost for LostOrders {
    async fn admit(&mut self, lost: IntakeBatch) -> Result<(), StoreError> {
        for incoming in &lost.commands {
            *self.count.entry(incoming.command.action).or_default() += 1;
            self.of_address.entry(incoming.command.ip_address).or_default().push(LostOrder::of(incoming));
        }
        Ok(())
    }
}
