//! Which events a webhook gets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::{SiteName, shown};

/// Longest pattern, characters.
const PATTERN_CHARS_MAX: usize = 100;

/// A routing key, in which `*` stands for one word as in AMQP: `vmac.failed`, `vmac.*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EventPattern(String);

impl EventPattern {
    /// True where an event with this routing key is meant.
    pub fn matches(&self, routing_key: &str) -> bool {
        let (mut own, mut others) = (self.0.split('.'), routing_key.split('.'));
        loop {
            match (own.next(), others.next()) {
                (None, None) => return true,
                (Some(own), Some(other)) if own == "*" || own == other => {}
                _ => return false,
            }
        }
    }
}

impl FromStr for EventPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_word = |word: &str| {
            let plain = word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
            word == "*" || !word.is_empty() && plain
        };
        if text.len() <= PATTERN_CHARS_MAX && text.split('.').all(is_word) {
            return Ok(Self(text.to_owned()));
        }
        let text: String = text.chars().take(80).collect();
        Err(format!(
            "`{}` is not an event: expected a routing key such as vmac.failed, or vmac.* for all",
            shown(&text)
        ))
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<EventPattern> for String {
    fn from(pattern: EventPattern) -> Self {
        pattern.0
    }
}

impl TryFrom<String> for EventPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Which events a webhook gets: those that pass each of the three. An empty list lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookFilter {
    /// With one of these routing keys.
    pub events: Vec<EventPattern>,
    /// Of a switch at one of these sites.
    pub sites: Vec<SiteName>,
    /// Whose reference begins with one of these texts.
    pub references: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_word() {
        let matches = |pattern: &str, key| pattern.parse::<EventPattern>().expect("a pattern").matches(key);
        assert!(
            matches("vmac.failed", "vmac.failed") && matches("vmac.*", "vmac.in_force") && matches("*.*", "vmac.drift")
        );
        assert!(
            !matches("vmac.failed", "vmac.active") && !matches("*", "vmac.active") && !matches("vmac.*", "vmac.a.b")
        );
        assert!(!matches("vmac.in_force", "vmac.in-force") && !matches("vmac.*.*", "vmac.active"));
    }

    #[test]
    fn what_is_no_routing_key_is_refused() {
        for text in ["", ".", "vmac.", "vmac.#", "vmac.act*", "VMAC.active", "vmac active", "vmac.%", "a\u{1b}[2J"] {
            let refused = text.parse::<EventPattern>().expect_err("refused");
            assert!(refused.contains("is not an event") && !refused.contains('\u{1b}'), "{refused}");
        }
    }
}
