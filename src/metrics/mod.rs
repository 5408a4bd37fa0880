//! What the process counts and measures, in the OpenMetrics text format.
//!
//! The worker counts as it goes ([`Metrics`]); what stands in the database and the broker is asked for when somebody
//! reads ([`Figures`]). Every name begins with `vmacd_`; docs/METRICS.md lists them.

mod gauges;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use gauges::Figures;

/// The part of the process's surroundings that holds the rows.
pub const DATABASE: &str = "database";
/// The part that holds the messages.
pub const BROKER: &str = "broker";

/// Bounds of time, seconds: from a commit that takes no time to a switch that was away for an hour.
const SECONDS: [f64; 14] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];
/// Bounds of changes in a commit.
const CHANGES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

/// One label, `code`: a failure code, as docs/ERRORS.md lists them.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByCode {
    code: &'static str,
}

/// One label, `action`: `create` or `revoke`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByAction {
    action: &'static str,
}

/// One label, `part`: `database` or `broker`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByPart {
    part: &'static str,
}

/// One label, `cause`: `admitted`, `slot-free` or `tick`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByCause {
    cause: &'static str,
}

/// One label, `task`: a long-lived task of the process.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByTask {
    task: &'static str,
}

/// One label, `door`: `api`, `page` or `hook`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByDoor {
    door: &'static str,
}

/// One label, `result`: `delivered`, `refused`, `unanswered`, `internal` or `gone`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

/// Two labels: `kind`, how a binding drifted, and `done`, `reported` or `queued`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByDrift {
    kind: &'static str,
    done: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// Each door from the start: an alert on how fast it grows must see the first ones too.
fn doors() -> Family<ByDoor, Counter> {
    let doors = Family::default();
    for door in ["api", "page", "hook"] {
        drop(doors.get_or_create(&ByDoor { door }));
    }
    doors
}

/// Each result from the start, as with the doors.
fn webhook_results() -> Family<ByResult, Counter> {
    let results = Family::default();
    for result in ["delivered", "refused", "unanswered", "internal", "gone"] {
        drop(results.get_or_create(&ByResult { result }));
    }
    results
}

macro_rules! metrics {
    ($($field:ident: $type:ty = $new:expr, $name:literal, $help:literal;)*) => {
        /// The counters and gauges of one process.
        pub struct Metrics {
            registry: Registry,
            figures: gauges::Gauges,
            $($field: $type,)*
        }

        impl Default for Metrics {
            fn default() -> Self {
                let mut registry = Registry::with_prefix("vmacd");
                $(let $field = $new;
                registry.register($name, $help, $field.clone());)*
                let figures = gauges::Gauges::register(&mut registry);
                Self { registry, figures, $($field,)* }
            }
        }
    };
}

metrics! {
    settled_seconds: Family<ByAction, Histogram, fn() -> Histogram> = Family::new_with_constructor(seconds as fn() -> Histogram),
        "command_seconds", "Time from a command's first arrival to its outcome";
    push_seconds: Histogram = seconds(),
        "push_seconds", "Time of one push, from the session in hand to the results written";
    changes: Histogram = Histogram::new(CHANGES),
        "push_changes", "Changes that one push brought to an end";
    pushes_failed: Family<ByCode, Counter> = Family::default(),
        "push_failures", "Pushes that could not be done, by reason";
    retries: Family<ByCode, Counter> = Family::default(),
        "retries", "Failures after which a switch or a change is tried again, by reason";
    dead: Family<ByCode, Counter> = Family::default(),
        "dead_letters", "Dead letters written, by reason";
    wakes: Family<ByCause, Counter> = Family::default(),
        "dispatcher_wakes", "Checks of the dispatcher that found work for switches, by what woke it";
    troubles: Family<ByPart, Counter> = Family::default(),
        "troubles", "Calls to the database or the broker that failed and were tried again";
    drifted: Family<ByDrift, Counter> = Family::default(),
        "drift", "Bindings found to differ from what was pushed, by what was found and what was done";
    webhook_attempts: Family<ByResult, Counter> = webhook_results(),
        "webhook_attempts", "Attempts to deliver an event to a webhook, by what came back";
    held: Gauge = Gauge::default(),
        "messages_held", "Messages received and not acknowledged yet";
    sessions: Gauge = Gauge::default(),
        "sessions_open", "Sessions to switches that are open or being opened";
    refused: Family<ByDoor, Counter> = doors(),
        "credentials_refused", "Wrong tokens and signatures that were shown, by door";
    tasks_restarted: Family<ByTask, Counter> = Family::default(),
        "tasks_restarted", "Long-lived tasks that panicked or ended early, by task";
    brought_back: Counter = Counter::default(),
        "commands_brought_back", "Commands that the database had lost and that were admitted again from RabbitMQ's archive";
    retention_seconds: Counter<f64, AtomicU64> = Counter::default(),
        "retention_seconds", "Time that the removal of old rows took, seconds";
    connections: Gauge = Gauge::default(),
        "http_connections", "Connections to the API and the pages that are open";
    displaced: Counter = Counter::default(),
        "http_connections_displaced", "Connections closed for newer ones, or refused, because as many were open as may be";
}

