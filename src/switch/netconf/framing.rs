//! Message framing: the end-of-message mark of base:1.0 and the chunks of base:1.1 (RFC 6242, sections 4.2, 4.3).
//!
//! Pure and incremental: bytes go in as they come, split anywhere; whole messages come out.

/// The mark that ends a base:1.0 message.
const MARK: &[u8] = b"]]>]]>";
/// Longest chunk header: `\n#` and at most ten digits (RFC 6242 section 4.2: up to 4294967295).
const HEADER_BYTES_MAX: usize = 13;

/// How messages are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `]]>]]>` behind each message.
    EndOfMessage,
    /// `\n#LENGTH\n` before each chunk, `\n##\n` behind each message.
    Chunked,
}

/// Why bytes are no messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A message is longer than what is accepted.
    #[error("a message is longer than {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// What should be a chunk header is none.
    #[error("`{0}` is no chunk header")]
    BadChunk(String),
}

/// Collects bytes into messages.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    limit_bytes: usize,
    received: Vec<u8>,
    /// Up to here no mark was found; the search goes on from here.
    searched: usize,
    /// The chunks of the message so far.
    message: Vec<u8>,
}

impl Decoder {
    /// A decoder that accepts messages up to this length.
    pub fn new(limit_bytes: usize) -> Self {
        Self { framing: Framing::EndOfMessage, limit_bytes, received: Vec::new(), searched: 0, message: Vec::new() }
    }

    /// Changes the framing, as both sides do after their hellos (RFC 6242 section 4.1).
    pub fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
        self.searched = 0;
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// The next whole message, when there is one.
    ///
    /// # Errors
    /// [`FramingError`]; the stream is of no use then.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        match self.framing {
            Framing::EndOfMessage => self.next_marked(),
            Framing::Chunked => self.next_chunked(),
        }
    }

    fn next_marked(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        let from = self.searched.saturating_sub(MARK.len() - 1);
        let found = self.received[from..].windows(MARK.len()).position(|window| window == MARK);
        let Some(at) = found.map(|at| from + at) else {
            self.searched = self.received.len();
            return self.within(self.received.len()).map(|()| None);
        };
        // The message keeps the buffer, which may be large; what follows is moved.
        let rest = self.received.split_off(at + MARK.len());
        let mut message = std::mem::replace(&mut self.received, rest);
        message.truncate(at);
        self.searched = 0;
        Ok(Some(message))
    }

    fn next_chunked(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        // A hello's mark may be followed by a newline of its own.
        while self.received.starts_with(b"\n\n") {
            self.received.remove(0);
        }
        loop {
            let Some((header, length)) = self.chunk_header()? else { return Ok(None) };
            if length == 0 {
                self.received.drain(..header);
                return Ok(Some(std::mem::take(&mut self.message)));
            }
            self.within(self.message.len().saturating_add(length))?;
            if self.received.len() < header + length {
                return Ok(None);
            }
            self.message.extend_from_slice(&self.received[header..header + length]);
            self.received.drain(..header + length);
        }
    }

    /// The header's and the chunk's length; a chunk of length 0 is the end of the message.
    fn chunk_header(&self) -> Result<Option<(usize, usize)>, FramingError> {
        let start = &self.received[..self.received.len().min(HEADER_BYTES_MAX)];
        let bad = || FramingError::BadChunk(String::from_utf8_lossy(start).escape_debug().to_string());
        if !start.starts_with(&b"\n#"[..start.len().min(2)]) {
            return Err(bad());
        }
        let Some(end) = start.iter().skip(2).position(|byte| *byte == b'\n').map(|at| at + 2) else {
            return if start.len() == HEADER_BYTES_MAX { Err(bad()) } else { Ok(None) };
        };
        let digits = &start[2..end];
        if digits == b"#" {
            return Ok(Some((end + 1, 0)));
        }
        let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        match length {
            Some(length) if length > 0 && digits[0] != b'+' => Ok(Some((end + 1, length))),
            _ => Err(bad()),
        }
    }

    fn within(&self, length: usize) -> Result<(), FramingError> {
        let limit_bytes = self.limit_bytes;
        if length > limit_bytes { Err(FramingError::TooLong { limit_bytes }) } else { Ok(()) }
    }
}

/// The bytes of one message on the wire.
pub fn encode(framing: Framing, message: impl AsRef<[u8]>) -> Vec<u8> {
    let message = message.as_ref();
    match framing {
        Framing::EndOfMessage => [message, MARK, b"\n"].concat(),
        Framing::Chunked => [format!("\n#{}\n", message.len()).as_bytes(), message, b"\n##\n"].concat(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(framing: Framing, bytes: &[u8], piece: usize) -> Vec<String> {
        let mut decoder = Decoder::new(1 << 20);
        decoder.set_framing(framing);
        let mut messages = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.push(piece);
            while let Some(message) = decoder.next_message().expect("well framed") {
                messages.push(String::from_utf8(message).expect("UTF-8"));
            }
        }
        messages
    }

    #[test]
    fn the_example_of_rfc_6242_reads_as_one_message() {
        let wire = b"\n#4\n<rpc\n#18\n message-id=\"102\"\n\n#79\n     xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  <close-session/>\n</rpc>\n##\n";
        for piece in 1..wire.len() {
            assert_eq!(decode(Framing::Chunked, wire, piece).len(), 1, "pieces of {piece}");
        }
    }

    #[test]
    fn broken_chunk_headers_are_named() {
        for wire in ["#4\nabcd", "\n#0\n", "\n#x\n", "\n#+4\nabcd", "\n#99999999999\n", "\n4\n"] {
            let mut decoder = Decoder::new(100);
            decoder.set_framing(Framing::Chunked);
            decoder.push(wire.as_bytes());
            assert!(decoder.next_message().is_err(), "{wire:?}");
        }
    }

    #[test]
    fn a_message_without_end_is_refused_at_the_limit() {
        let mut decoder = Decoder::new(10);
        decoder.push(b"0123456789");
        assert_eq!(decoder.next_message(), Ok(None));
        decoder.push(b"0");
        assert_eq!(decoder.next_message(), Err(FramingError::TooLong { limit_bytes: 10 }));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_however_it_is_split(
            messages in proptest::collection::vec("[a-z<>\\]]{1,40}", 1..4),
            piece in 1usize..20,
            chunked in any::<bool>(),
        ) {
            let framing = if chunked { Framing::Chunked } else { Framing::EndOfMessage };
            prop_assume!(chunked || messages.iter().all(|message| !format!("{message}]]>]]>")[..message.len() + 5].contains("]]>]]>")));
            let wire: Vec<u8> = messages.iter().flat_map(|message| encode(framing, message)).collect();
            let read: Vec<String> = decode(framing, &wire, piece).iter().map(|text| text.trim_start_matches('\n').to_owned()).collect();
            prop_assert_eq!(read, messages);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic_or_hang(bytes in proptest::collection::vec(any::<u8>(), 0..200), chunked in any::<bool>()) {
            let mut decoder = Decoder::new(1000);
            if chunked {
                decoder.set_framing(Framing::Chunked);
            }
            decoder.push(&bytes);
            for _ in 0..bytes.len() + 1 {
                if !matches!(decoder.next_message(), Ok(Some(_))) {
                    return Ok(());
                }
            }
            prop_assert!(false, "more messages than bytes");
        }
    }
}
