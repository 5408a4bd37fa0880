//! File descriptors: switches, database, broker and clients share them, and none may take those of the others.

use super::say_lowered;
use crate::config::Settings;

/// Open files wanted: more than one for each of many thousand switches.
const FILES_MAX: u64 = 65_536;
/// What a process has open whatever it does: the runtime, the log, the listener, files that are read for a moment.
const BASE: usize = 24;
/// The connections to RabbitMQ with what their threads have, one to ask for the queues, and one that takes another's place.
const OF_BROKER: usize = 12;
/// The connections to Postgres whose commits do not wait for the disk.
const OF_OUTBOX: usize = 2;
/// Requests to webhooks; the worker makes more at once only where it may have many sessions to switches.
const OF_WEBHOOKS: usize = 8;
/// The connections to SQLite, each with its file, its log and the log's index.
const OF_SQLITE: usize = 18;
/// One part in so many of what is left is for clients over HTTP where there is not enough for all.
const HTTP_SHARE: usize = 4;

/// Raises the limit of open files as far as the system lets it, and gives it: many start a process with room for 1,024.
pub fn raise_file_limit() -> u64 {
    rlimit::increase_nofile_limit(FILES_MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "could not raise the limit of open files");
        rlimit::Resource::NOFILE.get_soft().unwrap_or(FILES_MAX)
    })
}

/// The settings, with as many sessions to switches and connections over HTTP as there are descriptors for.
pub fn fit(settings: &Settings) -> Settings {
    let limit = raise_file_limit();
    let fitted = within(usize::try_from(limit).unwrap_or(usize::MAX), settings);
    let lowered = [
        ("worker.sessions_max", settings.worker.sessions_max, fitted.worker.sessions_max),
        ("http.connections_max", settings.http.connections_max, fitted.http.connections_max),
    ];
    say_lowered(lowered, limit, "the limit of open files (LimitNOFILE, ulimit -n)");
    fitted
}

fn within(limit: usize, settings: &Settings) -> Settings {
    let postgres = usize::try_from(settings.database.connections_max).unwrap_or(usize::MAX).saturating_add(OF_OUTBOX);
    let database = if settings.database.url.reveal().starts_with("sqlite") { OF_SQLITE } else { postgres };
    let broker = if settings.amqp.url.is_empty() { 0 } else { OF_BROKER };
    let left = limit.saturating_sub(BASE + OF_WEBHOOKS + database + broker);
    let mut fitted = settings.clone();
    let (sessions, connections) = (&mut fitted.worker.sessions_max, &mut fitted.http.connections_max);
    if sessions.saturating_add(*connections) > left {
        *connections = (*connections).min((left / HTTP_SHARE).max(2));
        *sessions = (*sessions).min(left.saturating_sub(*connections).max(1));
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(limit: usize) -> (usize, usize) {
        let fitted = within(limit, &Settings::default());
        (fitted.worker.sessions_max, fitted.http.connections_max)
    }

    #[test]
    fn what_is_wanted_is_had_where_there_is_enough() {
        assert_eq!(shares(65_536), (512, 512));
        assert_eq!(shares(1_074), (512, 512));
    }

    #[test]
    fn where_there_is_not_enough_clients_over_http_have_a_quarter() {
        assert_eq!(shares(1_042), (512, 248));
        assert_eq!(shares(142), (69, 23));
        assert_eq!(shares(42), (1, 2), "some of each in any case");
    }
}
