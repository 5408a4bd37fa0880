//! Tells open pages that something happened (server-sent events, HTML Standard section 9.2): one look at the database a
//! second for all of them together, and none while nobody watches.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::failed::Failed;
use crate::store::Store;
use crate::web::api::{ApiCode, Problem};
use crate::web::connections::Turn;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one page watches; its browser begins anew by itself, and its login is looked at again.
const WATCH_MAX: Duration = Duration::from_secs(600);
/// How soon a browser is to begin anew.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What those who watch share.
#[derive(Clone)]
pub(super) struct Live(Arc<Shared>);

struct Shared {
    store: Store,
    pulse: watch::Sender<Vec<i64>>,
    looking: AtomicBool,
    /// Pages that may watch at the same time; each is an open connection.
    watchers_max: usize,
    stopping: CancellationToken,
}

impl Live {
    /// Over these rows, until `stopping` is cancelled.
    pub fn new(store: Store, watchers_max: usize, stopping: CancellationToken) -> Self {
        let (pulse, looking) = (watch::Sender::default(), AtomicBool::new(false));
        Self(Arc::new(Shared { store, pulse, looking, watchers_max, stopping }))
    }

    fn subscribe(&self) -> Option<watch::Receiver<Vec<i64>>> {
        if self.0.pulse.receiver_count() >= self.0.watchers_max {
            return None;
        }
        let receiver = self.0.pulse.subscribe();
        if !self.0.looking.swap(true, Ordering::SeqCst) {
            #[expect(clippy::disallowed_methods, reason = "it ends with the pages that are kept live")]
            tokio::spawn(look(self.0.clone()));
        }
        Some(receiver)
    }
}

async fn look(shared: Arc<Shared>) {
    while shared.stopping.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        if shared.pulse.receiver_count() == 0 {
            shared.looking.store(false, Ordering::SeqCst);
            // Somebody may have come between the look and the word; they saw it said that somebody looks.
            if shared.pulse.receiver_count() == 0 || shared.looking.swap(true, Ordering::SeqCst) {
                return;
            }
        }
        // A database that does not answer is no news: the page's own look says so.
        let Ok(seen) = shared.store.pulse().await else { continue };
        shared.pulse.send_if_modified(|last| std::mem::replace(last, seen.clone()) != seen);
    }
}

/// Sends `changed` whenever something happened. The connection keeps its turn meanwhile: it makes no room for others.
pub(super) async fn watch(
    State(live): State<Live>,
    turn: Option<Extension<Turn>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failed> {
    let too_many =
        || Problem::new(ApiCode::TooManyConnections, format!("{} pages are kept live already", live.0.watchers_max));
    let receiver = live.subscribe().ok_or_else(too_many)?;
    let stopping = live.0.stopping.clone();
    let end = Instant::now() + WATCH_MAX;
    let changes = unfold((receiver, stopping, turn, end), async |(mut receiver, stopping, turn, end)| {
        let change = timeout_at(end, receiver.changed());
        stopping.run_until_cancelled(change).await?.ok()?.ok()?;
        let event = Event::default().event("changed").data("").retry(AGAIN_AFTER);
        Some((Ok(event), (receiver, stopping, turn, end)))
    });
    Ok(Sse::new(changes).keep_alive(KeepAlive::default()))
}
