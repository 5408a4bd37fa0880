//! How a configuration is packed: compressed against an earlier one of the same switch, and sealed with a key.
//!
//! The compression is zstd (RFC 8878) with the earlier configuration as its prefix; `seal` is the other half.

use std::io::{self, Read, Write};

use crate::store::backups::seal::{BackupKey, is_sealed};

/// zstd's own default: most of the gain at little cost.
const ZSTD_LEVEL: i32 = 3;
/// The widest window that a decoder takes without being told (zstd.h, `ZSTD_WINDOWLOG_LIMIT_DEFAULT`).
const WINDOW_LOG_MAX: u32 = 27;

/// Packs and unpacks; with a key it seals as well.
#[derive(Debug, Default)]
pub(in crate::store) struct Packer {
    key: Option<BackupKey>,
}

impl Packer {
    pub fn new(key: Option<BackupKey>) -> Self {
        Self { key }
    }

    /// True for what this packer would pack the same way: sealed where there is a key, else not.
    pub fn is_as_wanted(&self, packed: &[u8]) -> bool {
        is_sealed(packed) == self.key.is_some()
    }

    pub fn pack(&self, content: &[u8], base: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = zstd::Encoder::with_ref_prefix(Vec::new(), ZSTD_LEVEL, base)?;
        let reach = (content.len() + base.len()).next_power_of_two().ilog2();
        encoder.long_distance_matching(true)?;
        encoder.window_log(reach.clamp(10, WINDOW_LOG_MAX))?;
        encoder.write_all(content)?;
        let packed = encoder.finish()?;
        match &self.key {
            Some(key) => key.seal(&packed),
            None => Ok(packed),
        }
    }

    pub fn unpack(&self, packed: &[u8], base: &[u8]) -> io::Result<Vec<u8>> {
        let opened;
        let packed = match (is_sealed(packed), &self.key) {
            (true, None) => {
                return Err(io::Error::other("it is sealed: set backups.key_file to the key that opens it"));
            }
            (true, Some(key)) => {
                opened = key.open(packed)?;
                &opened
            }
            (false, _) => packed,
        };
        let mut content = Vec::new();
        zstd::Decoder::with_ref_prefix(packed, base)?.read_to_end(&mut content)?;
        Ok(content)
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
        let (packer, base) = (Packer::default(), configuration(9_000));
        let mut changed = base.clone();
        changed.extend_from_slice(b"one line more\n");
        let packed = packer.pack(&changed, &base).expect("packed");
        assert!(packed.len() * 500 < changed.len(), "{} of {}", packed.len(), changed.len());
        assert_eq!(packer.unpack(&packed, &base).expect("unpacked"), changed);
    }

    #[test]
    fn a_sealed_content_is_unpacked_with_its_key_alone() {
        let key = BackupKey::generate();
        let packer = Packer::new(Some(key.parse().expect("a key file")));
        let sealed = packer.pack(b"encrypted-password", b"").expect("sealed");
        assert!(packer.is_as_wanted(&sealed) && !Packer::default().is_as_wanted(&sealed));
        assert_eq!(packer.unpack(&sealed, b"").expect("opened"), b"encrypted-password");
        assert!(Packer::default().unpack(&sealed, b"").is_err_and(|error| error.to_string().contains("key_file")));
    }
}
