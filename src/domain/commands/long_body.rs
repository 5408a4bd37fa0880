//! What is kept of a body that is too long for a command: its beginning, its size and a hash of the whole.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest body of a command, bytes. Of longer ones so much is kept.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// What is known of a body of which only the first [`BODY_BYTES_MAX`] bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongBody {
    /// The size of the whole, bytes.
    pub bytes: u64,
    /// SHA-256 of the whole, hexadecimal.
    pub sha256: String,
}

/// A long body, read piece by piece. Holds [`BODY_BYTES_MAX`] bytes of it, whatever its size.
#[derive(Debug, Default)]
pub struct LongBodyReader {
    beginning: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

impl LongBodyReader {
    /// Takes the next piece.
    pub fn read(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
        let room = BODY_BYTES_MAX - self.beginning.len();
        self.beginning.extend_from_slice(&piece[..room.min(piece.len())]);
    }

    /// The bytes read so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The beginning, and what is known of the whole.
    pub fn end(self) -> (Vec<u8>, LongBody) {
        (self.beginning, LongBody { bytes: self.bytes, sha256: hex::encode(self.hash.finalize()) })
    }
}

/// A body with at most [`BODY_BYTES_MAX`] bytes kept, and what is known of the whole where it had more.
pub fn shortened_body(body: Vec<u8>) -> (Vec<u8>, Option<LongBody>) {
    if body.len() <= BODY_BYTES_MAX {
        return (body, None);
    }
    let mut reader = LongBodyReader::default();
    reader.read(&body);
    let (beginning, long_body) = reader.end();
    (beginning, Some(long_body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_whole_up_to_the_limit() {
        let body = vec![b'x'; BODY_BYTES_MAX];
        assert_eq!(shortened_body(body.clone()), (body, None));
    }

    #[test]
    fn of_a_longer_body_the_beginning_the_size_and_a_hash_of_the_whole_are_kept() {
        let body: Vec<u8> = (0..=BODY_BYTES_MAX).map(|at| (at % 251) as u8).collect();
        let (beginning, long_body) = shortened_body(body.clone());
        assert_eq!(beginning, body[..BODY_BYTES_MAX]);
        let sha256 = hex::encode(Sha256::digest(&body));
        assert_eq!(long_body, Some(LongBody { bytes: BODY_BYTES_MAX as u64 + 1, sha256 }));
    }
}
