//! Message framing, RFC 6242 section 4: end-of-message marks, and chunks where both sides speak base:1.1.

use crate::sim::odd_bytes::{bytes_of, text_of};

const END: &[u8] = b"]]>]]>";

/// How messages are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `]]>]]>` after each message.
    EndMark,
    /// `\n#LENGTH\n` before each chunk, `\n##\n` after the last.
    Chunked,
}

/// Bytes that came in, and the messages in them.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// How far the end mark was already searched for.
    searched: usize,
}

impl Inbox {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message; `Err` when the framing is broken.
    pub(crate) fn next(&mut self, framing: Framing) -> Result<Option<String>, ()> {
        match framing {
            Framing::EndMark => Ok(self.next_marked()),
            Framing::Chunked => self.next_chunked(),
        }
    }

    fn next_marked(&mut self) -> Option<String> {
        let from = self.searched.saturating_sub(END.len());
        let found = self.bytes[from..].windows(END.len()).position(|window| window == END);
        let Some(at) = found.map(|at| from + at) else {
            self.searched = self.bytes.len();
            return None;
        };
        let message = text_of(&self.bytes[..at]);
        self.take(at + END.len());
        Some(message)
    }

    fn next_chunked(&mut self) -> Result<Option<String>, ()> {
        let mut message = Vec::new();
        let mut at = 0;
        loop {
            let rest = &self.bytes[at..];
            let Some((header, length)) = header(rest)? else {
                return Ok(None);
            };
            let Some(length) = length else {
                self.take(at + header);
                return Ok(Some(text_of(&message)));
            };
            let Some(data) = rest.get(header..header + length) else {
                return Ok(None);
            };
            message.extend_from_slice(data);
            at += header + length;
        }
    }

    fn take(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.searched = 0;
    }
}

/// The length of a chunk's header and of its data; no data length at the end of the message.
#[allow(clippy::type_complexity)]
fn header(bytes: &[u8]) -> Result<Option<(usize, Option<usize>)>, ()> {
    let start = bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let Some(end) = bytes[start..].iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() - start > 20 { Err(()) } else { Ok(None) };
    };
    let line = std::str::from_utf8(&bytes[start..start + end]).map_err(drop)?;
    let count = line.strip_prefix('#').ok_or(())?;
    let length = if count == "#" { None } else { Some(count.parse().map_err(drop)?) };
    Ok(Some((start + end + 1, length)))
}

/// `message` with its frame around it.
pub(crate) fn frame(message: &str, framing: Framing) -> Vec<u8> {
    let message = bytes_of(message);
    match framing {
        Framing::EndMark => [&message, END, b"\n"].concat(),
        Framing::Chunked => [format!("\n#{}\n", message.len()).as_bytes(), &message, b"\n##\n"].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(pieces: &[&str], framing: Framing) -> Vec<String> {
        let mut inbox = Inbox::default();
        let mut messages = Vec::new();
        for piece in pieces {
            inbox.push(piece.as_bytes());
            while let Some(message) = inbox.next(framing).unwrap() {
                messages.push(message);
            }
        }
        messages
    }

    #[test]
    fn an_end_mark_may_come_in_pieces() {
        assert_eq!(fed(&["<a/>]]>", "]]", ">\n<b/>]]>]]>"], Framing::EndMark), ["<a/>", "\n<b/>"]);
    }

    #[test]
    fn chunks_are_put_together() {
        assert_eq!(fed(&["\n#3\n<a/", "\n#1\n>\n#", "#\n\n#4\n<b/>\n##\n"].map(|p| p), Framing::Chunked).len(), 2);
        assert_eq!(fed(&["\n#4\n<b/>\n##\n"], Framing::Chunked), ["<b/>"]);
    }

    #[test]
    fn broken_chunks_are_an_error() {
        let mut inbox = Inbox::default();
        inbox.push(b"<rpc/>]]>]]>\n");
        assert!(inbox.next(Framing::Chunked).is_err());
    }
}
