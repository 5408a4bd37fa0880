//! Logs: to stderr, as text or JSON.

use tracing_subscriber::EnvFilter;

/// What libraries say is kept down unless the filter names them; lapin's news are told by the broker's own log.
const LIBRARIES: &str = "lapin=off,sqlx=warn,russh=warn";

/// Starts logging. `VMACD_LOG` filters (`info` unless told; the syntax is tracing's `target=level,...`),
/// `VMACD_LOG_FORMAT=json` prints one JSON object a line.
pub(super) fn start() {
    let asked = std::env::var("VMACD_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = format!("{LIBRARIES},{asked}");
    let builder =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr).with_ansi(false);
    if std::env::var("VMACD_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().init();
    } else {
        builder.init();
    }
}
