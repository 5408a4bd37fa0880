//! The messages that this worker holds unacknowledged, until their commands have an outcome.
//!
//! Pure bookkeeping, generic over what is held, so that it can be tested without a broker. A message
//! waits under its key (the same message may be held many times) and is found by the row that it
//! drives and by the switches that row is on.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::domain::{MessageKey, SwitchName};

/// The registry.
#[derive(Debug)]
pub struct Waiting<T> {
    by_key: HashMap<MessageKey, Vec<Entry<T>>>,
    keys_of_vmac: HashMap<i64, BTreeSet<MessageKey>>,
    keys_of_switch: HashMap<SwitchName, BTreeSet<MessageKey>>,
}

#[derive(Debug)]
struct Entry<T> {
    vmac_id: i64,
    switches: Vec<SwitchName>,
    since: Instant,
    item: T,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), keys_of_vmac: HashMap::new(), keys_of_switch: HashMap::new() }
    }
}

impl<T> Waiting<T> {
    /// Holds a message that drives `vmac_id` on `switches`.
    pub fn add(&mut self, key: MessageKey, vmac_id: i64, switches: Vec<SwitchName>, item: T) {
        self.keys_of_vmac.entry(vmac_id).or_default().insert(key.clone());
        for switch in &switches {
            self.keys_of_switch.entry(switch.clone()).or_default().insert(key.clone());
        }
        self.by_key.entry(key).or_default().push(Entry { vmac_id, switches, since: Instant::now(), item });
    }

    /// Takes every message held under the key.
    pub fn take(&mut self, key: &MessageKey) -> Vec<T> {
        let entries = self.by_key.remove(key).unwrap_or_default();
        for entry in &entries {
            forget(&mut self.keys_of_vmac, &entry.vmac_id, key);
            for switch in &entry.switches {
                forget(&mut self.keys_of_switch, switch, key);
            }
        }
        entries.into_iter().map(|entry| entry.item).collect()
    }

    /// The switch that the message waits for, where it is but one.
    pub fn only_switch(&self, key: &MessageKey) -> Option<SwitchName> {
        match self.by_key.get(key)?.first()?.switches.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// Takes every message that drives one of the rows.
    pub fn take_of_vmac(&mut self, vmac_id: i64) -> Vec<T> {
        let keys = self.keys_of_vmac.get(&vmac_id).cloned().unwrap_or_default();
        keys.iter().flat_map(|key| self.take(key)).collect()
    }

    /// Looks at every message that drives the row.
    pub fn visit_vmac(&mut self, vmac_id: i64, mut visit: impl FnMut(&mut T)) {
        for key in self.keys_of_vmac.get(&vmac_id).into_iter().flatten() {
            let entries = self.by_key.get_mut(key).into_iter().flatten();
            entries.for_each(|entry| visit(&mut entry.item));
        }
    }

    /// Takes every message that waits for the switch.
    pub fn take_of_switch(&mut self, switch: &SwitchName) -> Vec<T> {
        self.keys_of(switch).iter().flat_map(|key| self.take(key)).collect()
    }

    /// Takes everything.
    pub fn take_all(&mut self) -> Vec<T> {
        let keys: Vec<_> = self.by_key.keys().cloned().collect();
        keys.iter().flat_map(|key| self.take(key)).collect()
    }

    /// The keys that wait for the switch.
    pub fn keys_of(&self, switch: &SwitchName) -> Vec<MessageKey> {
        self.keys_of_switch.get(switch).into_iter().flatten().cloned().collect()
    }

    /// How many distinct messages wait for the switch.
    pub fn waiting_for(&self, switch: &SwitchName) -> usize {
        self.keys_of_switch.get(switch).map_or(0, BTreeSet::len)
    }

    /// The keys held since before `instant`.
    pub fn keys_since(&self, instant: Instant) -> Vec<MessageKey> {
        let old = |entries: &Vec<Entry<T>>| entries.iter().any(|entry| entry.since <= instant);
        self.by_key.iter().filter(|(_, entries)| old(entries)).map(|(key, _)| key.clone()).collect()
    }

    /// True when a message with the key is held.
    pub fn holds(&self, key: &MessageKey) -> bool {
        self.by_key.contains_key(key)
    }
}

fn forget<K: Eq + std::hash::Hash>(index: &mut HashMap<K, BTreeSet<MessageKey>>, of: &K, key: &MessageKey) {
    if let Some(keys) = index.get_mut(of) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> MessageKey {
        MessageKey(text.to_owned())
    }

    fn switch(name: &str) -> SwitchName {
        name.parse().expect("a name")
    }

    #[test]
    fn a_message_held_twice_is_taken_twice_and_leaves_nothing_behind() {
        let mut waiting = Waiting::default();
        waiting.add(key("m"), 1, vec![switch("a"), switch("b")], 'x');
        waiting.add(key("m"), 1, vec![switch("a"), switch("b")], 'y');
        assert_eq!(waiting.waiting_for(&switch("b")), 1);
        assert_eq!(waiting.take(&key("m")), ['x', 'y']);
        assert_eq!(waiting.waiting_for(&switch("b")), 0);
        assert!(waiting.keys_of_vmac.is_empty() && waiting.keys_of_switch.is_empty());
    }

    #[test]
    fn messages_are_found_by_row_and_by_switch() {
        let mut waiting = Waiting::default();
        waiting.add(key("m1"), 1, vec![switch("a")], 1);
        waiting.add(key("m2"), 1, vec![switch("a")], 2);
        waiting.add(key("m3"), 2, vec![switch("b")], 3);
        let mut seen = Vec::new();
        waiting.visit_vmac(1, |item| seen.push(*item));
        assert_eq!(seen, [1, 2]);
        assert_eq!(waiting.take_of_vmac(1), [1, 2]);
        assert_eq!(waiting.take_of_switch(&switch("a")), [] as [i32; 0]);
        assert_eq!(waiting.take_of_switch(&switch("b")), [3]);
    }
}
