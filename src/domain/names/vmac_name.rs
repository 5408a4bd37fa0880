//! How people name a virtual MAC: by its address, by the MAC, or by its row's number.

use std::fmt;
use std::str::FromStr;

use crate::domain::{BindableAddress, Mac, shown};

/// What a virtual MAC is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VmacName {
    /// The address.
    Ip(BindableAddress),
    /// The MAC.
    Mac(Mac),
    /// The row's number.
    Id(i64),
}

/// The text is none of the three.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid IP address, MAC or row id")]
pub struct VmacNameError(String);

impl FromStr for VmacName {
    type Err = VmacNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text.parse(), text.parse(), text.parse()) {
            (Ok(ip), _, _) => Ok(Self::Ip(ip)),
            (_, Ok(mac), _) => Ok(Self::Mac(mac)),
            (_, _, Ok(id)) => Ok(Self::Id(id)),
            _ => Err(VmacNameError(shown(text).into_owned())),
        }
    }
}

impl fmt::Display for VmacName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Mac(mac) => mac.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_three_is_told_from_the_others() {
        let name = |text: &str| text.parse::<VmacName>().map_err(|error| error.to_string());
        assert_eq!(name("10.0.0.6"), Ok(VmacName::Ip("10.0.0.6".parse().expect("an address"))));
        assert_eq!(name("02:5e:10:9a:0c:44"), Ok(VmacName::Mac("02:5e:10:9a:0c:44".parse().expect("a MAC"))));
        assert_eq!(name("42"), Ok(VmacName::Id(42)));
        assert_eq!(name("sw\n1"), Err("`sw\\n1` is not a valid IP address, MAC or row id".to_owned()));
    }
}
