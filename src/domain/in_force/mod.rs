//! Whether a binding that stands in a switch's configuration takes effect, from what was read of the switch. Pure.
//!
//! Three things keep one from it: the MAC does not get in at the port, the port is not guarded, or the switch's own table
//! does not have the binding. `facts` finds out which of them hold, [`verdict`] weighs them.

mod facts;
mod reasons;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::audit::LearnedMac;
use super::evidence::{EvidenceTable, TableEntries};
use super::plan::PresentBinding;
use super::{BindableAddress, InterfaceName, Mac, VlanName, shown};
use facts::{Facts, Guarded, Shown};

/// Whether a binding takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InForceState {
    /// The switch's own table shows it, at a port that is guarded.
    Yes,
    /// It is in the configuration, but the switch does not enforce it.
    No,
    /// The switch does not tell.
    Unknown,
}

impl InForceState {
    /// Each there is.
    pub const ALL: [Self; 3] = [Self::Yes, Self::No, Self::Unknown];

    /// The text used in the database, in events and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// A text that is none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not one of yes, no, unknown", shown(.0))]
pub struct InForceStateError(String);

impl FromStr for InForceState {
    type Err = InForceStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let state = Self::ALL.into_iter().find(|state| state.as_str() == text);
        state.ok_or_else(|| InForceStateError(text.to_owned()))
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal,)+) => {
        /// Why a binding is not in force, or why nobody knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum InForceCode { $($(#[$doc])* $code,)+ }

        impl InForceCode {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$code,)+];

            /// As stored and told.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name,)+ }
            }
        }
    };
}

codes! {
    /// The configuration holds no such binding that counts.
    NotBound = "not_bound",
    /// The port lets only the MACs of a list in, and this is none of them.
    AllowedMac = "allowed_mac",
    /// The port lets no more MACs in.
    MacLimit = "mac_limit",
    /// A port keeps the MACs that it has learned, and so leaves no place for this one.
    PersistentLearning = "persistent_learning",
    /// The switch has learned the MAC on another port.
    LearnedElsewhere = "learned_elsewhere",
    /// Nothing in the VLAN looks at bindings.
    GuardsOff = "guards_off",
    /// The port is a trunk, which is not guarded.
    Trunk = "trunk",
    /// The port is trusted, by itself or by its group.
    Trusted = "trusted",
    /// The switch's table of bindings does not show it.
    NotInTable = "not_in_table",
    /// The switch does not show its table of bindings.
    NotShown = "not_shown",
    /// Nothing tells the port's VLAN.
    VlanUnknown = "vlan_unknown",
}

/// Why, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InForceReason {
    /// The stable code.
    pub code: InForceCode,
    /// The sentence for people.
    pub text: String,
}

/// What is known of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InForceVerdict {
    /// It is in force, as this table shows.
    Yes(EvidenceTable),
    /// It is not.
    No(InForceReason),
    /// Nobody knows.
    Unknown(InForceReason),
}

/// What a row remembers of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InForce {
    /// Whether it is.
    pub state: InForceState,
    /// The table that shows it, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EvidenceTable")]
    pub table: Option<EvidenceTable>,
    /// Why it is not, or why nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "InForceReason")]
    pub reason: Option<InForceReason>,
    /// Since when this is known, UTC; when a switch was last asked about all its bindings is known of the switch.
    pub at: DateTime<Utc>,
}

impl InForce {
    /// What was found out at that time.
    pub fn of(verdict: InForceVerdict, at: DateTime<Utc>) -> Self {
        let (state, table, reason) = match verdict {
            InForceVerdict::Yes(table) => (InForceState::Yes, Some(table), None),
            InForceVerdict::No(reason) => (InForceState::No, None, Some(reason)),
            InForceVerdict::Unknown(reason) => (InForceState::Unknown, None, Some(reason)),
        };
        Self { state, table, reason, at }
    }

    /// The same as before with the time that it had; else this.
    pub fn or_as_before(self, before: Option<&Self>) -> Self {
        match before {
            Some(before) if *before == (Self { at: before.at, ..self.clone() }) => before.clone(),
            _ => self,
        }
    }

    /// When the switch was last asked: when it answered as it does, or with the last look at all of its bindings.
    pub fn checked_at(&self, seen_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
        seen_at.map_or(self.at, |seen_at| seen_at.max(self.at))
    }

    /// The code of its reason.
    pub fn code(&self) -> Option<InForceCode> {
        self.reason.as_ref().map(|reason| reason.code)
    }

    /// True where it is worth telling, after what was known before. That it is in force is expected of a binding that was
    /// just made, and not knowing is not news where nothing was known.
    pub fn is_news_after(&self, before: Option<&Self>) -> bool {
        match before {
            Some(before) => (before.state, before.code()) != (self.state, self.code()),
            None => self.state == InForceState::No,
        }
    }
}

/// A binding that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBinding {
    /// The address.
    pub ip: BindableAddress,
    /// The MAC.
    pub mac: Mac,
    /// The port.
    pub interface: InterfaceName,
    /// The VLAN, where it is known.
    pub vlan: Option<VlanName>,
    /// Its row has other ports, so that the MAC may rightly be seen at those.
    pub has_other_ports: bool,
}

