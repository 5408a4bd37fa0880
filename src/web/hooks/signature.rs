//! Who sent a delivery: HMAC-SHA256 (RFC 2104, FIPS 180-4) of the body as it came, under the hook's secret.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What may stand before the hexadecimal digits.
const PREFIX: &str = "sha256=";

/// True when `shown` is the signature of the body: hexadecimal digits, with or without `sha256=` before them. How long
/// the comparison takes tells nothing of the right one.
pub(super) fn is_signed(secret: &str, body: &[u8], shown: &str) -> bool {
    let shown = shown.trim();
    let Ok(tag) = hex::decode(shown.strip_prefix(PREFIX).unwrap_or(shown)) else { return false };
    // Keys of every length are taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&tag).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sign(secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    }

    #[test]
    fn the_signature_of_the_standard_is_taken_in_each_of_its_forms() {
        // RFC 4231, test case 2.
        let tag = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        for shown in [tag.to_owned(), tag.to_uppercase(), format!("sha256={tag}"), format!(" {tag} ")] {
            assert!(is_signed("Jefe", b"what do ya want for nothing?", &shown), "{shown}");
        }
    }

    #[test]
    fn what_is_no_whole_signature_is_refused() {
        let tag = sign("secret", b"body");
        for shown in ["", "sha256=", "sha1=00", &tag[..62], &format!("{tag}00"), &format!("sha512={tag}"), "zz", "ü"] {
            assert!(!is_signed("secret", b"body", shown), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn only_the_secret_and_the_very_body_make_the_signature(
            secret in ".{1,40}", body in proptest::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0..8_u8
        ) {
            let tag = sign(&secret, &body);
            prop_assert!(is_signed(&secret, &body, &tag));
            prop_assert!(!is_signed(&[secret.as_str(), "x"].concat(), &body, &tag));
            let mut other = body;
            let at = at.index(other.len());
            other[at] ^= 1_u8 << bit;
            prop_assert!(!is_signed(&secret, &other, &tag));
        }

        #[test]
        fn no_header_makes_the_check_panic(shown in any::<String>()) {
            prop_assert!(!is_signed("secret", b"body", &shown));
        }
    }
}
