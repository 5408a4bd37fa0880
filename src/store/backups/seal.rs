//! How a packed configuration is sealed: ChaCha20-Poly1305 (RFC 8439) under a key of `backups.key_file`.
//!
//! A sealed content is [`SEALED`], a random nonce of 12 bytes, and the ciphertext with its tag; [`SEALED`] is also the
//! additional data, so that nothing sealed under another scheme is taken for it.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use rand::RngExt;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::store::database::private_files;

/// What every sealed content begins with. No zstd frame does (RFC 8878, section 3.1.1).
const SEALED: &[u8] = b"vmacd-sealed-1\n";
/// What the line of a key begins with, in a key file.
const KEY_LINE: &str = "VMACD-BACKUP-KEY-1:";
/// RFC 8439, section 2.8.
const KEY_BYTES: usize = 32;

/// The keys of a key file: the first seals, each of them opens. Never prints.
pub struct BackupKey(Vec<LessSafeKey>);

impl BackupKey {
    /// A new key, as the content of a key file.
    pub fn generate() -> String {
        format!("{KEY_LINE}{}\n", hex::encode(rand::rng().random::<[u8; KEY_BYTES]>()))
    }

    /// The same in a new file that only its owner may read.
    ///
    /// # Errors
    /// Where there is a file of that name, or none can be made.
    pub fn generate_file(path: &Path) -> io::Result<()> {
        let mut file = private_files::create(path)?;
        file.write_all(Self::generate().as_bytes())?;
        file.sync_all()
    }

    /// Seals with the first key.
    pub(in crate::store) fn seal(&self, packed: &[u8]) -> io::Result<Vec<u8>> {
        let [key, ..] = self.0.as_slice() else { return Err(io::Error::other("no key to seal with")) };
        let nonce = rand::rng().random::<[u8; NONCE_LEN]>();
        let mut body = packed.to_vec();
        let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(SEALED), &mut body);
        sealed.map_err(|_| io::Error::other("too long to seal"))?;
        Ok([SEALED, &nonce, &body].concat())
    }

    /// Opens with whichever key fits.
    pub(in crate::store) fn open(&self, sealed: &[u8]) -> io::Result<Vec<u8>> {
        let body = sealed.strip_prefix(SEALED).and_then(|rest| rest.split_first_chunk::<NONCE_LEN>());
        let Some((nonce, body)) = body else { return Err(io::Error::other("the sealed content is cut short")) };
        let opened = self.0.iter().find_map(|key| {
            let mut body = body.to_vec();
            let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(SEALED), &mut body);
            opened.ok().map(|packed| packed.to_vec())
        });
        opened.ok_or_else(|| io::Error::other("no key of backups.key_file opens it"))
    }
}

/// True for what [`BackupKey::seal`] returned.
pub(in crate::store) fn is_sealed(content: &[u8]) -> bool {
    content.starts_with(SEALED)
}

impl FromStr for BackupKey {
    type Err = String;

    /// Reads lines `VMACD-BACKUP-KEY-1:...`; empty ones and those that begin with `#` are ignored. The error does not
    /// repeat what it read.
    fn from_str(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).enumerate();
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let read = keys.map(|(index, line)| {
            key(line)
                .ok_or_else(|| format!("line {} is not a backup key ({KEY_LINE} and 64 hexadecimal digits)", index + 1))
        });
        let keys: Vec<LessSafeKey> = read.collect::<Result<_, String>>()?;
        if keys.is_empty() {
            return Err(format!("there is no line {KEY_LINE}... in it; `vmacd backups keygen` makes one"));
        }
        Ok(Self(keys))
    }
}

fn key(line: &str) -> Option<LessSafeKey> {
    let bytes = hex::decode(line.strip_prefix(KEY_LINE)?).ok()?;
    UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok().map(LessSafeKey::new)
}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> BackupKey {
        text.parse().expect("a key file")
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_alone_also_after_a_rotation() {
        let (old, new) = (BackupKey::generate(), BackupKey::generate());
        let sealed = read(&old).seal(b"encrypted-password").expect("sealed");
        assert!(is_sealed(&sealed) && !is_sealed(b"encrypted-password"));
        let rotated = read(&format!("# since May\n{new}\n{old}"));
        assert_eq!(rotated.open(&sealed).expect("opened"), b"encrypted-password");
        let again = rotated.seal(b"x").expect("sealed");
        assert!(read(&old).open(&again).is_err_and(|error| error.to_string().contains("no key of")));
    }

    #[test]
    fn what_was_changed_or_cut_is_not_opened() {
        let key = read(&BackupKey::generate());
        let sealed = key.seal(b"content").expect("sealed");
        for at in SEALED.len()..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(&changed).is_err() && key.open(&sealed[..at]).is_err(), "byte {at}");
        }
    }

    #[test]
    fn the_same_content_is_sealed_differently_each_time() {
        let key = read(&BackupKey::generate());
        assert_ne!(key.seal(b"content").expect("sealed"), key.seal(b"content").expect("sealed"));
    }

    #[test]
    fn a_key_file_without_a_key_is_refused_without_being_repeated() {
        let refused = |text: &str| text.parse::<BackupKey>().expect_err("no key");
        assert!(refused("# only a comment\n").contains("no line"));
        assert!(!refused("hunter2").contains("hunter2") && refused("\nhunter2").contains("line 2"));
        assert!(refused(&format!("{KEY_LINE}{}", "ab".repeat(31))).contains("64 hexadecimal digits"));
    }
}
