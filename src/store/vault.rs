//! How a configuration is packed: compressed against an earlier one of the same switch, and sealed with a key.
//!
//! The compression is zstd (RFC 8878) with the earlier configuration as its prefix; the seal is age
//! (age-encryption.org/v1), so that with the key the `age` tool opens what is in the table.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;

/// zstd's own default: most of the gain at little cost.
const ZSTD_LEVEL: i32 = 3;
/// The widest window that a decoder takes without being told (zstd.h, `ZSTD_WINDOWLOG_LIMIT_DEFAULT`).
const WINDOW_LOG_MAX: u32 = 27;
/// What every sealed content begins with (age-encryption.org/v1, "header").
const SEALED: &[u8] = b"age-encryption.org/";

/// The age identities of a key file: the first seals, each of them opens. Never prints.
pub struct BackupKey(Vec<Identity>);

impl BackupKey {
    /// A new key, as the content of a key file.
    pub fn generate() -> String {
        let identity = Identity::generate();
        format!("# public key: {}\n{}\n", identity.to_public(), identity.to_string().expose_secret())
    }
}

impl FromStr for BackupKey {
    type Err = String;

    /// Reads lines `AGE-SECRET-KEY-1...`; empty ones and those with `#` in front are passed over. The error does not
    /// repeat what it read.
    fn from_str(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).enumerate();
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let read = keys.map(|(index, line)| {
            line.parse().map_err(|problem| format!("line {} is no age secret key: {problem}", index + 1))
        });
        let identities: Vec<Identity> = read.collect::<Result<_, String>>()?;
        if identities.is_empty() {
            return Err("it holds no line AGE-SECRET-KEY-1...; `vmacd backups keygen` makes one".to_owned());
        }
        Ok(Self(identities))
    }
}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKey(***)")
    }
}

/// Packs and unpacks; with a key it seals as well.
#[derive(Debug, Default)]
pub(super) struct Vault {
    key: Option<BackupKey>,
}

impl Vault {
    pub fn new(key: Option<BackupKey>) -> Self {
        Self { key }
    }

    /// True for what this vault would pack the same way: sealed where there is a key, else not.
    pub fn is_as_wanted(&self, packed: &[u8]) -> bool {
        packed.starts_with(SEALED) == self.key.is_some()
    }

    pub fn pack(&self, content: &[u8], base: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = zstd::Encoder::with_ref_prefix(Vec::new(), ZSTD_LEVEL, base)?;
        let reach = (content.len() + base.len()).next_power_of_two().ilog2();
        encoder.long_distance_matching(true)?;
        encoder.window_log(reach.clamp(10, WINDOW_LOG_MAX))?;
        encoder.write_all(content)?;
        let packed = encoder.finish()?;
        match self.key.as_ref().and_then(|key| key.0.first()) {
            Some(identity) => age::encrypt(&identity.to_public(), &packed).map_err(io::Error::other),
            None => Ok(packed),
        }
    }

    pub fn unpack(&self, packed: &[u8], base: &[u8]) -> io::Result<Vec<u8>> {
        let opened;
        let packed = if packed.starts_with(SEALED) {
            opened = self.unseal(packed)?;
            &opened
        } else {
            packed
        };
        let mut content = Vec::new();
        zstd::Decoder::with_ref_prefix(packed, base)?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn unseal(&self, sealed: &[u8]) -> io::Result<Vec<u8>> {
        let Some(key) = &self.key else {
            return Err(io::Error::other("it is sealed: set backups.key_file to the key that opens it"));
        };
        let opened = key.0.iter().find_map(|identity| age::decrypt(identity, sealed).ok());
        opened.ok_or_else(|| io::Error::other("no key of backups.key_file opens it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(ports: usize) -> Vec<u8> {
        let port =
            |n| format!("interface ge-0/0/{n}.0 {{ static-ip 10.0.{}.{} mac 02:00:00:00:00:01; }}\n", n / 250, n % 250);
        (0..ports).map(port).collect::<String>().into_bytes()
    }

    #[test]
    fn a_small_change_to_a_large_configuration_takes_little() {
        let (vault, base) = (Vault::default(), configuration(9_000));
        let mut changed = base.clone();
        changed.extend_from_slice(b"one line more\n");
        let packed = vault.pack(&changed, &base).expect("packed");
        assert!(packed.len() * 500 < changed.len(), "{} of {}", packed.len(), changed.len());
        assert_eq!(vault.unpack(&packed, &base).expect("unpacked"), changed);
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_alone_also_after_a_rotation() {
        let (old, new) = (BackupKey::generate(), BackupKey::generate());
        let vault = |text: &str| Vault::new(Some(text.parse().expect("a key file")));
        let sealed = vault(&old).pack(b"encrypted-password", b"").expect("sealed");
        assert!(vault(&old).is_as_wanted(&sealed) && !Vault::default().is_as_wanted(&sealed));
        let rotated = vault(&format!("{new}{old}"));
        assert_eq!(rotated.unpack(&sealed, b"").expect("opened"), b"encrypted-password");
        let again = rotated.pack(b"x", b"").expect("sealed");
        assert!(vault(&old).unpack(&again, b"").is_err_and(|error| error.to_string().contains("no key of")));
        assert!(Vault::default().unpack(&sealed, b"").is_err_and(|error| error.to_string().contains("key_file")));
    }

    #[test]
    fn a_key_file_without_a_key_is_refused_without_being_repeated() {
        let refused = |text: &str| text.parse::<BackupKey>().expect_err("no key");
        assert!(refused("# only a comment\n").contains("no line"));
        assert!(!refused("hunter2").contains("hunter2") && refused("\nhunter2").contains("line 2"));
    }
}
