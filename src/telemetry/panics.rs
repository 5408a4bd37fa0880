//! Panics: each is logged with its place, which whoever catches it can ask for.

use std::cell::RefCell;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Logs panics and remembers the last one of each thread. Nothing but events is written to stderr, or whoever reads it as
/// JSON lines would stumble.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(place, message, %backtrace, "panicked: this is a fault in vmacd");
        LAST.set(Some(format!("panicked at {place}: {message}")));
    }));
}

/// The message and the place of the last panic on this thread. For whoever has just caught it there.
pub fn take_last_panic() -> Option<String> {
    LAST.take()
}
