//! How many bytes of messages a consumer has in hand, and when its socket may read more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// Messages of one connection that may be on their way from the socket to the consumer.
const UNDER_WAY_MAX: usize = 64;

/// The bytes that a consumer has in hand, over all its connections.
#[derive(Debug)]
pub(super) struct InHand {
    max: usize,
    /// Answers that are waited for, behind whatever comes before them.
    awaited: AtomicUsize,
    bytes: AtomicUsize,
    /// The socket that waits for fewer.
    waiting: Mutex<Option<Waker>>,
}

/// What one connection of a consumer reads.
#[derive(Debug)]
pub(super) struct Flow {
    in_hand: Arc<InHand>,
    /// Messages that the socket passed on and the consumer does not have yet.
    under_way: AtomicUsize,
}

/// Until dropped, nothing is full.
#[derive(Debug)]
pub(super) struct Reading(Arc<InHand>);

/// The bytes of one message, in hand until dropped.
#[derive(Debug)]
pub(in crate::broker) struct Share {
    in_hand: Arc<InHand>,
    bytes: usize,
}

impl InHand {
    /// Nothing in hand; full from `max` bytes on.
    pub fn new(max: usize) -> Arc<Self> {
        let (awaited, bytes, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { max, awaited, bytes, waiting })
    }

    /// For a new connection.
    pub fn flow(self: &Arc<Self>) -> Arc<Flow> {
        Arc::new(Flow { in_hand: self.clone(), under_way: AtomicUsize::new(0) })
    }

    /// Reads on for an answer, however much is in hand: no more comes than the prefetch has messages.
    pub fn reading(self: &Arc<Self>) -> Reading {
        self.awaited.fetch_add(1, Ordering::SeqCst);
        self.wake();
        Reading(self.clone())
    }

    fn wake(&self) {
        if let Some(waker) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }
}

impl Flow {
    /// What the connection's messages are counted in.
    pub fn in_hand(&self) -> &Arc<InHand> {
        &self.in_hand
    }

    /// The socket passes so many messages on.
    pub fn pass(&self, messages: usize) {
        self.under_way.fetch_add(messages, Ordering::SeqCst);
    }

    /// The consumer takes a message of so many bytes.
    pub fn take(&self, bytes: usize) -> Share {
        self.in_hand.bytes.fetch_add(bytes, Ordering::SeqCst);
        let fewer = |under_way: usize| Some(under_way.saturating_sub(1));
        let _ = self.under_way.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
        self.in_hand.wake();
        Share { in_hand: self.in_hand.clone(), bytes }
    }

    /// True while nothing more should be read; `waker` is woken when that may have changed.
    pub fn is_full(&self, waker: &Waker) -> bool {
        if !self.is_full_now() {
            return false;
        }
        *self.in_hand.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        // Asked again: it may have changed before the waker was there.
        self.is_full_now()
    }

    fn is_full_now(&self) -> bool {
        let in_hand = &self.in_hand;
        let is_full = in_hand.bytes.load(Ordering::SeqCst) >= in_hand.max
            || self.under_way.load(Ordering::SeqCst) >= UNDER_WAY_MAX;
        is_full && in_hand.awaited.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.awaited.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.in_hand.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        self.in_hand.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counting() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), count.into())
    }

    #[test]
    fn who_found_it_full_is_woken_when_a_message_leaves_the_hand() {
        let ((count, waker), in_hand) = (counting(), InHand::new(10));
        let flow = in_hand.flow();
        flow.pass(3);
        let first = flow.take(6);
        assert!(!flow.is_full(&waker));
        let second = flow.take(6);
        assert!(flow.is_full(&waker));
        drop(first);
        assert_eq!((count.0.load(Ordering::SeqCst), flow.is_full(&waker)), (1, false));
        drop(second);
        let _third = flow.take(100);
        assert!(flow.is_full(&waker) && in_hand.flow().is_full(&waker), "also for another connection");
        let reading = in_hand.reading();
        assert!(!flow.is_full(&waker), "an answer is waited for");
        drop(reading);
        assert!(flow.is_full(&waker));
    }

    #[test]
    fn no_more_than_a_few_messages_are_under_way_to_the_consumer() {
        let ((count, waker), in_hand) = (counting(), InHand::new(usize::MAX));
        let flow = in_hand.flow();
        flow.pass(UNDER_WAY_MAX);
        assert!(flow.is_full(&waker) && !in_hand.flow().is_full(&waker));
        let _share = flow.take(1);
        assert_eq!((count.0.load(Ordering::SeqCst), flow.is_full(&waker)), (1, false));
    }
}
