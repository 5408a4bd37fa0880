//! Time limits of a request: for its body to arrive, and for its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::unfold;
use tokio::time::{Instant, timeout, timeout_at};

use super::connections::ActiveRequest;
use crate::web::api::problem::{ApiCode, Problem};

/// Longest time for one answer: longer than the database and the broker take to say why they do not answer.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// The same for a dry run: switches are waited for, which compare in their own time.
const DRY_RUN_MAX: Duration = Duration::from_secs(75);

/// Answers within [`ANSWER_MAX`], a dry run within [`DRY_RUN_MAX`], and 408 where the body did not come within its own time.
pub(in crate::web) async fn enforce(State(body_limit): State<Duration>, mut request: Request, next: Next) -> Response {
    let is_late = Arc::new(AtomicBool::new(false));
    let active_request = request.extensions().get::<ActiveRequest>().cloned();
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = in_time(body, body_limit, active_request, is_late.clone());
    let answer_max = answer_max(request.uri().query().unwrap_or_default());
    match timeout(answer_max, next.run(request)).await {
        Ok(_) if is_late.load(Ordering::Relaxed) => {
            let text = format!("the body did not arrive within {} ms", body_limit.as_millis());
            Problem::new(ApiCode::SlowBody, text).into_response()
        }
        Ok(response) => response,
        Err(_) => {
            let text = format!("no answer within {} s", answer_max.as_secs());
            Problem::new(ApiCode::NoAnswer, text).into_response()
        }
    }
}

fn answer_max(query: &str) -> Duration {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    if pairs.any(|(name, value)| name == "dry_run" && value == "true") { DRY_RUN_MAX } else { ANSWER_MAX }
}

/// The body as it comes, until its time is over. The turn begins once it is whole.
fn in_time(body: Body, limit: Duration, active_request: Option<ActiveRequest>, is_late: Arc<AtomicBool>) -> Body {
    if body.is_end_stream() {
        active_request.iter().for_each(ActiveRequest::begin);
        return body;
    }
    let incoming =
        IncomingBody { chunks: body.into_data_stream(), deadline: Instant::now() + limit, active_request, is_late };
    Body::from_stream(unfold(incoming, IncomingBody::next))
}

/// A body that is on its way.
struct IncomingBody {
    chunks: BodyDataStream,
    deadline: Instant,
    active_request: Option<ActiveRequest>,
    is_late: Arc<AtomicBool>,
}

impl IncomingBody {
    async fn next(mut self) -> Option<(Result<Bytes, axum::Error>, Self)> {
        match timeout_at(self.deadline, self.chunks.next()).await {
            Ok(Some(chunk)) => Some((chunk, self)),
            Ok(None) => {
                self.active_request.iter().for_each(ActiveRequest::begin);
                None
            }
            Err(late) => {
                self.is_late.store(true, Ordering::Relaxed);
                Some((Err(axum::Error::new(late)), self))
            }
        }
    }
}
