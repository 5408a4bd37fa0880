//! Names that end up in Junos statements. What is not plainly a name never becomes one of these
//! types, so nothing from a message can break out of a statement.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::shown;

/// Why a text is not a name of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {kind}: {expected}", shown(text))]
pub struct NameError {
    kind: &'static str,
    expected: &'static str,
    text: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    return Ok(Self(text.to_owned()));
                }
                let text = text.chars().take(80).collect();
                Err(NameError { kind: $kind, expected: $expected, text })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
    };
}

name!(
    /// A Junos interface as port security names it: `ge-0/0/1`, `ge-0/0/1.0`, `ae12.0`, `xe-0/1/0:2`.
    InterfaceName,
    "an interface name",
    "expected a name such as ge-0/0/1.0 or ae12.0, at most 40 characters",
    is_interface
);
name!(
    /// A VLAN's name as Junos takes it, also with blanks and signs: at most 255 characters (the Junos schema's limit for
    /// `vlans vlan name` is 255 or less by release). It reaches a switch as escaped XML only.
    VlanName,
    "a VLAN name",
    "expected printable ASCII without a blank at either end, starting with a letter or digit, at most 255 characters",
    is_vlan
);
name!(
    /// The name under which the inventory knows a switch; same characters as a VLAN's, at most 64.
    SwitchName,
    "a switch name",
    "expected letters, digits, `-`, `_` and `.`, starting with a letter or digit, at most 64 characters",
    |text| is_plain(text, 64)
);
name!(
    /// The name of a site: switches that are frozen together; same characters as a switch's, at most 64.
    SiteName,
    "a site name",
    "expected letters, digits, `-`, `_` and `.`, starting with a letter or digit, at most 64 characters",
    |text| is_plain(text, 64)
);

name!(
    /// The name of a group of servers that share an address; same characters as a VLAN's, at most 64.
    GroupName,
    "a group name",
    "expected letters, digits, `-`, `_` and `.`, starting with a letter or digit, at most 64 characters",
    |text| is_plain(text, 64)
);

name!(
    /// The name of a pool of MACs in the settings; same characters as a VLAN's, at most 40.
    PoolName,
    "a pool's name",
    "expected letters, digits, `-`, `_` and `.`, starting with a letter or digit, at most 40 characters",
    |text| is_plain(text, 40)
);

name!(
    /// The name of a webhook; same characters as a VLAN's, at most 64, and not digits alone:
    /// numbers are ids.
    WebhookName,
    "a webhook's name",
    "expected letters, digits, `-`, `_` and `.`, starting with a letter or digit, not digits alone, at most 64 characters",
    |text| is_plain(text, 64) && !text.bytes().all(|byte| byte.is_ascii_digit())
);

impl InterfaceName {
    /// The name without unit 0: `ge-0/0/1` for both `ge-0/0/1` and `ge-0/0/1.0`.
    pub fn port(&self) -> &str {
        self.0.strip_suffix(".0").unwrap_or(&self.0)
    }

    /// The physical interface, without the unit.
    pub fn physical(&self) -> &str {
        self.0.split_once('.').map_or(&self.0, |(physical, _)| physical)
    }

    /// True when both names mean the same logical interface (unit 0 may be left out).
    pub fn same_interface(&self, other: &Self) -> bool {
        self.port() == other.port()
    }
}

fn is_plain(text: &str, length_max: usize) -> bool {
    text.len() <= length_max
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_vlan(text: &str) -> bool {
    text.len() <= 255
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !text.ends_with(' ')
        && text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
}

fn is_interface(text: &str) -> bool {
    let (name, unit) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.len() <= 5 && part.bytes().all(|b| b.is_ascii_digit());
    let kind_length = name.bytes().take_while(u8::is_ascii_lowercase).count();
    let (kind, place) = name.split_at(kind_length);
    let place = place.strip_prefix('-').unwrap_or(place);
    text.len() <= 40 && (2..=8).contains(&kind.len()) && is_number(unit) && place.split(['/', ':']).all(is_number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_interface_names_are_accepted() {
        for text in ["ge-0/0/1", "ge-0/0/1.0", "xe-0/1/0:2.13", "ae12.0", "mge-1/0/47.0", "irb.13"] {
            assert_eq!(text.parse::<InterfaceName>().is_ok(), text != "irb.13", "{text}");
        }
    }

    #[test]
    fn what_could_break_out_of_a_statement_is_no_name() {
        for text in ["ge-0/0/1; delete", "ge-0/0/1\n", "ge-0/0/", "", "ge-0/0/1.0.0", "GE-0/0/1", "<x/>"] {
            assert!(text.parse::<InterfaceName>().is_err(), "{text:?}");
        }
        for text in ["VLAN\n13", "", "-v", " v", "v ", "v\t", "ü"] {
            assert!(text.parse::<VlanName>().is_err(), "{text:?}");
        }
        for text in ["VLAN\n13", "a b", "", "v;", "-v", "v\"", "vlan{", "ü"] {
            assert!(text.parse::<SwitchName>().is_err(), "{text:?}");
        }
        for text in ["cust a/1", "a#1", "a&b", "v\"", "100"] {
            assert!(text.parse::<VlanName>().is_ok(), "Junos takes {text:?}");
        }
    }

    #[test]
    fn unit_zero_may_be_left_out() {
        let name = |text: &str| text.parse::<InterfaceName>().expect("an interface name");
        assert!(name("ge-0/0/1").same_interface(&name("ge-0/0/1.0")));
        assert!(!name("ge-0/0/1").same_interface(&name("ge-0/0/1.1")));
        assert!(!name("ge-0/0/1").same_interface(&name("ge-0/0/10.0")));
    }

    #[test]
    fn an_error_shows_the_text_escaped() {
        let error = "VLAN\n13".parse::<VlanName>().expect_err("refused");
        assert!(error.to_string().starts_with("`VLAN\\n13` is not a VLAN name"), "{error}");
    }

    proptest! {
        #[test]
        fn accepted_names_hold_only_harmless_characters(text in "[ -~\n]{0,20}") {
            let harmless = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:".contains(c));
            let names = [text.parse::<SwitchName>().map(String::from), text.parse::<InterfaceName>().map(String::from)];
            for name in names {
                prop_assert!(name.map_or(true, |name| harmless(&name)));
            }
            prop_assert!(text.parse::<VlanName>().map_or(true, |name| !name.as_str().contains('\n')));
        }
    }
}
