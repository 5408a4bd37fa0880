//! Since when the broker and the database are away, as this process saw it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::domain::Outage;

/// The outages that last.
#[derive(Debug, Default)]
pub struct Outages(Mutex<Lasting>);

#[derive(Debug, Default)]
struct Lasting {
    broker: Option<Outage>,
    database: Option<Outage>,
}

impl Outages {
    /// Takes note of whether the broker is there. True where that is news.
    pub fn note_broker(&self, error: Option<String>, now: DateTime<Utc>) -> bool {
        note(&mut self.lasting().broker, error, now)
    }

    /// Takes note of whether the database answers.
    pub fn note_database(&self, error: Option<String>, now: DateTime<Utc>) {
        note(&mut self.lasting().database, error, now);
    }

    /// The broker's outage.
    pub fn broker(&self) -> Option<Outage> {
        self.lasting().broker.clone()
    }

    /// The database's outage.
    pub fn database(&self) -> Option<Outage> {
        self.lasting().database.clone()
    }

    fn lasting(&self) -> MutexGuard<'_, Lasting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(outage: &mut Option<Outage>, error: Option<String>, now: DateTime<Utc>) -> bool {
    let was_away = outage.is_some();
    let since = outage.as_ref().map_or(now, |away| away.since);
    *outage = error.map(|error| Outage { since, error });
    was_away != outage.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_its_first_sign_to_its_end() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        let outages = Outages::default();
        assert!(!outages.note_broker(None, at(1)));
        assert!(outages.note_broker(Some("refused".to_owned()), at(2)));
        assert!(!outages.note_broker(Some("silent".to_owned()), at(3)));
        assert_eq!(outages.broker(), Some(Outage { since: at(2), error: "silent".to_owned() }));
        assert!(outages.note_broker(None, at(4)));
        assert_eq!((outages.broker(), outages.database()), (None, None));
    }
}
