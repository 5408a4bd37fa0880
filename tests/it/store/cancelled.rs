//! Futures of the store that are dropped halfway, as time limits, `select!` and clients that go away drop them.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use vmacd::store::{SessionLimits, Store, StoreOptions};

use super::bench::{Bench, LONG};
use crate::support::Proxy;

on_both_engines! {
    a_transaction_cancelled_at_any_await_takes_no_later_write_with_it,
    a_single_write_cancelled_at_any_await_takes_no_later_write_with_it,
}

/// More awaits than any of the futures has.
const AWAITS_MAX: usize = 200;

/// When a future is dropped.
#[derive(Debug, Clone, Copy)]
enum Dropped {
    /// Right after it began to wait: the question is on its way.
    WhileItWaits,
    /// Once there is an answer, before it is read.
    OnceAnswered,
}

/// Polls a future so many times and then drops it; its output where it was ready by then.
async fn polled<T>(polls: usize, dropped: Dropped, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 && matches!(dropped, Dropped::WhileItWaits) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The same database over one connection: the next statement runs where the cancelled one ran, and a connection that is lost
/// is the last. With a proxy in between no answer of Postgres is there before its question was waited for.
struct OneConnection {
    store: Store,
    _proxy: Option<Proxy>,
}

impl OneConnection {
    async fn to(bench: &Bench) -> Self {
        let (url, proxy) = match bench.authority() {
            Some(authority) => {
                let proxy = Proxy::start(authority).await;
                (bench.store_url().replace(authority, &format!("127.0.0.1:{}", proxy.port())), Some(proxy))
            }
            None => (bench.store_url().to_owned(), None),
        };
        let options = StoreOptions { connections_max: 1, ..StoreOptions::default() };
        Self { store: bench.open_at(&url, options).await, _proxy: proxy }
    }
}

const LIMITS: SessionLimits = SessionLimits { idle: LONG, age_max: Duration::from_secs(3_600), count_max: 10_000 };

/// Cancels `work` at each of its awaits in turn, and after each shows that a single write is durable.
async fn cancel_everywhere(bench: &Bench, work: impl AsyncFn(&Store, String)) {
    let observer = bench.another().await;
    for dropped in [Dropped::WhileItWaits, Dropped::OnceAnswered] {
        let OneConnection { store, _proxy } = OneConnection::to(bench).await;
        let mut was_whole = false;
        for polls in 0..AWAITS_MAX {
            let probe = format!("probe-{dropped:?}-{polls}");
            observer.page_sessions().open(&probe, None, &LIMITS).await.expect("a row to write to");
            let ended = polled(polls, dropped, work(&store, format!("cancelled-{dropped:?}-{polls}"))).await;
            store.page_sessions().end(&probe).await.expect("the pool has its connection");
            let is_there = observer.page_sessions().find(&probe, &LIMITS, false).await.expect("an answer").is_some();
            assert!(!is_there, "a write after the drop was lost; {dropped:?} after {polls} polls");
            if ended.is_some() {
                was_whole = true;
                break;
            }
        }
        assert!(was_whole, "more awaits than {AWAITS_MAX}");
        store.close().await;
    }
}

async fn a_transaction_cancelled_at_any_await_takes_no_later_write_with_it(bench: &Bench) {
    cancel_everywhere(bench, async |store, key| {
        store.page_sessions().open(&key, None, &LIMITS).await.expect("a transaction")
    })
    .await;
}

async fn a_single_write_cancelled_at_any_await_takes_no_later_write_with_it(bench: &Bench) {
    cancel_everywhere(bench, async |store, key| store.page_sessions().end(&key).await.expect("a write")).await;
}
