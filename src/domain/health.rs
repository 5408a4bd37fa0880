//! How the parts of the service are: the database, the broker, the workers. What a page says at its top is decided here.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// A worker that was not heard of for so long is silent; a running one writes every five seconds.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(20);

/// A part that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// Since when.
    pub since: DateTime<Utc>,
    /// What is known of it.
    pub error: String,
}

/// A worker, as its row says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerHeartbeat {
    /// Its name, as in leases: host or set name, process, and a random part.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it last wrote its row.
    pub heard_at: DateTime<Utc>,
    /// Since when it has no connection to the broker, while it has none.
    pub broker_lost_at: Option<DateTime<Utc>>,
    /// What is wrong with its tasks.
    pub trouble: Option<String>,
}

/// All of it, as one process sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The time.
    pub now: DateTime<Utc>,
    /// Whether the database answers.
    pub database: Option<Outage>,
    /// How long it took to answer, milliseconds.
    pub database_ms: u64,
    /// Whether the broker is there; the embedded queue is a part of the database.
    pub broker: Option<Outage>,
    /// True where the queue is embedded in the database.
    pub broker_is_embedded: bool,
    /// The workers that are counted, by name, as they were last known.
    pub workers: Vec<WorkerHeartbeat>,
    /// When that was.
    pub known_at: DateTime<Utc>,
}

impl WorkerHeartbeat {
    /// True where it was not heard of for too long.
    pub fn is_silent(&self, now: DateTime<Utc>) -> bool {
        now - self.heard_at > SILENT_AFTER
    }

    /// What all processes of one host, or of one set name, share.
    fn base(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

impl Health {
    /// The workers that are running, as far as is known.
    pub fn running(&self) -> impl Iterator<Item = &WorkerHeartbeat> {
        self.workers.iter().filter(|worker| !worker.is_silent(self.known_at))
    }

    /// Those that were running and are not heard of any more.
    pub fn silent(&self) -> impl Iterator<Item = &WorkerHeartbeat> {
        self.workers.iter().filter(|worker| worker.is_silent(self.known_at))
    }

    /// Of the running ones those that have no connection to the broker.
    pub fn without_broker(&self) -> usize {
        self.running().filter(|worker| worker.broker_lost_at.is_some()).count()
    }

    /// True where nothing is wrong with any part.
    pub fn is_good(&self) -> bool {
        let parts = self.database.is_none() && self.broker.is_none();
        parts
            && self.workers.iter().all(|worker| {
                !worker.is_silent(self.known_at) && worker.trouble.is_none() && worker.broker_lost_at.is_none()
            })
    }
}

/// Leaves silent workers out in whose place another one was started since.
pub fn without_replaced(workers: Vec<WorkerHeartbeat>, now: DateTime<Utc>) -> Vec<WorkerHeartbeat> {
    let is_successor = |old: &WorkerHeartbeat, new: &WorkerHeartbeat| {
        new.name != old.name && new.base() == old.base() && new.started_at >= old.heard_at
    };
    let is_replaced = |old: &WorkerHeartbeat| old.is_silent(now) && workers.iter().any(|new| is_successor(old, new));
    workers.iter().filter(|worker| !is_replaced(worker)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("a time")
    }

    fn worker(name: &str, started_s: i64, heard_s: i64) -> WorkerHeartbeat {
        let (started_at, heard_at) = (at(started_s), at(heard_s));
        let (name, version) = (name.to_owned(), "0.1.0".to_owned());
        WorkerHeartbeat { name, version, started_at, heard_at, broker_lost_at: None, trouble: None }
    }

    fn health(workers: Vec<WorkerHeartbeat>) -> Health {
        let (now, known_at) = (at(100), at(100));
        Health { now, database: None, database_ms: 1, broker: None, broker_is_embedded: false, workers, known_at }
    }

    #[test]
    fn a_worker_that_is_not_heard_of_is_silent_and_its_successor_stands_for_it() {
        let now = at(100);
        let names = |workers: Vec<WorkerHeartbeat>| {
            without_replaced(workers, now).into_iter().map(|worker| worker.name).collect::<Vec<_>>()
        };
        let (gone, beside) = (worker("vm/1/a", 0, 50), worker("vm/2/b", 0, 99));
        assert_eq!(names(vec![gone.clone(), beside.clone()]), ["vm/1/a", "vm/2/b"], "one that ran beside it is none");
        assert_eq!(names(vec![gone.clone(), worker("vm/3/c", 60, 99)]), ["vm/3/c"]);
        assert_eq!(names(vec![gone.clone(), worker("other/3/c", 60, 99)]), ["vm/1/a", "other/3/c"]);
        assert_eq!(names(vec![worker("vm/4/d", 60, 10)]), ["vm/4/d"], "whatever the clock did, it is not its own");
        let all = health(vec![gone, beside]);
        assert_eq!((all.running().count(), all.silent().count(), all.is_good()), (1, 1, false));
    }

    #[test]
    fn workers_are_judged_by_the_time_at_which_they_were_known() {
        let known = Health { now: at(10_000), ..health(vec![worker("vm/1/a", 0, 99)]) };
        assert_eq!((known.running().count(), known.is_good()), (1, true));
        let away = Outage { since: at(101), error: "refused".to_owned() };
        assert!(!Health { database: Some(away), ..known }.is_good());
    }
}
