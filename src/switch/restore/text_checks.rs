//! Whether a configuration can be brought back byte for byte. Pure.
//!
//! A switch may show the configuration that it was given in another form, so the two are not compared as they are. What is
//! neither plain ASCII nor white space stands in quoted text and comments, which no form changes.

use std::collections::BTreeMap;

/// What replaces a byte that was lost (U+FFFD in UTF-8): earlier versions kept it in backups in place of what they could
/// not read.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Refuses a text that cannot be what a switch held.
pub(super) fn check_writable(text: &[u8]) -> Result<(), String> {
    let line = |at: usize| 1 + text[..at].iter().filter(|byte| **byte == b'\n').count();
    if let Some(at) = text.windows(REPLACEMENT.len()).position(|part| part == REPLACEMENT) {
        let line = line(at);
        return Err(format!("line {line} has a replacement character: what stood there was lost when it was kept"));
    }
    match text.iter().position(|byte| *byte == 0) {
        Some(at) => Err(format!("line {} has a zero byte, which no request can carry", line(at))),
        None => Ok(()),
    }
}

/// Refuses a candidate that does not hold the odd bytes of what was loaded into it.
pub(super) fn check_taken_whole(loaded: &[u8], candidate: &[u8]) -> Result<(), String> {
    let (wanted, held) = (text_checks(loaded), text_checks(candidate));
    let differing = wanted.keys().chain(held.keys()).find(|byte| wanted.get(*byte) != held.get(*byte));
    match differing {
        None => Ok(()),
        Some(byte) => {
            let times = |counts: &BTreeMap<u8, usize>| counts.get(byte).copied().unwrap_or_default();
            let (wanted, held) = (times(&wanted), times(&held));
            Err(format!("loaded, it had the byte 0x{byte:02x} {held} times in place of {wanted}"))
        }
    }
}

/// How often each byte is there that is neither plain ASCII nor white space.
fn text_checks(text: &[u8]) -> BTreeMap<u8, usize> {
    let mut counts = BTreeMap::new();
    let is_plain = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\n');
    text.iter().filter(|byte| !is_plain(byte)).for_each(|byte| *counts.entry(*byte).or_default() += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_hole_in_it_is_not_written() {
        assert_eq!(check_writable(b"system;\nname \"caf\xe9\x1b\r\";\n"), Ok(()));
        let refused = check_writable("a;\nb \"caf\u{fffd}\";\n".as_bytes()).expect_err("a hole");
        assert!(refused.starts_with("line 2 has a replacement character"), "{refused}");
        assert!(check_writable(b"a\0").is_err());
    }

    #[test]
    fn a_candidate_that_lost_a_byte_is_told_from_one_in_another_form() {
        assert_eq!(check_taken_whole(b"a { b \"\xe9\x1b\"; }", b"a b \"\xe9\x1b\";\n"), Ok(()));
        for candidate in [&b"a b \"\x1b\";"[..], "a b \"\u{fffd}\x1b\";".as_bytes(), b"a b \"\xe9\";"] {
            assert!(check_taken_whole(b"a { b \"\xe9\x1b\"; }", candidate).is_err(), "{}", candidate.escape_ascii());
        }
    }
}
