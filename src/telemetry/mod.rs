//! What the program tells about itself while it runs: the log, and the traces that it exports.
//!
//! `logs` writes events to stderr, `panics` has panics among them; `export` sends spans to an OpenTelemetry collector, where the settings name one;
//! `spans` is how the worker ties its spans to one another and to the producer's. A span that is to be exported has
//! the target [`SPANS`] and the level TRACE: while nothing is exported, none of them is ever made.

mod export;
mod logs;
mod panics;
mod spans;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::TelemetrySettings;

pub use export::{Exporting, TelemetryError};
pub use panics::take_last_panic;
pub use spans::{SPANS, continue_trace, fail, link, link_to_producer};

/// Starts logging, of panics too. `VMACD_LOG` filters (`info` unless told; the syntax is tracing's `target=level,...`),
/// `VMACD_LOG_FORMAT=json` prints one JSON object a line.
pub fn start_logs() {
    panics::log_panics();
    tracing_subscriber::registry().with(logs::filter()).with(logs::layer()).init();
}

/// As [`start_logs`], and exports traces where the settings say where to. What is left is sent when the answer is dropped.
///
/// # Errors
/// When the exporter cannot be made of the settings; logging has started all the same.
pub fn start(settings: &TelemetrySettings) -> Result<Exporting, TelemetryError> {
    if settings.otlp_endpoint.is_empty() {
        start_logs();
        return Ok(Exporting::nothing());
    }
    panics::log_panics();
    let exporting = export::to(settings);
    let layer = exporting.as_ref().ok().and_then(Exporting::layer);
    let logs = tracing_subscriber::Layer::with_filter(logs::layer(), logs::filter());
    tracing_subscriber::registry().with(layer).with(logs).init();
    exporting
}
