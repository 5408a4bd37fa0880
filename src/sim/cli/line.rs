//! Typed characters become lines: echo, correction, and the ways to end a line.

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ERASE_LINE: u8 = 0x15;
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;

/// What a typed character completes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A whole line, without its end.
    Line(String),
    /// Control-C: the line is given up.
    Interrupt,
    /// Control-D on an empty line.
    End,
}

/// The line that is being typed.
#[derive(Debug, Default)]
pub(crate) struct LineEditor {
    line: Vec<u8>,
    after_return: bool,
    /// Within the sequence of a cursor or function key, which means nothing here.
    escaped: bool,
    /// Whether what is typed comes back.
    echoing: bool,
    echo: Vec<u8>,
}

impl LineEditor {
    /// An empty line.
    pub(crate) fn new(echoing: bool) -> LineEditor {
        LineEditor { echoing, ..LineEditor::default() }
    }

    /// What is to be echoed by now.
    pub(crate) fn take_echo(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.echo)
    }

    /// Takes one character. A line ends with CR, LF, or both.
    pub(crate) fn push(&mut self, byte: u8) -> Option<Typed> {
        let follows_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        if self.escaped {
            self.escaped = !(byte.is_ascii_alphabetic() || byte == b'~');
            return None;
        }
        match byte {
            b'\n' if follows_return => None,
            b'\r' | b'\n' => Some(self.complete()),
            INTERRUPT => Some(self.give_up()),
            END if self.line.is_empty() => Some(Typed::End),
            ESCAPE => {
                self.escaped = true;
                None
            }
            _ => {
                self.edit(byte);
                None
            }
        }
    }

    fn edit(&mut self, byte: u8) {
        match byte {
            BACKSPACE | DELETE => self.erase(1),
            ERASE_LINE => self.erase(self.line.len()),
            control if control < b' ' => {}
            typed => {
                self.line.push(typed);
                self.show(&[typed]);
            }
        }
    }

    fn complete(&mut self) -> Typed {
        self.show(b"\r\n");
        Typed::Line(String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned())
    }

    fn give_up(&mut self) -> Typed {
        self.line.clear();
        self.show(b"^C\r\n");
        Typed::Interrupt
    }

    fn erase(&mut self, count: usize) {
        for _ in 0..count {
            // A character of several bytes goes as a whole.
            while self.line.last().is_some_and(|byte| byte & 0xc0 == 0x80) {
                self.line.pop();
            }
            if self.line.pop().is_some() {
                self.show(b"\x08 \x08");
            }
        }
    }

    fn show(&mut self, bytes: &[u8]) {
        if self.echoing {
            self.echo.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> (Vec<Typed>, String) {
        let mut editor = LineEditor::new(true);
        let completed = text.bytes().filter_map(|byte| editor.push(byte)).collect();
        (completed, String::from_utf8(editor.take_echo()).unwrap())
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.to_owned())
    }

    #[test]
    fn every_kind_of_line_end_ends_one_line() {
        let (lines, echo) = typed("a\rb\nc\r\nd\n\r");
        assert_eq!(lines, [line("a"), line("b"), line("c"), line("d"), line("")]);
        assert_eq!(echo, "a\r\nb\r\nc\r\nd\r\n\r\n");
    }

    #[test]
    fn mistakes_are_taken_back_and_cursor_keys_are_nothing() {
        assert_eq!(typed("shp\x7fow\n").0, [line("show")]);
        assert_eq!(typed("ü\x08x\x08\x08\x08y\n").0, [line("y")]);
        assert_eq!(typed("wrong\x15right\x1b[A\n").0, [line("right")]);
        assert_eq!(typed("wrong\x03\x04").0, [Typed::Interrupt, Typed::End]);
        assert_eq!(typed("a\x7f").1, "a\x08 \x08");
    }

    #[test]
    fn nothing_is_echoed_without_a_terminal() {
        let mut editor = LineEditor::new(false);
        assert_eq!(b"a\n".iter().filter_map(|byte| editor.push(*byte)).collect::<Vec<_>>(), [line("a")]);
        assert!(editor.take_echo().is_empty());
    }
}
