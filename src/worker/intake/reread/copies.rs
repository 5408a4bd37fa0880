//! Messages that have neither an id nor a time, counted. Two of them with one body may be two orders, so it counts how many the
//! database has since a place that both have, and the first so many are known. Pure.

use std::collections::HashMap;

/// A message that both the archive and the database have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    /// Its place in the archive.
    pub offset: i64,
    /// Its number in the database.
    pub arrival: i64,
}

/// The copies that the database has behind the anchor, by identity.
#[derive(Debug, Default)]
pub(super) struct Copies {
    pub anchor: Option<Anchor>,
    left: HashMap<String, i64>,
}

impl Copies {
    /// Whether the copies of this identity were counted.
    pub fn is_counted(&self, identity: &str) -> bool {
        self.left.contains_key(identity)
    }

    /// So many were counted; those of the anchor itself and before it do not count.
    pub fn count(&mut self, identity: &str, copies: i64) {
        self.left.entry(identity.to_owned()).or_insert(copies);
    }

    /// Whether the next message of this identity is known; each is asked about once, in their order.
    pub fn next_is_known(&mut self, offset: i64, identity: &str) -> bool {
        let Some(anchor) = self.anchor else { return false };
        if offset <= anchor.offset {
            return true;
        }
        match self.left.get_mut(identity) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

/// The anchor: the first message with a name that is known, else of those without a name the one whose newest copy in the
/// database is the oldest, because that is the most likely to be the same message.
pub(super) fn anchor(named: impl Iterator<Item = Anchor>, nameless: impl Iterator<Item = Anchor>) -> Option<Anchor> {
    named.min_by_key(|anchor| anchor.offset).or_else(|| nameless.min_by_key(|anchor| (anchor.arrival, anchor.offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these messages, in their order, are known, where the database has so many of each behind the anchor.
    fn known(anchor: i64, counted: &[(&str, i64)], messages: &[(i64, &str)]) -> Vec<bool> {
        let mut copies = Copies { anchor: Some(Anchor { offset: anchor, arrival: 1 }), ..Copies::default() };
        counted.iter().for_each(|(identity, count)| copies.count(identity, *count));
        messages.iter().map(|(offset, identity)| copies.next_is_known(*offset, identity)).collect()
    }

    #[test]
    fn of_equal_messages_the_first_are_known_and_the_rest_is_lost() {
        // A create, a revoke and the same create again.
        let messages = [(6, "create"), (7, "revoke"), (8, "create")];
        assert_eq!(known(5, &[("create", 1)], &messages), [true, false, false]);
        assert_eq!(known(5, &[("create", 1), ("revoke", 1)], &messages), [true, true, false]);
        assert_eq!(known(5, &[("create", 2), ("revoke", 1)], &messages), [true, true, true]);
    }

    #[test]
    fn what_comes_before_the_anchor_is_known_and_without_an_anchor_nothing_is() {
        assert_eq!(known(7, &[], &[(6, "create"), (7, "revoke"), (8, "create")]), [true, true, false]);
        assert!(!Copies::default().next_is_known(1, "create"));
    }

    #[test]
    fn the_anchor_is_the_first_message_with_a_name_or_the_surest_without() {
        let at = |offset, arrival| Anchor { offset, arrival };
        let nameless = [at(1, 90), at(2, 20), at(3, 80)];
        assert_eq!(anchor([at(9, 5), at(4, 3)].into_iter(), nameless.into_iter()), Some(at(4, 3)));
        assert_eq!(anchor([].into_iter(), nameless.into_iter()), Some(at(2, 20)));
        assert_eq!(anchor([].into_iter(), [].into_iter()), None);
    }
}
