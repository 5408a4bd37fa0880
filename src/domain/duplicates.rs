//! Where on a switch one MAC may stand for one address only. Releases differ (docs/JUNOS.md), so it is a property of the
//! switch: set in the inventory, or believed by the dialect and corrected by what the switch refuses and takes.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::Dialect;
use super::plan::PresentBinding;

/// Where one MAC may stand for one address only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuplicateRule {
    /// Nowhere: duplicates are taken.
    None,
    /// On one port.
    Port,
    /// In one VLAN of the whole switch.
    Vlan,
    /// On the whole switch.
    Switch,
}

/// What the inventory says of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuplicateChoice {
    /// What the dialect makes likely, corrected by what the switch refuses and takes.
    #[default]
    Auto,
    /// As [`DuplicateRule::None`].
    None,
    /// As [`DuplicateRule::Port`].
    Port,
    /// As [`DuplicateRule::Vlan`].
    Vlan,
    /// As [`DuplicateRule::Switch`].
    Switch,
}

impl DuplicateChoice {
    /// The text used in the database and the inventory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Port => "port",
            Self::Vlan => "vlan",
            Self::Switch => "switch",
        }
    }
}

/// What a belief rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The dialect makes it likely.
    Dialect,
    /// The switch refused or took what tells.
    Switch,
    /// The inventory says so.
    Inventory,
}

/// What is believed of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Duplicates {
    /// The rule.
    pub rule: DuplicateRule,
    /// What it rests on.
    pub source: Source,
}

/// From lax to strict.
const RULES: [DuplicateRule; 4] =
    [DuplicateRule::None, DuplicateRule::Port, DuplicateRule::Vlan, DuplicateRule::Switch];

impl DuplicateRule {
    /// The text used in the database and the inventory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Port => "port",
            Self::Vlan => "vlan",
            Self::Switch => "switch",
        }
    }

    /// Within a sentence.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::None => "one MAC may stand for many addresses",
            Self::Port => "one MAC may stand for one address only on a port",
            Self::Vlan => "one MAC may stand for one address only in a VLAN of the whole switch",
            Self::Switch => "one MAC may stand for one address only on the whole switch",
        }
    }

    /// True when these two bindings may not have one MAC; the address on one port is one binding in whatever form. What is
    /// inactive is not checked by the switch.
    pub fn forbids(self, one: &PresentBinding, other: &PresentBinding) -> bool {
        let same_port = one.interface.same_interface(&other.interface);
        if (same_port && one.ip == other.ip) || !one.is_active() || !other.is_active() {
            return false;
        }
        match self {
            Self::None => false,
            Self::Port => same_port,
            Self::Vlan => one.vlan == other.vlan,
            Self::Switch => true,
        }
    }

    /// True when a switch with this rule could hold these bindings.
    fn allows(self, present: &[PresentBinding]) -> bool {
        let mut addresses = HashSet::new();
        let mut places = HashSet::new();
        let active = present.iter().filter(|held| held.is_active());
        let apart = active.filter(|held| addresses.insert((held.mac, held.ip, held.interface.port())));
        let mut keys = apart.map(|held| match self {
            Self::None | Self::Switch => (held.mac, None, None),
            Self::Port => (held.mac, Some(held.interface.port()), None),
            Self::Vlan => (held.mac, None, Some(&held.vlan)),
        });
        self == Self::None || keys.all(|key| places.insert(key))
    }
}

impl Duplicates {
    /// What is believed before anything is asked: the inventory's choice, else what was found before, else what the dialect
    /// makes likely: the snooping database of non-ELS has a key of VLAN and MAC, and ELS is written to with one MAC for
    /// many addresses.
    pub const fn of(choice: DuplicateChoice, found: Option<DuplicateRule>, dialect: Dialect) -> Self {
        let (rule, source) = match (choice, found, dialect) {
            (DuplicateChoice::None, ..) => (DuplicateRule::None, Source::Inventory),
            (DuplicateChoice::Port, ..) => (DuplicateRule::Port, Source::Inventory),
            (DuplicateChoice::Vlan, ..) => (DuplicateRule::Vlan, Source::Inventory),
            (DuplicateChoice::Switch, ..) => (DuplicateRule::Switch, Source::Inventory),
            (DuplicateChoice::Auto, Some(rule), _) => (rule, Source::Switch),
            (DuplicateChoice::Auto, None, Dialect::NonEls) => (DuplicateRule::Vlan, Source::Dialect),
            (DuplicateChoice::Auto, None, Dialect::Els) => (DuplicateRule::None, Source::Dialect),
        };
        Self { rule, source }
    }

