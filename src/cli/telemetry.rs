//! Logs: to stderr, as text or JSON.

use tracing_subscriber::EnvFilter;

/// Starts logging. `VMACD_LOG` filters (`info` unless told; the syntax is tracing's
/// `target=level,...`; what lapin says is told again by the broker's own log), `VMACD_LOG_FORMAT=json` prints one JSON object a line.
pub(super) fn start() {
    let filter = std::env::var("VMACD_LOG").unwrap_or_else(|_| "info,lapin=off,sqlx=warn,russh=warn".to_owned());
    let builder =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr).with_ansi(false);
    if std::env::var("VMACD_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().init();
    } else {
        builder.init();
    }
}