impl Metrics {
    /// A command has its outcome; `age` since its message was first seen.
    pub fn command_settled(&self, action: &'static str, age: Duration) {
        self.settled_seconds.get_or_create(&ByAction { action }).observe(age.as_secs_f64());
    }

    /// A push ended: how long it took and how many changes it brought to an end.
    pub fn pushed(&self, took: Duration, changes: usize) {
        self.push_seconds.observe(took.as_secs_f64());
        self.changes.observe(changes as f64);
    }

    /// A push could not be done.
    pub fn push_failed(&self, code: &'static str) {
        self.pushes_failed.get_or_create(&ByCode { code }).inc();
    }

    /// A switch or a change failed and is tried again.
    pub fn retried(&self, code: &'static str) {
        self.retries.get_or_create(&ByCode { code }).inc();
    }

    /// A dead letter was written.
    pub fn buried(&self, code: &'static str) {
        self.dead.get_or_create(&ByCode { code }).inc();
    }

    /// The dispatcher found switches to drive, woken by this.
    pub fn woken(&self, cause: &'static str) {
        self.wakes.get_or_create(&ByCause { cause }).inc();
    }

    /// A call to the `database` or the `broker` failed and is tried again.
    pub fn trouble(&self, part: &'static str) {
        self.troubles.get_or_create(&ByPart { part }).inc();
    }

    /// A binding drifted, and was `reported` or `queued` to be pushed again.
    pub fn drifted(&self, kind: &'static str, done: &'static str) {
        self.drifted.get_or_create(&ByDrift { kind, done }).inc();
    }

    /// An event was tried to be delivered to a webhook; this came back.
    pub fn webhook_tried(&self, result: &'static str) {
        self.webhook_attempts.get_or_create(&ByResult { result }).inc();
    }

    /// Messages were taken in.
    pub fn taken_in(&self, messages: usize) {
        self.held.inc_by(i64::try_from(messages).unwrap_or(i64::MAX));
    }

    /// Commands that the database had lost were admitted again.
    pub fn brought_back(&self, commands: u64) {
        self.brought_back.inc_by(commands);
    }

    /// Messages were settled.
    pub fn settled(&self, messages: usize) {
        self.held.dec_by(i64::try_from(messages).unwrap_or(i64::MAX));
    }

    /// A session was opened, or closed.
    pub fn session_opened(&self) {
        self.sessions.inc();
    }

    /// A session was closed.
    pub fn session_closed(&self) {
        self.sessions.dec();
    }

    /// A wrong token or signature was shown at the `api`, a `page` or a `hook`.
    pub fn credential_refused(&self, door: &'static str) {
        self.refused.get_or_create(&ByDoor { door }).inc();
    }

    /// A long-lived task panicked or ended early.
    pub fn task_restarted(&self, task: &'static str) {
        self.tasks_restarted.get_or_create(&ByTask { task }).inc();
    }

    /// A batch of old rows was removed, or looked at; it took so long.
    pub fn old_rows_removed(&self, took: Duration) {
        self.retention_seconds.inc_by(took.as_secs_f64());
    }

    /// So many connections to the API and the pages are open.
    pub fn http_connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// A connection was closed for a newer one, or refused.
    pub fn http_connection_displaced(&self) {
        self.displaced.inc();
    }

    /// Everything in the OpenMetrics text format, with the newest figures there are.
    pub fn text(&self, figures: &Figures) -> String {
        self.figures.set(figures);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_documented_with_its_help() {
        let metrics = Metrics::default();
        metrics.command_settled("create", Duration::from_millis(70));
        metrics.buried("invalid_json");
        metrics.task_restarted("intake");
        let text = metrics.text(&Figures::default());
        let page = include_str!("../../docs/METRICS.md");
        let helps: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
        assert!(helps.len() > 15, "{text}");
        for (name, help) in helps.iter().filter_map(|line| line.split_once(' ')) {
            assert!(page.contains(&format!("| `{name}")), "{name} is not in docs/METRICS.md");
            assert!(page.contains(help.trim_end_matches('.')), "{name}: {help}");
        }
    }
}
