//! Bounds on sessions and pushes, with a queue of its own for switches in doubt.
//!
//! A switch that does not answer holds up everything that waits behind it. So a switch that failed the last time waits for one of
//! a few openings kept for such, and no push slot is held while a session takes long to open: a hundred dead switches
//! take nothing from those that answer.
//!
//! A site may have a bound of its own on pushes: while it has as many, its switches are left to other workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::domain::SiteName;
use crate::metrics::Metrics;

/// One in this many openings is for switches in doubt.
const DOUBTFUL_SHARE: usize = 8;

/// The bounds of one worker.
pub(in crate::worker) struct Slots {
    sessions: Arc<Semaphore>,
    doubtful: Semaphore,
    pushes: Arc<Semaphore>,
    /// By site; those without one are a site too.
    sites: Mutex<HashMap<Option<SiteName>, Arc<Semaphore>>>,
    /// 0 for no bound.
    site_pushes_max: usize,
    /// Notified when a push slot is free again.
    freed: Arc<Notify>,
    /// Notified when a session is wanted and none may be opened: one idle session makes room.
    wanted: Notify,
    metrics: Arc<Metrics>,
}

/// The right to push.
pub(in crate::worker) struct PushSlot {
    freed: Arc<Notify>,
    _worker: OwnedSemaphorePermit,
}

impl Drop for PushSlot {
    fn drop(&mut self) {
        self.freed.notify_one();
    }
}

/// A site's share in the right to push.
pub(in crate::worker) type SiteSlot = Option<OwnedSemaphorePermit>;

/// The right to have a session open.
pub(in crate::worker) struct SessionSlot {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        self.metrics.session_closed();
    }
}

impl Slots {
    pub fn new(sessions_max: usize, pushes_max: usize, site_pushes_max: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            sessions: Arc::new(Semaphore::new(sessions_max)),
            doubtful: Semaphore::new((sessions_max / DOUBTFUL_SHARE).max(1)),
            pushes: Arc::new(Semaphore::new(pushes_max)),
            sites: Mutex::default(),
            site_pushes_max,
            freed: Arc::default(),
            wanted: Notify::new(),
            metrics,
        }
    }

    /// Every push slot that is free now.
    pub fn free(&self) -> Vec<PushSlot> {
        std::iter::from_fn(|| self.pushes.clone().try_acquire_owned().ok()).map(|permit| self.slot(permit)).collect()
    }

    /// The next push slot that is free.
    pub async fn push(&self) -> PushSlot {
        self.slot(self.pushes.clone().acquire_owned().await.expect("never closed"))
    }

    fn slot(&self, permit: OwnedSemaphorePermit) -> PushSlot {
        PushSlot { freed: self.freed.clone(), _worker: permit }
    }

    /// Ends when a push slot was freed.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// The right to push to one switch more of this site; none where it has as many pushes as it may have.
    pub fn site(&self, site: Option<&SiteName>) -> Option<SiteSlot> {
        match self.site_pushes_max {
            0 => Some(None),
            max => self
                .sites()
                .entry(site.cloned())
                .or_insert_with(|| Arc::new(Semaphore::new(max)))
                .clone()
                .try_acquire_owned()
                .ok()
                .map(Some),
        }
    }

    /// The sites that have as many pushes as they may have.
    pub fn full_sites(&self) -> Vec<Option<SiteName>> {
        let full = |(site, slots): (&Option<SiteName>, &Arc<Semaphore>)| {
            (slots.available_permits() == 0).then(|| site.clone())
        };
        self.sites().iter().filter_map(full).collect()
    }

    fn sites(&self) -> MutexGuard<'_, HashMap<Option<SiteName>, Arc<Semaphore>>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Ends when somebody waits for a session, so that an idle one can be closed.
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
        let slots = Arc::new(Slots::new(16, 1, 0, Arc::default()));
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

    #[test]
    fn a_site_that_has_its_share_leaves_the_rest_to_the_others() {
        let slots = Slots::new(1, 3, 2, Arc::default());
        let ams1: SiteName = "ams1".parse().expect("a name");
        let kept = (slots.site(Some(&ams1)), slots.site(Some(&ams1)));
        assert!(kept.0.is_some() && kept.1.is_some());
        assert!(slots.site(Some(&ams1)).is_none(), "ams1 has two already");
        assert_eq!(slots.full_sites(), [Some(ams1.clone())]);
        assert!(slots.site(None).is_some());
        drop(kept);
        assert!(slots.site(Some(&ams1)).is_some() && slots.full_sites().is_empty());
    }

    #[tokio::test]
    async fn a_slot_that_is_freed_is_told_of() {
        let slots = Slots::new(1, 2, 0, Arc::default());
        let mut free = slots.free();
        assert_eq!((free.len(), slots.free().len()), (2, 0));
        free.pop();
        tokio::time::timeout(Duration::from_secs(10), slots.freed()).await.expect("told");
        assert_eq!(slots.free().len(), 1);
    }

    #[tokio::test]
    async fn an_idle_session_makes_room_for_one_that_is_wanted() {
        let slots = Arc::new(Slots::new(1, 1, 0, Arc::default()));
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
