//! Logs: to stderr, as text or JSON.

use std::io::{self, Write};

use tracing::Subscriber;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::domain::shown;

/// What libraries say is kept down unless the filter names them; lapin's news are told by the broker's own log.
const LIBRARIES: &str = "lapin=off,sqlx=warn,russh=warn";

/// Which events are logged.
pub(super) fn filter() -> EnvFilter {
    let asked = std::env::var("VMACD_LOG").unwrap_or_else(|_| "info".to_owned());
    EnvFilter::new(format!("{LIBRARIES},{asked}"))
}

/// Writes events to stderr.
pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> Box<dyn Layer<S> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(|| Lines(io::stderr())).with_ansi(false);
    if std::env::var("VMACD_LOG_FORMAT").is_ok_and(|format| format == "json") {
        Box::new(layer.json())
    } else {
        Box::new(layer)
    }
}

/// Where events go: each is one line of safe text, whatever it holds. A message's content cannot forge another line.
struct Lines<W>(W);

impl<W: Write> Write for Lines<W> {
    /// Takes one whole event, as tracing hands them over.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = shown(text.strip_suffix('\n').unwrap_or(&text)).into_owned();
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        let mut lines = Lines(Vec::new());
        lines.write_all(b"2026-11-21T10:00:00Z INFO a\n2026-11-21T10:00:00Z INFO forged \x1b[2J\n").expect("written");
        lines.write_all(b"b\n").expect("written");
        let written = String::from_utf8(lines.0).expect("text");
        assert_eq!(written, "2026-11-21T10:00:00Z INFO a\\n2026-11-21T10:00:00Z INFO forged \\u001b[2J\nb\n");
    }
}