/// How the configuration guards a port, for one family of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortGuard {
    /// The guards of its VLAN; none where the VLAN is not known.
    pub vlan: Option<Guards>,
    /// Why the guards do not look at this port.
    pub exempt: Option<Exempt>,
    /// The only MACs that are let in; empty for all.
    pub allowed: Vec<Mac>,
    /// How many MACs are let in.
    pub limit: Option<MacLimit>,
    /// MACs that were learned stay.
    pub keeps: bool,
}

/// The guards that are on in a VLAN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guards {
    /// Traffic from a source that contradicts a binding is dropped (`ip-source-guard`, `ipv6-source-guard`).
    pub sources: bool,
    /// ARP, or neighbour discovery, that contradicts a binding is dropped (`arp-inspection`, `neighbor-discovery-inspection`).
    pub inspection: bool,
}

/// What keeps the guards from a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exempt {
    /// It is a trunk; where it is said to be untrusted, inspection looks at it nevertheless.
    Trunk {
        /// A statement says that it is not trusted.
        untrusted: bool,
    },
    /// It is trusted by this statement.
    Trusted(String),
}

/// How many MACs a port lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacLimit {
    /// So many.
    pub macs: usize,
    /// By this statement.
    pub statement: String,
}

/// A table that a switch showed.
#[derive(Debug)]
pub struct ShownTable {
    /// Which one.
    pub table: EvidenceTable,
    /// What it holds.
    pub entries: TableEntries,
}

/// What a switch showed. Of each table none where it does not show it.
#[derive(Debug, Default)]
pub struct SwitchAnswers {
    /// What its IP source guard goes by, for IPv4.
    pub source_guard: Option<ShownTable>,
    /// Its table of bindings of IPv4 addresses.
    pub bindings: Option<ShownTable>,
    /// That of IPv6 addresses.
    pub bindings_v6: Option<ShownTable>,
    /// The MACs that it has learned.
    pub learned: Option<Vec<LearnedMac>>,
    /// The bindings in its configuration.
    pub present: Vec<PresentBinding>,
}

impl SwitchAnswers {
    /// For each table that was read, whether it shows the binding.
    pub fn tables(&self, binding: &AskedBinding) -> BTreeMap<EvidenceTable, bool> {
        let of_bindings = [&self.source_guard, &self.bindings, &self.bindings_v6].into_iter().flatten();
        let shows = |shown: &ShownTable| shown.entries.shows(binding.ip, binding.mac, &binding.interface);
        let mut tables: BTreeMap<_, _> = of_bindings.map(|shown| (shown.table, shows(shown))).collect();
        if self.learned.is_some() {
            tables.insert(EvidenceTable::Learned, self.learned_on(binding).any(|is_here| is_here));
        }
        tables
    }

    /// For each port that the binding's MAC was learned on, whether it is the binding's.
    fn learned_on<'a>(&'a self, binding: &'a AskedBinding) -> impl Iterator<Item = bool> {
        let of_mac = self.learned.iter().flatten().filter(|learned| learned.mac == binding.mac);
        of_mac.map(|learned| learned.interface.same_interface(&binding.interface))
    }
}

/// Whether the binding is in force. What keeps the MAC out counts first, then what the source guard itself goes by, then
/// whether anything looks at the port, and last the switch's table of bindings.
pub fn verdict(binding: &AskedBinding, guard: &PortGuard, seen: &SwitchAnswers) -> InForceVerdict {
    let facts = Facts::of(binding, guard, seen);
    let missing = |table: EvidenceTable| InForceVerdict::No(reasons::not_in_table(binding, table));
    match (facts.stands, facts.barred, facts.source_guard, facts.guarded, facts.bindings) {
        (false, ..) => InForceVerdict::No(reasons::not_bound(binding)),
        (true, Some(why), ..) => InForceVerdict::No(why),
        (true, None, Shown::Yes(table), ..) => InForceVerdict::Yes(table),
        (true, None, Shown::No(_) | Shown::Silent, Guarded::No(why), _) => InForceVerdict::No(why),
        (true, None, Shown::No(_) | Shown::Silent, Guarded::Unknown(why), _) => InForceVerdict::Unknown(why),
        (true, None, Shown::No(table), Guarded::BySource, _) => missing(table),
        (true, None, Shown::Silent, Guarded::BySource, Shown::Yes(table))
        | (true, None, Shown::No(_) | Shown::Silent, Guarded::ByInspection, Shown::Yes(table)) => {
            InForceVerdict::Yes(table)
        }
        (true, None, Shown::Silent, Guarded::BySource, Shown::No(table))
        | (true, None, Shown::No(_) | Shown::Silent, Guarded::ByInspection, Shown::No(table)) => missing(table),
        (true, None, Shown::Silent, Guarded::BySource, Shown::Silent)
        | (true, None, Shown::No(_) | Shown::Silent, Guarded::ByInspection, Shown::Silent) => {
            InForceVerdict::Unknown(reasons::not_shown())
        }
    }
}
