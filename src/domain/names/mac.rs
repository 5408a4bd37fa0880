//! MAC addresses: reading any usual notation, printing one, drawing virtual ones.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::domain::shown;

/// A 48-bit MAC address, printed lowercase with colons (`02:a1:b2:c3:d4:e5`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mac([u8; 6]);

/// Why a text is no MAC address, or not one that may be bound as a virtual MAC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// The text has another shape than six octets in hexadecimal.
    #[error("`{}` is not a MAC address: expected six octets such as 02:a1:b2:c3:d4:e5", shown(.0))]
    Malformed(String),
    /// The address is a group (multicast or broadcast) address.
    #[error("{0} is a group address; a virtual MAC must be unicast")]
    Group(Mac),
    /// The address is universally administered, so it may belong to a real card.
    #[error("{0} is not locally administered; a virtual MAC has the bit 0x02 set in its first octet")]
    NotLocal(Mac),
}

impl Mac {
    /// The address made of these octets, in transmission order.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The octets in transmission order.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The address as a number, the first octet highest.
    pub const fn number(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The address of a number; what is above 48 bits is left out.
    pub const fn of_number(number: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
        Self([a, b, c, d, e, f])
    }

    /// Draws `02:xx:xx:xx:xx:xx` with 40 random bits, leaving out what others use under `02:`.
    pub fn draw(rng: &mut impl Rng) -> Self {
        loop {
            let mac = Self::draw_under(&[0x02], rng);
            if !mac.is_reserved() {
                return mac;
            }
        }
    }

    /// Draws the octets behind these.
    pub fn draw_under(prefix: &[u8], rng: &mut impl Rng) -> Self {
        let mut octets = [0; 6];
        for (at, octet) in octets.iter_mut().enumerate() {
            *octet = prefix.get(at).copied().unwrap_or_else(|| rng.random());
        }
        Self(octets)
    }

    /// True for the prefixes that others use under `02:`: Docker (`02:42`), Microsoft NLB
    /// (`02:bf` and `02:01` to `02:20`), and the all-zero placeholder.
    pub fn is_reserved(self) -> bool {
        let [first, second, rest @ ..] = self.0;
        first == 0x02 && (Self::is_others_octet(second) || (second == 0 && rest == [0; 4]))
    }

    /// True for the octets that others put behind `02:`: Docker's 42, Microsoft NLB's bf and 01 to 20.
    pub const fn is_others_octet(second: u8) -> bool {
        matches!(second, 0x42 | 0xbf | 0x01..=0x20)
    }

    /// Checks that the address may be bound as a virtual MAC: locally administered unicast.
    ///
    /// # Errors
    /// [`MacError::Group`] or [`MacError::NotLocal`].
    pub fn as_virtual(self) -> Result<Self, MacError> {
        match self.0[0] {
            first if first & 0x01 != 0 => Err(MacError::Group(self)),
            first if first & 0x02 == 0 => Err(MacError::NotLocal(self)),
            _ => Ok(self),
        }
    }
}

impl Mac {
    /// Checks that several servers may share the address: a virtual one, or one of VRRP, whose last octet is the
    /// virtual router's number (RFC 9568 section 7.3: `00-00-5E-00-01-{VRID}`, for IPv6 `00-00-5E-00-02-{VRID}`).
    ///
    /// # Errors
    /// As [`Self::as_virtual`].
    pub fn as_shared(self) -> Result<Self, MacError> {
        match self.0 {
            [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, vrid] if vrid > 0 => Ok(self),
            _ => self.as_virtual(),
        }
    }
}

impl FromStr for Mac {
    type Err = MacError;

    /// Reads `aa:bb:cc:dd:ee:ff`, `aa-bb-…`, `aabb.ccdd.eeff` and `aabbccddeeff`, in either case.
    fn from_str(text: &str) -> Result<Self, MacError> {
        let malformed = || MacError::Malformed(text.chars().take(40).collect());
        let text = text.trim();
        let group = match text.len() {
            17 => 2,
            14 => 4,
            12 => 12,
            _ => return Err(malformed()),
        };
        let digits = digits_in_groups(text, group).ok_or_else(malformed)?;
        let mut octets = [0; 6];
        for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
            *octet = pair[0] << 4 | pair[1];
        }
        Ok(Self(octets))
    }
}

/// The twelve hexadecimal digits, when separators of one kind stand between groups of `group`.
fn digits_in_groups(text: &str, group: usize) -> Option<Vec<u8>> {
    let separators: &[char] = if group == 2 { &[':', '-'] } else { &['.'] };
    let separator = text.chars().nth(group);
    let mut digits = Vec::with_capacity(12);
    for (position, symbol) in text.chars().enumerate() {
        if position % (group + 1) == group {
            if Some(symbol) != separator || !separators.contains(&symbol) {
                return None;
            }
        } else {
            digits.push(u8::try_from(symbol.to_digit(16)?).ok()?);
        }
    }
    (digits.len() == 12).then_some(digits)
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for Mac {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_usual_notation_reads_as_the_same_address() {
        let expected = Mac([0x02, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5]);
        for text in ["02:a1:b2:c3:d4:e5", "02-A1-B2-C3-D4-E5", "02a1.b2c3.d4e5", "02A1B2C3D4E5", " 02:a1:b2:c3:d4:e5 "]
        {
            assert_eq!(text.parse::<Mac>().as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn mixed_separators_and_wrong_lengths_are_refused() {
        for text in
            ["02:a1-b2:c3:d4:e5", "02:a1:b2:c3:d4", "02a1:b2c3:d4e5", "zz:a1:b2:c3:d4:e5", "", "０2:a1:b2:c3:d4"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_locally_administered_unicast_may_be_virtual() {
        assert!(Mac([0x02, 0, 0, 0, 0, 1]).as_virtual().is_ok());
        assert!(matches!(Mac([0x03, 0, 0, 0, 0, 1]).as_virtual(), Err(MacError::Group(_))));
        assert!(matches!(Mac([0xaa & !2, 0, 0, 0, 0, 1]).as_virtual(), Err(MacError::NotLocal(_))));
    }

    proptest! {
        #[test]
        fn drawn_addresses_are_virtual_and_never_reserved(seed in any::<u64>()) {
            let mac = Mac::draw(&mut rand::rngs::StdRng::seed_from_u64(seed));
            prop_assert!(mac.as_virtual().is_ok() && !mac.is_reserved() && mac.octets()[0] == 0x02);
        }

        #[test]
        fn printing_and_reading_are_inverse(octets in any::<[u8; 6]>()) {
            prop_assert_eq!(Mac(octets).to_string().parse::<Mac>(), Ok(Mac(octets)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            let _ = text.parse::<Mac>();
        }
    }
}
