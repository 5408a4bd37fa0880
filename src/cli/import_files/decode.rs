//! Bytes of a file as text.

use super::problems::Problems;

const NOT_TEXT: &str = "is not UTF-8 text; save the file as UTF-8 (spreadsheets call it \"CSV UTF-8\")";

/// The text without its byte order mark, its lines ended by `\n`. UTF-8, and UTF-16 where a byte order mark says so.
/// Lines with anything else are noted.
pub fn decode(bytes: &[u8], problems: &mut Problems) -> String {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, problems),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes, problems),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes, problems),
        _ => utf8(bytes, problems),
    };
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}

fn utf8(bytes: &[u8], problems: &mut Problems) -> String {
    let (mut text, mut line, mut noted) = (String::with_capacity(bytes.len()), 1, 0);
    for chunk in bytes.utf8_chunks() {
        line += line_ends(chunk.valid());
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            if noted != line {
                problems.line(line, NOT_TEXT);
                noted = line;
            }
        }
    }
    text
}

/// A `\r` alone ends a line too, where no `\n` follows it.
fn line_ends(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let alone = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
    (0..bytes.len()).filter(|at| bytes[*at] == b'\n' || alone(*at)).count() as u64
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, problems: &mut Problems) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    let decoded = String::from_utf16(&units);
    if decoded.is_err() || !rest.is_empty() {
        problems.file("is damaged UTF-16 text; save it again as UTF-8");
    }
    decoded.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn decoded(bytes: &[u8]) -> (String, String) {
        let mut problems = Problems::new(Path::new("f"));
        let text = decode(bytes, &mut problems);
        (text, problems.text())
    }

    #[test]
    fn byte_order_marks_and_line_ends_of_any_system_are_read() {
        let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect::<Vec<u8>>()
        };
        let text = "a,ü\r\nb\rc\n";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
        ] {
            assert_eq!(decoded(&bytes), ("a,ü\nb\nc\n".to_owned(), String::new()), "{bytes:x?}");
        }
    }

    #[test]
    fn every_line_that_is_no_text_is_named() {
        let (_, told) = decoded(b"a\r\n\xfc\xfc\xff\rb\n\xe4\n");
        assert_eq!(told, format!("f, line 2: {NOT_TEXT}\nf, line 4: {NOT_TEXT}"));
        assert_eq!(decoded(b"\xff\xfea").1, "f: is damaged UTF-16 text; save it again as UTF-8");
    }
}
