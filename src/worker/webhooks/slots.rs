//! How many deliveries one worker has in hand. Pure.

use std::collections::HashMap;

/// Deliveries in hand at once where there is room: each waits in a thread, with a connection of its own.
const ALL_MAX: usize = 32;
/// Those in any case; one more for each so many sessions to switches that the limit of open files leaves room for.
const ALL_MIN: usize = 4;
const SESSIONS_A_SLOT: usize = 16;
/// Those of one webhook: a receiver that never answers leaves most of the slots to others.
const OF_A_WEBHOOK_MAX: usize = 4;

/// The deliveries in hand, by webhook.
#[derive(Debug)]
pub(super) struct Slots {
    in_hand: HashMap<i64, usize>,
    all_max: usize,
}

impl Slots {
    /// As many as suit a worker that may have so many sessions to switches.
    pub fn new(sessions_max: usize) -> Self {
        Self { in_hand: HashMap::new(), all_max: ALL_MAX.min(ALL_MIN + sessions_max / SESSIONS_A_SLOT) }
    }

    /// How many more may be taken of this webhook.
    pub fn of(&self, webhook: i64) -> usize {
        let all: usize = self.in_hand.values().sum();
        let own = self.in_hand.get(&webhook).copied().unwrap_or_default();
        self.own_max().saturating_sub(own).min(self.all_max.saturating_sub(all))
    }

    /// At most half of all: one receiver that never answers leaves as many to others.
    fn own_max(&self) -> usize {
        OF_A_WEBHOOK_MAX.min(self.all_max / 2)
    }

    /// One is in hand.
    pub fn take(&mut self, webhook: i64) {
        *self.in_hand.entry(webhook).or_default() += 1;
    }

    /// One is not in hand any more.
    pub fn free(&mut self, webhook: i64) {
        if let Some(own) = self.in_hand.get_mut(&webhook) {
            *own = own.saturating_sub(1);
        }
        self.in_hand.retain(|_, own| *own > 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn neither_bound_is_ever_passed_and_what_is_freed_can_be_taken(sessions in 0_usize..600, steps in prop::collection::vec((0_i64..12, any::<bool>()), 1..300)) {
            let (mut slots, mut in_hand) = (Slots::new(sessions), Vec::new());
            let (all_max, own_max) = (slots.all_max, slots.own_max());
            prop_assert!((ALL_MIN..=ALL_MAX).contains(&all_max));
            for (webhook, takes) in steps {
                if takes && slots.of(webhook) > 0 {
                    slots.take(webhook);
                    in_hand.push(webhook);
                } else if let Some(webhook) = in_hand.pop() {
                    slots.free(webhook);
                }
                let own = in_hand.iter().filter(|other| **other == webhook).count();
                prop_assert!(own <= own_max && in_hand.len() <= all_max);
                prop_assert_eq!(slots.of(webhook), (own_max - own).min(all_max - in_hand.len()));
            }
        }
    }
}
