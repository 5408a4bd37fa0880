//! Tells open pages that something happened (server-sent events, HTML Standard section 9.2): two queries of the database
//! a second for all of them together, and none while no page is open.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::error_page::PageError;
use crate::store::Store;
use crate::web::api::problem::{ApiCode, Problem};
use crate::web::health::HealthSource;
use crate::web::server::connections::ActiveRequest;

/// Time between two polls: a change is on the screen within two seconds, including the page's own request.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// Longest wait for the figures.
const FIGURES_MAX: Duration = Duration::from_millis(1_500);
/// How long one page may watch; then its browser reconnects, and its login is checked again.
const WATCH_MAX: Duration = Duration::from_secs(600);
/// How soon a browser is to begin anew.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What those who watch share.
#[derive(Clone)]
pub(super) struct LiveUpdates(Arc<Shared>);

/// What is another one once something happened: figures of the rows, and how everything is.
type Pulse = (Vec<i64>, String);

struct Shared {
    store: Store,
    health_source: Arc<dyn HealthSource>,
    pulse: watch::Sender<Pulse>,
    polling: AtomicBool,
    /// Pages that may watch at the same time; each is an open connection.
    watchers_max: usize,
    stopping: CancellationToken,
}

impl LiveUpdates {
    /// Over these rows, until `stopping` is cancelled.
    pub fn new(
        store: Store,
        health_source: Arc<dyn HealthSource>,
        watchers_max: usize,
        stopping: CancellationToken,
    ) -> Self {
        let (pulse, polling) = (watch::Sender::default(), AtomicBool::new(false));
        Self(Arc::new(Shared { store, health_source, pulse, polling, watchers_max, stopping }))
    }

    fn subscribe(&self) -> Option<watch::Receiver<Pulse>> {
        if self.0.pulse.receiver_count() >= self.0.watchers_max {
            return None;
        }
        let receiver = self.0.pulse.subscribe();
        if !self.0.polling.swap(true, Ordering::SeqCst) {
            #[expect(clippy::disallowed_methods, reason = "it ends with the pages that are kept live")]
            tokio::spawn(poll(self.0.clone()));
        }
        Some(receiver)
    }
}

async fn poll(shared: Arc<Shared>) {
    while shared.stopping.run_until_cancelled(tokio::time::sleep(POLL_EVERY)).await.is_some() {
        if shared.pulse.receiver_count() == 0 {
            shared.polling.store(false, Ordering::SeqCst);
            // A page may have subscribed between the count and the store, and seen that somebody polls.
            if shared.pulse.receiver_count() == 0 || shared.polling.swap(true, Ordering::SeqCst) {
                return;
            }
        }
        let health = shared.health_source.health_view().await.fingerprint();
        let figures = timeout(FIGURES_MAX, shared.store.statistics().pulse()).await;
        shared.pulse.send_if_modified(|(last, last_health)| {
            // Without figures nothing is known of the rows; that the database is away is news of its own.
            let figures = figures.ok().and_then(Result::ok).unwrap_or_else(|| last.clone());
            let is_news = *last != figures || *last_health != health;
            (*last, *last_health) = (figures, health);
            is_news
        });
    }
}

/// Sends `changed` whenever something happened. The connection keeps its turn meanwhile: it makes no room for others.
pub(super) async fn watch(
    State(live): State<LiveUpdates>,
    active_request: Option<Extension<ActiveRequest>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    let too_many = || {
        Problem::new(
            ApiCode::TooManyConnections,
            format!("{} pages already receive live updates, which is the limit", live.0.watchers_max),
        )
    };
    let receiver = live.subscribe().ok_or_else(too_many)?;
    let stopping = live.0.stopping.clone();
    let end = Instant::now() + WATCH_MAX;
    let changes =
        unfold((receiver, stopping, active_request, end), async |(mut receiver, stopping, active_request, end)| {
            let change = timeout_at(end, receiver.changed());
            stopping.run_until_cancelled(change).await?.ok()?.ok()?;
            // Without a line of data a browser drops the event (HTML Standard 9.2.6), and of `data("")` no line is written.
            let event = Event::default().event("changed").data("page").retry(AGAIN_AFTER);
            Some((Ok(event), (receiver, stopping, active_request, end)))
        });
    Ok(Sse::new(changes).keep_alive(KeepAlive::default()))
}
