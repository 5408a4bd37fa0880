//! Text from outside, made safe to show: on a terminal, in a log line, in an error.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with everything escaped that could drive a terminal, begin a line or turn the order of what is read:
/// control characters, line and paragraph separators, and the invisible ones that direct text (Unicode TR 9, TR 36).
///
/// They are escaped as in JSON (`\n`, `\u001b`), so that JSON that goes through here says the same as before. Nothing
/// else changes: a backslash stays one.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for symbol in text.chars() {
        match symbol {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            active if is_active(active) => {
                for unit in active.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
            plain => escaped.push(plain),
        }
    }
    Cow::Owned(escaped)
}

/// True for what must not reach a reader as it is.
fn is_active(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{BindableAddress, Desired, InterfaceName, Mac, Status, SwitchName, VlanName};

    #[test]
    fn what_drives_terminals_forges_lines_or_turns_text_is_escaped() {
        let hostile = "a\u{1b}[2J\r\nb\u{202e}c\u{2028}\u{9b}\0\u{e0001}";
        assert_eq!(shown(hostile), "a\\u001b[2J\\r\\nb\\u202ec\\u2028\\u009b\\u0000\\udb40\\udc01");
    }

    #[test]
    fn what_people_write_is_left_as_it_is() {
        for text in ["order 7781", "Zürich \"x\" \\n", "заказ", "注文", "हिन्दी", "🙂"] {
            assert!(matches!(shown(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    fn refusals(text: &str) -> Vec<String> {
        fn refusal<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Option<String> {
            text.parse::<T>().err().map(|error| error.to_string())
        }
        let all = [
            refusal::<InterfaceName>(text),
            refusal::<VlanName>(text),
            refusal::<SwitchName>(text),
            refusal::<Mac>(text),
            refusal::<BindableAddress>(text),
            refusal::<Status>(text),
            refusal::<Desired>(text),
        ];
        all.into_iter().flatten().collect()
    }

    proptest! {
        #[test]
        fn nothing_active_is_left_and_json_says_the_same(text in any::<String>()) {
            prop_assert!(!shown(&text).chars().any(is_active));
            let json = serde_json::to_string(&text).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<String>(&shown(&json)).expect("still JSON"), text);
        }

        #[test]
        fn no_refusal_of_a_name_or_address_shows_anything_active(text in any::<String>(), tail in "[\u{0}-\u{a0}\u{202a}-\u{202e}]{1,3}") {
            for refusal in refusals(&text).into_iter().chain(refusals(&format!("02:a1:b2:c3{tail}"))) {
                prop_assert!(!refusal.chars().any(is_active), "{:?}", refusal);
            }
        }
    }
}
