//! The first octets that all MACs of a pool have.

use std::fmt;
use std::str::FromStr;

use crate::domain::{Mac, shown};

/// Most octets of a prefix: at least one of the six is left to be drawn.
const OCTETS_MAX: usize = 5;

/// One to five octets, `02` the first, written `02:a5:10`; behind `02` nothing that others use there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Vec<u8>);

/// Why a text is no prefix for virtual MACs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The text has another shape.
    #[error("`{}` is not a valid prefix of MACs: expected one to five octets such as 02:a5:10", shown(.0))]
    Malformed(String),
    /// The first octet is another one.
    #[error("{0} does not begin with 02: virtual MACs are locally administered unicast addresses under 02")]
    NotUnder02(Prefix),
    /// Others use what is under it.
    #[error("{0} is used by others (Docker has 02:42, Microsoft NLB 02:bf and 02:01 to 02:20)")]
    OfOthers(Prefix),
}

impl Prefix {
    /// `02`, under which all virtual MACs are.
    pub fn whole() -> Self {
        Self(vec![0x02])
    }

    /// `02` and this octet.
    ///
    /// # Errors
    /// [`PrefixError::OfOthers`].
    pub fn tagged(octet: u8) -> Result<Self, PrefixError> {
        Self(vec![0x02, octet]).checked()
    }

    /// `02:00`, under which MACs are made from IPv4 addresses.
    pub fn of_addresses() -> Self {
        Self(vec![0x02, 0x00])
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// True when the MAC begins with it.
    pub fn covers(&self, mac: Mac) -> bool {
        mac.octets().starts_with(&self.0)
    }

    /// True when every MAC that begins with `inner` begins with this too, and others do.
    pub fn is_around(&self, inner: &Self) -> bool {
        self != inner && inner.0.starts_with(&self.0)
    }

    /// The first MAC under it.
    pub fn first(&self) -> Mac {
        self.filled(0x00)
    }

    /// The last MAC under it.
    pub fn last(&self) -> Mac {
        self.filled(0xff)
    }

    /// How many MACs are under it that may be handed out: without what others use, and the all-zero placeholder.
    pub fn size(&self) -> u64 {
        let all = self.last().number() - self.first().number() + 1;
        let others = (0..=u8::MAX).filter(|second| self.0.len() == 1 && Mac::is_others_octet(*second)).count() as u64;
        let placeholder = u64::from(self.covers(Mac::new([0x02, 0, 0, 0, 0, 0])));
        all - others * (1 << 32) - placeholder
    }

    fn filled(&self, octet: u8) -> Mac {
        let mut octets = [octet; 6];
        octets[..self.0.len()].copy_from_slice(&self.0);
        Mac::new(octets)
    }

    fn checked(self) -> Result<Self, PrefixError> {
        match self.0.as_slice() {
            [0x02, second, ..] if Mac::is_others_octet(*second) => Err(PrefixError::OfOthers(self)),
            [0x02, ..] => Ok(self),
            _ => Err(PrefixError::NotUnder02(self)),
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let malformed = || PrefixError::Malformed(text.chars().take(40).collect());
        let is_octet = |part: &&str| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        let octet = |part| Some(part).filter(is_octet).and_then(|part| u8::from_str_radix(part, 16).ok());
        let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
        let octets = octets.filter(|octets| octets.len() <= OCTETS_MAX).ok_or_else(malformed)?;
        Self(octets).checked()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets: Vec<String> = self.0.iter().map(|octet| format!("{octet:02x}")).collect();
        f.write_str(&octets.join(":"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect("a prefix")
    }

    #[test]
    fn one_to_five_octets_under_02_are_a_prefix() {
        for text in ["02", "02:a5", "02:A5:10", "02:00:00:00:00", "02:ff:ff:ff:ff"] {
            assert_eq!(prefix(text).to_string(), text.to_lowercase());
        }
        for (text, expected) in [
            ("", "is not a valid prefix"),
            ("02:", "is not a valid prefix"),
            ("2", "is not a valid prefix"),
            ("02:+5", "is not a valid prefix"),
            ("02-a5", "is not a valid prefix"),
            ("02:00:00:00:00:00", "is not a valid prefix"),
            ("06:a5", "does not begin with 02"),
            ("52", "does not begin with 02"),
            ("02:42", "is used by others"),
            ("02:bf:00", "is used by others"),
            ("02:20", "is used by others"),
        ] {
            let error = text.parse::<Prefix>().expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_size_leaves_out_what_is_never_handed_out() {
        assert_eq!(prefix("02").size(), (1 << 40) - 34 * (1 << 32) - 1);
        assert_eq!(prefix("02:00").size(), (1 << 32) - 1);
        assert_eq!(prefix("02:00:00:00:00").size(), 255);
        assert_eq!(prefix("02:a5:10:00:01").size(), 256);
    }

    #[test]
    fn a_prefix_knows_its_macs_and_what_is_inside_it() {
        let (outer, inner) = (prefix("02:a5"), prefix("02:a5:10"));
        assert!(outer.is_around(&inner) && !inner.is_around(&outer) && !outer.is_around(&outer));
        assert_eq!(inner.first().to_string(), "02:a5:10:00:00:00");
        assert_eq!(inner.last().to_string(), "02:a5:10:ff:ff:ff");
        assert!(inner.covers(inner.last()) && !inner.covers(Mac::of_number(inner.last().number() + 1)));
    }
}