    /// Where nobody knows which switch it is for, and nothing is pushed by it.
    pub const UNTOLD: Self = Self { rule: DuplicateRule::None, source: Source::Dialect };

    /// What it rests on, within a sentence.
    pub const fn source_in_words(&self) -> &'static str {
        match self.source {
            Source::Dialect => "likely for its dialect",
            Source::Switch => "seen on the switch",
            Source::Inventory => "set in the inventory",
        }
    }

    /// True when it is more than likely, so that what it forbids need not be tried.
    pub const fn is_sure(&self) -> bool {
        !matches!(self.source, Source::Dialect)
    }

    /// The belief after a look at what the switch holds: it takes that, so the rule is none that forbids it.
    #[must_use]
    pub fn after_taking(self, present: &[PresentBinding]) -> Self {
        let mut rules = RULES.into_iter().rev().skip_while(|rule| *rule != self.rule);
        match rules.find(|rule| rule.allows(present)) {
            Some(rule) if rule != self.rule => Self { rule, source: Source::Switch },
            _ => self,
        }
    }

    /// The belief after the switch refused that these bindings stand with one MAC: the laxest rule that forbids it, unless
    /// the one that is believed does.
    #[must_use]
    pub fn after_refusal(self, of_one_mac: &[PresentBinding]) -> Self {
        let mut rules = RULES.into_iter().skip_while(|rule| *rule != self.rule);
        match rules.find(|rule| !rule.allows(of_one_mac)) {
            Some(rule) if rule == self.rule && self.is_sure() => self,
            Some(rule) => Self { rule, source: Source::Switch },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Mac;
    use crate::domain::plan::Inactive;

    const MAC: Mac = Mac::new([0xaa, 0, 0, 0, 0, 1]);

    fn at(port: &str, vlan: &str, ip: &str) -> PresentBinding {
        PresentBinding::new(port.parse().expect("a name"), ip.parse().expect("an address"), vlan.parse().ok(), MAC)
    }

    fn believed(rule: DuplicateRule) -> Duplicates {
        Duplicates { rule, source: Source::Dialect }
    }

    #[test]
    fn what_stands_and_what_is_refused_correct_the_rule() {
        use DuplicateRule::{None, Port, Switch, Vlan};
        let one = at("ge-0/0/1.0", "V", "10.0.0.1");
        // Beside it: what a switch that holds both can have at most, and what one that refuses both has at least.
        let table = [
            (at("ge-0/0/1.0", "V", "10.0.0.2"), None, Port),
            (at("ge-0/0/2.0", "V", "10.0.0.2"), Port, Vlan),
            (at("ge-0/0/2.0", "V", "10.0.0.1"), Port, Vlan),
            (at("ge-0/0/2.0", "W", "10.0.0.2"), Vlan, Switch),
            (at("ge-0/0/1.0", "W", "10.0.0.2"), Vlan, Port),
            (at("ge-0/0/1", "V", "10.0.0.1"), Switch, None),
        ];
        for (other, most, least) in table {
            let both = [one.clone(), other];
            assert_eq!(believed(Switch).after_taking(&both).rule, most, "{both:?}");
            assert_eq!(believed(None).after_refusal(&both).rule, least, "{both:?}");
            for rule in RULES {
                assert_eq!(rule.forbids(&both[0], &both[1]), !rule.allows(&both), "{rule:?} {both:?}");
            }
        }
    }

    #[test]
    fn what_is_inactive_is_neither_refused_nor_taken() {
        let one = at("ge-0/0/1.0", "V", "10.0.0.1");
        let ignored = PresentBinding { inactive: Some(Inactive::Itself), ..at("ge-0/0/1.0", "V", "10.0.0.2") };
        assert!(!DuplicateRule::Switch.forbids(&one, &ignored));
        let both = [one, ignored];
        assert_eq!(believed(DuplicateRule::Switch).after_taking(&both).rule, DuplicateRule::Switch);
    }

    #[test]
    fn a_belief_that_fits_stays_as_it_is_and_a_refusal_makes_it_sure() {
        let both = [at("ge-0/0/1.0", "V", "10.0.0.1"), at("ge-0/0/1.0", "V", "10.0.0.2")];
        let likely = believed(DuplicateRule::Port);
        assert_eq!(likely.after_taking(&both[..1]), likely);
        assert!(!likely.is_sure() && likely.after_refusal(&both).is_sure());
        assert_eq!(likely.after_refusal(&both).rule, DuplicateRule::Port);
        let set = Duplicates::of(DuplicateChoice::Vlan, Some(DuplicateRule::None), Dialect::Els);
        assert_eq!((set.rule, set.source), (DuplicateRule::Vlan, Source::Inventory));
        assert_eq!(set.after_refusal(&both), set);
    }
}
