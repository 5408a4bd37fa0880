//! What a row says of its ports: whose they are, what is wanted there, and whose turn it is.
//!
//! A row is bound on the ports of one server, or of several that share its address. Ports that it leaves, after a move or
//! when a server leaves the group, stay with it until they are clean. Pure.

use std::collections::BTreeSet;

use crate::domain::{Action, Desired, Status, SwitchBinding, SwitchName};
use crate::store::vmacs::Vmac;

impl Vmac {
    /// The server whose port it is.
    pub fn server_of(&self, binding: &SwitchBinding) -> i64 {
        binding.server_id.unwrap_or(self.server_id)
    }

    /// The servers on whose ports the address is to be bound.
    pub fn members(&self) -> BTreeSet<i64> {
        let staying = self.switch_bindings.iter().filter(|binding| !binding.leaving && self.desired == Desired::Bound);
        staying.map(|binding| self.server_of(binding)).collect()
    }

    /// Its ports without those that it has left.
    pub fn ports(&self) -> impl Iterator<Item = &SwitchBinding> {
        self.switch_bindings.iter().filter(|port| !port.leaving || !port.is_met(self.desired))
    }

    /// True when the row has ports of the server, if only to leave them.
    pub fn knows(&self, server_id: i64) -> bool {
        self.server_id == server_id || self.switch_bindings.iter().any(|port| self.server_of(port) == server_id)
    }

    /// True while the row wants what such a command asks for.
    pub(in crate::store) fn still_wants(&self, action: Action, server_id: i64) -> bool {
        match action.wants() {
            Desired::Bound => self.members().contains(&server_id),
            Desired::Unbound => !self.members().contains(&server_id),
        }
    }

    /// True when such a command has nothing left to do.
    pub(in crate::store) fn is_done_for(&self, action: Action, server_id: i64) -> bool {
        let all_met = || self.switch_bindings.iter().all(|port| port.is_met(self.desired));
        match (action.wants(), self.desired) {
            (Desired::Bound, _) => self.still_wants(action, server_id) && self.status == Status::Active && all_met(),
            (Desired::Unbound, Desired::Unbound) => self.status == Status::Revoked,
            (Desired::Unbound, Desired::Bound) => {
                let mut of_server = self.switch_bindings.iter().filter(|port| self.server_of(port) == server_id);
                of_server.all(|port| port.leaving && port.is_met(self.desired))
            }
        }
    }

    /// The switches that do not hold yet what is wanted.
    pub(in crate::store) fn switches_waiting(&self) -> Vec<SwitchName> {
        self.switches_of(|_| true)
    }

    /// Those of them that can be pushed to now.
    pub(in crate::store) fn switches_due(&self) -> Vec<SwitchName> {
        self.switches_of(|port| self.is_due(port))
    }

    fn switches_of(&self, counts: impl Fn(&SwitchBinding) -> bool) -> Vec<SwitchName> {
        let unmet = self.switch_bindings.iter().filter(|port| !port.is_met(self.desired) && counts(port));
        unmet.map(|port| port.switch.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Make before break: a port is left once some server has the address on all of its ports, or in the one commit that
    /// binds it elsewhere on the same switch. So it is never on neither.
    pub fn is_due(&self, port: &SwitchBinding) -> bool {
        if !port.leaving || self.desired == Desired::Unbound {
            return true;
        }
        let staying = || self.switch_bindings.iter().filter(|other| !other.leaving);
        let has_it_all = |server_id: &i64| {
            staying().filter(|other| self.server_of(other) == *server_id).all(|other| other.is_met(self.desired))
        };
        staying().any(|other| other.switch == port.switch && !other.is_met(self.desired))
            || self.members().iter().any(has_it_all)
    }
}
