//! Who may be busy with a switch now: bounds on sessions and pushes, and a line of its own for switches in doubt.
//!
//! A switch that does not answer holds up whoever waits behind it. So a switch that failed the last time waits for
//! one of a few openings kept for such, and no push slot is held while a session is being opened: a hundred dead
//! switches take nothing from those that answer.
//!
//! A site may have a bound of its own on pushes. Whoever waits for its site's turn takes no push slot meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::domain::SiteName;
use crate::metrics::Metrics;

/// One opening in so many is for switches in doubt.
const DOUBTFUL_SHARE: usize = 8;

/// The bounds of one worker.
pub(super) struct Slots {
    sessions: Arc<Semaphore>,
    doubtful: Semaphore,
    pushes: Semaphore,
    /// By site; those without one are a site too.
    sites: Mutex<HashMap<Option<SiteName>, Arc<Semaphore>>>,
    /// 0 for no bound.
    site_pushes_max: usize,
    /// Told when a session is wanted and none may be opened: one idle session makes room.
    wanted: Notify,
    metrics: Arc<Metrics>,
}

/// The right to push.
pub(super) struct PushSlot<'a> {
    _worker: SemaphorePermit<'a>,
    _site: Option<OwnedSemaphorePermit>,
}

/// The right to have a session open.
pub(super) struct SessionSlot {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        self.metrics.session_closed();
    }
}

impl Slots {
    pub fn new(sessions_max: usize, pushes_max: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            sessions: Arc::new(Semaphore::new(sessions_max)),
            doubtful: Semaphore::new((sessions_max / DOUBTFUL_SHARE).max(1)),
            pushes: Semaphore::new(pushes_max),
            sites: Mutex::default(),
            site_pushes_max: 0,
            wanted: Notify::new(),
            metrics,
        }
    }

    /// With so many pushes to switches of one site; 0 for any number.
    pub fn with_site_pushes_max(self, site_pushes_max: usize) -> Self {
        Self { site_pushes_max, ..self }
    }

    /// The right to push to a switch of this site.
    pub async fn push(&self, site: Option<&SiteName>) -> PushSlot<'_> {
        let site = match self.site_pushes_max {
            0 => None,
            max => Some(self.of_site(site, max).acquire_owned().await.expect("never closed")),
        };
        PushSlot { _worker: self.pushes.acquire().await.expect("never closed"), _site: site }
    }

    fn of_site(&self, site: Option<&SiteName>, pushes_max: usize) -> Arc<Semaphore> {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.entry(site.cloned()).or_insert_with(|| Arc::new(Semaphore::new(pushes_max))).clone()
    }

    /// The right to open a session while `opening` runs and to keep it afterwards.
    pub async fn open<T>(&self, in_doubt: bool, opening: impl Future<Output = T>) -> (T, SessionSlot) {
        let _doubtful = match in_doubt {
            true => Some(self.doubtful.acquire().await.expect("never closed")),
            false => None,
        };
        let slot = self.session().await;
        (opening.await, slot)
    }

    async fn session(&self) -> SessionSlot {
        let permit = match self.sessions.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.wanted.notify_one();
                self.sessions.clone().acquire_owned().await.expect("never closed")
            }
        };
        self.metrics.session_opened();
        SessionSlot { _permit: permit, metrics: self.metrics.clone() }
    }

    /// Ends when somebody waits for a session: for the holder of an idle one.
    pub async fn session_wanted(&self) {
        self.wanted.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn switches_that_do_not_answer_leave_most_openings_to_the_others() {
        let slots = Arc::new(Slots::new(16, 1, Arc::default()));
        let dead = (0..100).map(|_| {
            let slots = slots.clone();
            tokio::spawn(async move { slots.open(true, pending::<()>()).await })
        });
        let dead: Vec<_> = dead.collect();
        while slots.sessions.available_permits() > 14 {
            tokio::task::yield_now().await;
        }
        let mut kept = Vec::new();
        for _ in 0..14 {
            kept.push(slots.open(false, ready(())).await);
        }
        dead.iter().for_each(|task| task.abort());
    }

    #[tokio::test]
    async fn a_site_that_has_its_share_leaves_the_rest_to_the_others() {
        let slots = Slots::new(1, 3, Arc::default()).with_site_pushes_max(2);
        let ams1: SiteName = "ams1".parse().expect("a name");
        let kept = (slots.push(Some(&ams1)).await, slots.push(Some(&ams1)).await);
        let third = tokio::time::timeout(Duration::from_millis(20), slots.push(Some(&ams1))).await;
        assert!(third.is_err(), "ams1 has two already");
        drop(slots.push(None).await);
        drop(kept);
        slots.push(Some(&ams1)).await;
    }

    #[tokio::test]
    async fn an_idle_session_makes_room_for_one_that_is_wanted() {
        let slots = Arc::new(Slots::new(1, 1, Arc::default()));
        let ((), kept) = slots.open(false, ready(())).await;
        let idle = tokio::spawn({
            let slots = slots.clone();
            async move {
                slots.session_wanted().await;
                drop(kept);
            }
        });
        let opened = tokio::time::timeout(Duration::from_secs(10), slots.open(false, ready("open"))).await;
        assert_eq!(opened.expect("room was made").0, "open");
        idle.await.expect("closed");
    }
}
