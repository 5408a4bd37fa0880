//! What somebody looks for among addresses: all of one, or a part of it, in whichever way people write it.

use ipnet::IpNet;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// The addresses of a subnet.
    Within(IpNet),
    /// Whatever has this text.
    Text(SearchText),
}

/// A text, and what it may be a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText {
    /// As it was written, without the blanks around it.
    pub written: String,
    /// In lowercase: a part of a reference.
    pub lowercase: String,
    /// A part of an address: octets, or what an address of IPv6 is written with.
    pub address: Option<String>,
    /// What a MAC begins with: hexadecimal digits without what stands between them.
    pub mac_start: Option<String>,
    /// The number of a server.
    pub number: Option<i64>,
}

/// Fewest digits that are looked for at the start of a MAC: with less nearly every MAC would be one.
const MAC_DIGITS_MIN: usize = 3;

impl Search {
    /// What the text asks for; none where it is empty.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.parse::<IpNet>() {
            _ if text.is_empty() => None,
            Ok(net) => Some(Self::Within(net.trunc())),
            Err(_) => Some(Self::Text(SearchText::of(text))),
        }
    }
}

impl SearchText {
    fn of(text: &str) -> Self {
        let lowercase = text.to_lowercase();
        Self {
            written: text.to_owned(),
            address: is_part_of_address(&lowercase).then(|| lowercase.clone()),
            mac_start: mac_start(&lowercase),
            number: text.parse().ok().filter(|number| *number > 0),
            lowercase,
        }
    }
}

/// A number alone is more often that of a server or an order.
fn is_part_of_address(text: &str) -> bool {
    let v4 = text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let v6 = text.contains(':') && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    v4 || v6
}

/// `02:5e:10`, `02-5e-10` and `025e.10` all begin the same MAC.
fn mac_start(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    ((MAC_DIGITS_MIN..=12).contains(&digits.len()) && is_hex).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(written: &str) -> SearchText {
        match Search::of(written) {
            Some(Search::Text(text)) => text,
            other => panic!("{written}: {other:?}"),
        }
    }

    #[test]
    fn a_subnet_is_one_also_with_host_bits() {
        let within = |text: &str| Some(Search::Within(text.parse().expect("a subnet")));
        assert_eq!(Search::of(" 10.20.0.0/16 "), within("10.20.0.0/16"));
        assert_eq!(Search::of("192.0.2.11/30"), within("192.0.2.8/30"));
        assert_eq!(Search::of("2001:db8::/32"), within("2001:db8::/32"));
        assert!(matches!(Search::of("10.20.0.0/33"), Some(Search::Text(_))));
        assert_eq!(Search::of("  "), None);
    }

    #[test]
    fn parts_are_told_by_their_characters() {
        assert_eq!(text("10.0.48.").address.as_deref(), Some("10.0.48."));
        assert_eq!(text("2001:DB8:").address.as_deref(), Some("2001:db8:"));
        assert_eq!((text("7781").address, text("order 7781").address), (None, None));
        for written in ["02:5E:10", "02-5e-10", "025e.10", "025e10"] {
            assert_eq!(text(written).mac_start.as_deref(), Some("025e10"), "{written}");
        }
        assert_eq!((text("02").mac_start, text("sw-001").mac_start), (None, None));
        assert_eq!((text("1042").number, text("order 7781").number), (Some(1042), None));
    }
}
