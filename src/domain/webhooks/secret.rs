//! The secret that a webhook's deliveries are signed with, in the form of Standard Webhooks: `whsec_` and base64.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What every secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a new secret; the standard asks for 24 to 64.
pub const SECRET_BYTES: usize = 32;

/// A secret. Only [`WebhookSecret::reveal`] gives it away; it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// The secret of these random bytes.
    pub fn of_bytes(bytes: &[u8; SECRET_BYTES]) -> Self {
        Self(format!("{PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// The secret that was stored as this text.
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The secret as people copy it, for the one answer that shows it and for the database.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The key that signs; none where what was stored is not a secret.
    pub fn key(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.0.strip_prefix(PREFIX)?).ok().filter(|key| !key.is_empty())
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_that_of_the_standard_and_never_prints() {
        let secret = WebhookSecret::of_bytes(&[7; SECRET_BYTES]);
        assert!(secret.reveal().starts_with("whsec_BwcH"), "{}", secret.reveal());
        assert_eq!(secret.key().as_deref(), Some(&[7; SECRET_BYTES][..]));
        assert_eq!(format!("{secret:?}"), "***");
        for text in ["", "whsec_", "BwcH", "whsec_?"] {
            assert_eq!(WebhookSecret::stored(text.to_owned()).key(), None, "{text}");
        }
    }
}
