//! Bytes that are no UTF-8: Junos keeps whatever was typed, in any character set. Within the simulator each is a character
//! for private use.

/// The character of byte 0; only those from 0x80 on are needed.
const FIRST: u32 = 0xf700;

/// Bytes as they came from outside.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(FIRST + u32::from(*byte))));
    }
    text
}

/// The bytes that go outside.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for symbol in text.chars() {
        match u8::try_from(u32::from(symbol).wrapping_sub(FIRST)) {
            Ok(byte @ 0x80..) => bytes.push(byte),
            _ => bytes.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_came_in() {
        for bytes in [&b"plain"[..], b"caf\xe9", b"\xff\xfe\x80", "caf\u{e9} \u{20ac}".as_bytes(), b"\xc3"] {
            assert_eq!(bytes_of(&text_of(bytes)), bytes, "{}", bytes.escape_ascii());
        }
    }
}
