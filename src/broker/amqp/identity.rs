//! The client's certificate: by it RabbitMQ may know who connects, without a password.

use lapin::tcp::OwnedIdentity;

/// What PEM files say of themselves (RFC 7468).
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const PRIVATE_KEY: &str = "PRIVATE KEY-----";
/// Of keys with a passphrase: PKCS#8's own, and the older form of RFC 1421.
const ENCRYPTED: [&str; 2] = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];
/// A PKCS#12 file is one sequence of DER.
const DER_SEQUENCE: u8 = 0x30;

/// A client certificate with its private key. Prints neither.
#[derive(Clone)]
pub struct ClientIdentity(OwnedIdentity);

/// Why there is none. Repeats nothing of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Neither form.
    #[error("expected certificates in PEM form, or a PKCS#12 file")]
    NotACertificate,
    /// The certificate alone.
    #[error("has no private key: name its file in amqp.key_file")]
    NoKey,
    /// The key is not there.
    #[error("amqp.key_file has no private key in PEM form")]
    NotAKey,
    /// The key needs a passphrase, which only PKCS#12 files can have.
    #[error(
        "the private key is encrypted: decrypt it (`openssl pkey`), or use a PKCS#12 file with amqp.key_passphrase"
    )]
    Encrypted,
    /// A PKCS#12 file has its key within.
    #[error("is a PKCS#12 file, which has its private key within: leave amqp.key_file empty")]
    TwoKeys,
}

impl ClientIdentity {
    /// From what the files hold: `key` where it is in a file of its own, `passphrase` that of a PKCS#12 file.
    ///
    /// # Errors
    /// [`IdentityError`]. That the parts can be read and belong together shows only when they are used.
    pub fn new(certificate: Vec<u8>, key: Option<Vec<u8>>, passphrase: &str) -> Result<Self, IdentityError> {
        if has(&certificate, CERTIFICATE) {
            return Self::of_pem(certificate, key);
        }
        match (certificate.first(), key) {
            (Some(&DER_SEQUENCE), None) => {
                Ok(Self(OwnedIdentity::PKCS12 { der: certificate, password: passphrase.to_owned() }))
            }
            (Some(&DER_SEQUENCE), Some(_)) => Err(IdentityError::TwoKeys),
            _ => Err(IdentityError::NotACertificate),
        }
    }

    fn of_pem(pem: Vec<u8>, key: Option<Vec<u8>>) -> Result<Self, IdentityError> {
        let missing = if key.is_some() { IdentityError::NotAKey } else { IdentityError::NoKey };
        let key = key.unwrap_or_else(|| pem.clone());
        if ENCRYPTED.iter().any(|mark| has(&key, mark)) {
            return Err(IdentityError::Encrypted);
        }
        if has(&key, PRIVATE_KEY) { Ok(Self(OwnedIdentity::PKCS8 { pem, key })) } else { Err(missing) }
    }

    pub(super) fn owned(&self) -> OwnedIdentity {
        self.0.clone()
    }
}

fn has(bytes: &[u8], mark: &str) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n";
    const SEALED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    const OLD_SEALED: &str =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMA==\n-----END RSA PRIVATE KEY-----\n";

    fn identity(certificate: &str, key: Option<&str>) -> Result<(), IdentityError> {
        let key = key.map(|key| key.as_bytes().to_vec());
        ClientIdentity::new(certificate.as_bytes().to_vec(), key, "").map(|_| ())
    }

    #[test]
    fn a_certificate_and_its_key_are_in_one_file_or_in_two() {
        assert_eq!(identity(PEM, Some(KEY)), Ok(()));
        assert_eq!(identity(&format!("{KEY}{PEM}"), None), Ok(()));
        assert_eq!(identity("0\u{1}", None), Ok(()), "PKCS#12");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (certificate, key, problem) in [
            ("", None, IdentityError::NotACertificate),
            (KEY, None, IdentityError::NotACertificate),
            (PEM, None, IdentityError::NoKey),
            (PEM, Some(PEM), IdentityError::NotAKey),
            (PEM, Some(SEALED), IdentityError::Encrypted),
            (PEM, Some(OLD_SEALED), IdentityError::Encrypted),
            ("0\u{1}", Some(KEY), IdentityError::TwoKeys),
        ] {
            assert_eq!(identity(certificate, key), Err(problem), "{certificate} {key:?}");
        }
    }
}
