//! `--watch`: prints the same again at an interval, until Ctrl-C or until the reader has gone away.
//!
//! On a terminal the screen is repainted in place. Elsewhere only changes are printed: with `--json` one document a line,
//! else one table after another. An outage of the database is reported and waited for.

use std::time::Duration;

use super::output::{Document, Output};
use super::spool::Spool;
use crate::cli::fault::{Fault, FaultKind};
use crate::cli::process::signals::shutdown_token;
use crate::cli::terminal::escape::printable;
use crate::cli::terminal::streams::{reader_is_gone, say, write_text};

/// To the upper left corner.
const HOME: &str = "\x1b[H";
/// To the end of the line, and of the screen.
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
const CLEAR: &str = "\x1b[2J";
const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// Prints what `poll` returns: once, or at each interval.
pub async fn watch(
    output: Output,
    every: Option<Duration>,
    mut poll: impl AsyncFnMut(Output) -> Result<Document, Fault>,
) -> Result<(), Fault> {
    let first = poll(output).await?;
    let Some(every) = every else { return output.print(&first) };
    let mut view = WatchView::new(output, every);
    poll_until_stopped(every, first, async || poll(output.resized()).await, |seen| view.show(seen)).await
}

/// The same for a list of any length outside a terminal: printed as a whole each time, and never held in memory.
pub async fn watch_list(
    output: Output,
    every: Option<Duration>,
    mut poll: impl AsyncFnMut() -> Result<Spool, Fault>,
) -> Result<(), Fault> {
    let first = poll().await?;
    let Some(every) = every else { return first.print().map(|_| ()) };
    let (mut failing, mut last) = (false, None);
    let show = |seen: &Result<Spool, Fault>| {
        let Some(list) = report_outage(&mut failing, seen).filter(|list| last != Some(list.hash)) else {
            return Ok(true);
        };
        let is_first = last.replace(list.hash).is_none();
        Ok((is_first || output.json || write_text("\n")?) && list.print()?)
    };
    poll_until_stopped(every, first, poll, show).await
}

/// Shows the result and polls again, until it is interrupted or the reader has gone away.
async fn poll_until_stopped<T>(
    every: Duration,
    first: T,
    mut poll: impl AsyncFnMut() -> Result<T, Fault>,
    mut show: impl FnMut(&Result<T, Fault>) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let interrupted = shutdown_token()?;
    let mut seen: Result<T, Fault> = Ok(first);
    loop {
        match &seen {
            Err(fault) if fault.kind == FaultKind::Input => return seen.map(|_| ()),
            _ if !show(&seen)? => return Ok(()),
            _ => {}
        }
        tokio::select! {
            () = interrupted.cancelled() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
        if reader_is_gone() {
            return Ok(());
        }
        tokio::select! {
            () = interrupted.cancelled() => return Ok(()),
            again = poll() => seen = again,
        }
    }
}

/// The result. An outage is reported once, and so is its end.
fn report_outage<'a, T>(failing: &mut bool, seen: &'a Result<T, Fault>) -> Option<&'a T> {
    match seen {
        Err(fault) => {
            if !std::mem::replace(failing, true) {
                say(&format!("error: {}; trying again", printable(&fault.text())));
            }
            None
        }
        Ok(seen) => {
            if std::mem::take(failing) {
                say("the database is reachable again");
            }
            Some(seen)
        }
    }
}

/// What was shown last, and where.
struct WatchView {
    output: Output,
    every: Duration,
    /// On a terminal; restores the cursor when it is dropped.
    screen: Option<Screen>,
    last: Option<Document>,
    failing: bool,
}

impl WatchView {
    fn new(output: Output, every: Duration) -> Self {
        let screen = output.is_terminal().then(Screen::open);
        Self { output, every, screen, last: None, failing: false }
    }

    /// Shows it; false when nobody reads any more.
    fn show(&mut self, seen: &Result<Document, Fault>) -> Result<bool, Fault> {
        match &self.screen {
            Some(_) => self.paint(seen),
            None => self.append_change(seen),
        }
    }

    fn paint(&mut self, seen: &Result<Document, Fault>) -> Result<bool, Fault> {
        let now = chrono::Local::now().format("%H:%M:%S");
        let every = humantime::format_duration(self.every);
        let status = match seen {
            Ok(_) => format!("every {every}, {now}; Ctrl-C stops"),
            Err(fault) => format!("{now}: {}; trying again every {every}", printable(&fault.text())),
        };
        if let Ok(document) = seen {
            self.last = Some(document.clone());
        }
        let (text, more) = self.last.as_ref().map_or(("", 0), |document| (document.text.as_str(), document.more));
        Ok(write_text(&frame(&status, text, more, self.output.height()))?)
    }

    fn append_change(&mut self, seen: &Result<Document, Fault>) -> Result<bool, Fault> {
        let Some(document) = report_outage(&mut self.failing, seen) else { return Ok(true) };
        if self.last.as_ref() == Some(document) {
            return Ok(true);
        }
        let is_first = self.last.replace(document.clone()).is_none();
        Ok(write_text(&match (self.output.json, is_first) {
            (true, _) => format!("{}\n", printable(&document.data.to_string())),
            (false, true) => format!("{}\n", document.text),
            (false, false) => format!("\n{}\n", document.text),
        })?)
    }
}

/// One screenful: what does not fit is counted, with the `more` that were not even read.
fn frame(status: &str, text: &str, more: usize, height: Option<usize>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = height.map_or(lines.len(), |height| height.saturating_sub(3));
    let mut frame = format!("{HOME}{status}{CLEAR_LINE}\r\n{CLEAR_LINE}\r\n");
    for line in lines.iter().take(room) {
        frame.push_str(&format!("{line}{CLEAR_LINE}\r\n"));
    }
    let more = lines.len().saturating_sub(room) + more;
    if more > 0 {
        frame.push_str(&format!("... and {more} more{CLEAR_LINE}"));
    }
    frame + CLEAR_BELOW
}

/// A terminal without its cursor.
struct Screen;

impl Screen {
    fn open() -> Self {
        // What cannot be written is found out by the first frame.
        let _ = write_text(&format!("{HIDE_CURSOR}{CLEAR}"));
        Self
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write_text(SHOW_CURSOR);
    }
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn a_frame_fits_the_screen_and_counts_what_does_not() {
        let shown = frame("every 2s", "one\ntwo\nthree", 40, Some(5)).replace('\x1b', "ESC").replace("\r\n", "\n");
        insta::assert_snapshot!(shown, @"
        ESC[Hevery 2sESC[K
        ESC[K
        oneESC[K
        twoESC[K
        ... and 41 moreESC[KESC[J
        ");
    }
}
