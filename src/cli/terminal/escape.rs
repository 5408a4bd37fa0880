//! Text that is safe to print: nothing stored can drive the terminal.

use crate::domain::shown;

/// The text on one line, escaped so that nothing stored can drive the terminal.
pub fn printable(text: &str) -> String {
    shown(text).into_owned()
}

/// The same line by line.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// A dash where there is nothing to show.
pub fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u001b[2Jb\\n");
        assert_eq!(printable_lines("a\u{1b}\nb"), "a\\u001b\nb");
    }
}
