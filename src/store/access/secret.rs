//! The secret of a token, and the hash that is kept of it.

use std::fmt;

use sha2::{Digest, Sha256};

/// What every secret begins with, so that one that lies about is recognised, also by programs that look for such.
const PREFIX: &str = "vmacd_";

/// A token's secret. It is shown once, when it is made.
#[derive(Clone)]
pub struct TokenSecret(String);

impl TokenSecret {
    /// A new one, of 32 random bytes: too many to be guessed, so a plain hash of it is safe to keep.
    pub fn generate() -> Self {
        Self(format!("{PREFIX}{}", hex::encode(rand::random::<[u8; 32]>())))
    }

    /// The one that somebody shows.
    pub fn shown(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The secret itself, for the person that asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the database holds of it.
    pub fn hash(&self) -> String {
        let hash = Sha256::new_with_prefix("vmacd token\0").chain_update(&self.0);
        hex::encode(hash.finalize())
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_none_is_printed() {
        let (one, other) = (TokenSecret::generate(), TokenSecret::generate());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), PREFIX.len() + 64);
        assert_eq!(TokenSecret::shown(&format!(" {}\n", one.reveal())).hash(), one.hash());
        assert!(!one.hash().contains(&one.reveal()[PREFIX.len()..]) && !format!("{one:?}").contains(one.reveal()));
    }
}
