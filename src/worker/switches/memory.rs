//! What was read of switches, for the next push: valid only while its version is the newest on the switch.
//!
//! It is tied to the pinned host key: another device of the same name is another switch, whatever its history says. The
//! backup itself is in the database.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::{Switch, SwitchName};
use crate::switch::KnownConfiguration;

/// Bindings that are remembered of all switches together; about 200 bytes each.
const BINDINGS_MAX: usize = 500_000;

/// How long something is remembered: its text stays in the database for a day without a backup that needs it.
const KEPT: Duration = Duration::from_secs(12 * 3_600);

/// What is remembered of a switch.
struct Remembered {
    known: KnownConfiguration,
    host_key: Option<String>,
    seen_at: Instant,
}

/// What is remembered of the switches.
#[derive(Default)]
pub(in crate::worker) struct Memory(Mutex<HashMap<SwitchName, Remembered>>);

impl Memory {
    /// What is remembered of the switch as the inventory has it, and since when. It is forgotten until it is put back.
    pub fn take(&self, switch: &Switch) -> Option<(KnownConfiguration, Duration)> {
        let remembered = self.all().remove(&switch.name)?;
        let age = remembered.seen_at.elapsed();
        (remembered.host_key == switch.host_key && age < KEPT).then_some((remembered.known, age))
    }

    /// True when something is remembered of the switch.
    pub fn knows(&self, switch: &Switch) -> bool {
        self.all().contains_key(&switch.name)
    }

    /// Remembers what the switch was just seen to hold. Where that is too much what was seen longest ago is forgotten.
    pub fn put(&self, switch: &Switch, known: KnownConfiguration) {
        let mut all = self.all();
        let remembered = Remembered { known, host_key: switch.host_key.clone(), seen_at: Instant::now() };
        all.insert(switch.name.clone(), remembered);
        while all.len() > 1 && all.values().map(|each| each.known.bindings.len()).sum::<usize>() > BINDINGS_MAX {
            let oldest = all.iter().min_by_key(|(_, each)| each.seen_at).map(|(name, _)| name.clone());
            oldest.and_then(|name| all.remove(&name));
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SwitchName, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Dialect;
    use crate::switch::PushBackup;

    fn switch(name: &str, host_key: &str) -> Switch {
        let switch = serde_json::json!({"name": name, "host": "127.0.0.1", "host_key": host_key});
        serde_json::from_value(switch).expect("a switch")
    }

    fn known() -> KnownConfiguration {
        KnownConfiguration {
            version: None,
            dialect: Dialect::NonEls,
            backup: PushBackup::Stored("hash".into()),
            bindings: Vec::new(),
            port_vlans: Default::default(),
            ports: Vec::new(),
        }
    }

    #[test]
    fn what_is_known_of_a_switch_is_nothing_to_the_one_that_replaces_it() {
        let memory = Memory::default();
        memory.put(&switch("sw-a", "SHA256:one"), known());
        memory.put(&switch("sw-b", "SHA256:one"), known());
        assert!(memory.take(&switch("sw-a", "SHA256:two")).is_none());
        assert!(memory.take(&switch("sw-a", "SHA256:one")).is_none(), "it is forgotten");
        assert!(memory.take(&switch("sw-b", "SHA256:one")).is_some());
    }
}
