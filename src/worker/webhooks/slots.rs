//! How many deliveries one worker has in hand. Pure.

use std::collections::HashMap;

/// Deliveries in hand at once: each waits in a thread of its own.
const ALL_MAX: usize = 32;
/// Those of one webhook: a receiver that never answers leaves most of the slots to others.
const OF_A_WEBHOOK_MAX: usize = 4;

/// The deliveries in hand, by webhook.
#[derive(Debug, Default)]
pub(super) struct Slots(HashMap<i64, usize>);

impl Slots {
    /// How many more may be taken of this webhook.
    pub fn of(&self, webhook: i64) -> usize {
        let all: usize = self.0.values().sum();
        let own = self.0.get(&webhook).copied().unwrap_or_default();
        OF_A_WEBHOOK_MAX.saturating_sub(own).min(ALL_MAX.saturating_sub(all))
    }

    /// One is in hand.
    pub fn take(&mut self, webhook: i64) {
        *self.0.entry(webhook).or_default() += 1;
    }

    /// One is not in hand any more.
    pub fn free(&mut self, webhook: i64) {
        if let Some(own) = self.0.get_mut(&webhook) {
            *own = own.saturating_sub(1);
        }
        self.0.retain(|_, own| *own > 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn neither_bound_is_ever_passed_and_what_is_freed_can_be_taken(steps in prop::collection::vec((0_i64..12, any::<bool>()), 1..300)) {
            let (mut slots, mut in_hand) = (Slots::default(), Vec::new());
            for (webhook, takes) in steps {
                if takes && slots.of(webhook) > 0 {
                    slots.take(webhook);
                    in_hand.push(webhook);
                } else if let Some(webhook) = in_hand.pop() {
                    slots.free(webhook);
                }
                let own = in_hand.iter().filter(|other| **other == webhook).count();
                prop_assert!(own <= OF_A_WEBHOOK_MAX && in_hand.len() <= ALL_MAX);
                prop_assert_eq!(slots.of(webhook), (OF_A_WEBHOOK_MAX - own).min(ALL_MAX - in_hand.len()));
            }
        }
    }
}
