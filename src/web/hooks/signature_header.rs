//! The header with a signature, in the forms in which it is written. Pure.
//!
//! `HEX`, `sha256=HEX`, `sha256= HEX`, `SHA512:HEX`, base64 in place of the digits, `t=1764324000,v1=HEX`,
//! `ts=1764324000;h1=HEX`, `v1,BASE64 v1,BASE64`. The length says which hash it is; a name before it must not contradict that.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 in the alphabet of RFC 4648 section 4, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

/// What a header holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SignatureHeader {
    /// Signatures; one of them must be right. Several are shown while a sender changes its secret.
    pub tags: Vec<(Hash, Vec<u8>)>,
    /// The time of signing (`t=`, `ts=`).
    pub timestamp: Option<String>,
}

impl SignatureHeader {
    /// Reads a header. What is neither a signature nor a time is passed over.
    pub fn read(header: &str) -> Self {
        let mut shown = Self::default();
        // A name whose value follows a blank.
        let mut waiting = None;
        for word in header.split([',', ';', ' ', '\t']).filter(|word| !word.is_empty()) {
            let (name, value) = named(word);
            let name = name.or(waiting.take());
            match name {
                Some(name) if value.is_empty() => waiting = Some(name),
                Some(name) if is_time(name) => shown.timestamp = Some(value.to_owned()),
                name => shown.tags.extend(tag(name.unwrap_or_default(), value)),
            }
        }
        shown
    }
}

/// `NAME=VALUE` or `NAME:VALUE`, or a value alone.
fn named(word: &str) -> (Option<&str>, &str) {
    if tag("", word).is_some() {
        return (None, word);
    }
    match word.split_once('=').or_else(|| word.split_once(':')) {
        Some((name, value)) => (Some(name), value.trim_matches('"')),
        None => (None, word),
    }
}

fn is_time(name: &str) -> bool {
    ["t", "ts"].iter().any(|time| name.eq_ignore_ascii_case(time))
}

/// The signature that a text is, unless its name is that of another hash.
fn tag(name: &str, text: &str) -> Option<(Hash, Vec<u8>)> {
    let bytes = hex::decode(text).ok().or_else(|| BASE64.decode(text.replace('-', "+").replace('_', "/")).ok())?;
    let hash = match bytes.len() {
        32 => Hash::Sha256,
        64 => Hash::Sha512,
        _ => return None,
    };
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    let said = match () {
        () if name.contains("sha256") => Some(Hash::Sha256),
        () if name.contains("sha512") => Some(Hash::Sha512),
        () if name.contains("sha") || name.contains("md5") => return None,
        () => None,
    };
    said.is_none_or(|said| said == hash).then_some((hash, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_found_in_each_form_in_which_it_is_written() {
        let (hex, base64) = (hex::encode([0xab; 32]), BASE64.encode([0xab; 32]));
        let (long, long_base64) = (hex::encode([0xfb; 64]), BASE64.encode([0xfb; 64]));
        let (short, long_tag) = ((Hash::Sha256, vec![0xab; 32]), (Hash::Sha512, vec![0xfb; 64]));
        for (header, expected) in [
            (hex.clone(), &short),
            (hex.to_uppercase(), &short),
            (format!("sha256={hex}"), &short),
            (format!("sha256= {hex}"), &short),
            (format!("SHA256={}", hex.to_uppercase()), &short),
            (format!("sha-256:{hex}"), &short),
            (format!("HMAC {base64}"), &short),
            (format!("signature=\"{base64}\""), &short),
            (base64.clone(), &short),
            (base64.trim_end_matches('=').to_owned(), &short),
            (format!("sha256={base64}"), &short),
            (format!("v1,{base64}"), &short),
            (long.clone(), &long_tag),
            (format!("sha512={long}"), &long_tag),
            (long_base64.clone(), &long_tag),
            (long_base64.replace('+', "-").replace('/', "_"), &long_tag),
        ] {
            assert_eq!(SignatureHeader::read(&header).tags, std::slice::from_ref(expected), "{header}");
        }
    }

    #[test]
    fn a_time_is_found_beside_the_signatures() {
        let (one, other) = (hex::encode([1; 32]), hex::encode([2; 32]));
        for header in [format!("t=1764324000,v1={one},v0={other}"), format!("ts=1764324000; h1={one};h1={other}")] {
            let shown = SignatureHeader::read(&header);
            assert_eq!(shown.timestamp.as_deref(), Some("1764324000"), "{header}");
            assert_eq!(shown.tags, [(Hash::Sha256, vec![1; 32]), (Hash::Sha256, vec![2; 32])], "{header}");
        }
        assert_eq!(SignatureHeader::read("t=2026-11-21T10:00:00Z").timestamp.as_deref(), Some("2026-11-21T10:00:00Z"));
    }

    #[test]
    fn what_is_no_whole_signature_of_the_hash_that_it_names_is_passed_over() {
        let hex = hex::encode([0xab; 32]);
        for header in [
            String::new(),
            "sha256=".to_owned(),
            "sha256".to_owned(),
            hex[..62].to_owned(),
            format!("{hex}00"),
            format!("sha512={hex}"),
            format!("sha256={hex}{hex}"),
            format!("sha1={hex}"),
            format!("sha1= {hex}"),
            "ü".to_owned(),
        ] {
            assert_eq!(SignatureHeader::read(&header), SignatureHeader::default(), "{header}");
        }
    }
}
