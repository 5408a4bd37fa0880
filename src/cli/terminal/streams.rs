//! Stdout and stderr, written without a panic when their reader has gone away.

use std::io::{Result, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Prints a line that is safe to print; false where nobody reads any more.
pub fn write_line(text: &str) -> Result<bool> {
    write_text(&format!("{text}\n"))
}

/// Prints text that is safe to print; false where nobody reads any more.
pub fn write_text(text: &str) -> Result<bool> {
    write_bytes(text.as_bytes())
}

/// Prints bytes; false where nobody reads any more.
pub fn write_bytes(bytes: &[u8]) -> Result<bool> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says something beside the data, on stderr; where that is closed nobody wants to know.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// True when the other end of stdout is closed: where nothing is written nothing else could tell.
pub fn reader_is_gone() -> bool {
    let stdout = std::io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&at_once)).is_ok() && polled[0].revents().contains(PollFlags::ERR)
}
