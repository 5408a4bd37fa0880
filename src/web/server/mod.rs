//! The server under the routes: accepts connections, limits their number and time, and closes them.
//!
//! axum's own `serve` has neither a time for a request's head nor a bound on connections, so hyper is used here as axum
//! uses it.

pub(super) mod client_address;
pub(super) mod connections;
pub(super) mod deadlines;
mod send_limit;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use self::connections::{ActiveRequest, Connection, ConnectionLimits, Connections};
use self::send_limit::SendLimit;
use crate::config::HttpSettings;
use crate::failpoint;
use crate::metrics::Metrics;
use crate::web::api::problem::{ApiCode, Problem};

/// Bytes kept of a client that sends faster than it is answered; the longest head of a request.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Time between two tries to take a connection when the system refuses.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Time between two lines of the log about that.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What answers over HTTP.
pub struct Server {
    listener: TcpListener,
    connections: Connections,
    handler: ConnectionHandler,
}

impl Server {
    /// Answers on the listener by these routes, until `stopping` is cancelled.
    pub(in crate::web) fn with_router(
        listener: TcpListener,
        router: Router,
        settings: &HttpSettings,
        metrics: Arc<Metrics>,
        stopping: CancellationToken,
    ) -> Self {
        let limits =
            ConnectionLimits { all: settings.connections_max, per_address: settings.connections_per_address_max };
        let handler = ConnectionHandler {
            router,
            head_timeout: Duration::from_millis(settings.client_timeout_ms),
            send_timeout: 3 * Duration::from_millis(settings.client_timeout_ms),
            stopping,
        };
        Self { listener, connections: Connections::new(limits, metrics), handler }
    }

    /// Takes connections until it is stopped; answers that were begun are finished. Where this panicked it may be called
    /// again: what is open stays open.
    pub async fn run(&self) {
        let (stopping, connections) = (&self.handler.stopping, &self.connections);
        let mut logged_at = None;
        failpoint::hit("http::accept");
        while let Some(taken) = stopping.run_until_cancelled(self.listener.accept()).await {
            match taken {
                Ok((stream, address)) => match connections.admit(address.ip().into()) {
                    Some(connection) => {
                        #[expect(clippy::disallowed_methods, reason = "one connection: its panic is its own")]
                        tokio::spawn(self.handler.clone().serve(stream, connection));
                        // What it has sent already is read before the next one may want its place.
                        tokio::task::yield_now().await;
                    }
                    None => refuse(&stream),
                },
                Err(error) => cannot_accept(&error, connections, &mut logged_at).await,
            }
        }
    }
}

/// A client that went away before it was taken is nobody's trouble. Without descriptors taking the next would fail at once
/// and for ever: one that waits makes room, and a moment passes.
async fn cannot_accept(error: &std::io::Error, connections: &Connections, logged_at: &mut Option<Instant>) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset) {
        return;
    }
    if logged_at.is_none_or(|logged_at| logged_at.elapsed() >= LOG_EVERY) {
        *logged_at = Some(Instant::now());
        tracing::warn!(%error, "cannot accept connections; trying again");
    }
    connections.close_oldest();
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Sends the reason, if that is possible without waiting.
fn refuse(stream: &TcpStream) {
    let problem = Problem::new(ApiCode::TooManyConnections, "too many connections from this address or in total");
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\nconnection: close";
    let _ = stream.try_write(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

/// What every connection is served by.
#[derive(Clone)]
struct ConnectionHandler {
    router: Router,
    head_timeout: Duration,
    send_timeout: Duration,
    stopping: CancellationToken,
}

impl ConnectionHandler {
    async fn serve(self, stream: TcpStream, connection: Arc<Connection>) {
        let (closing, stopping) = (connection.closing.clone(), self.stopping);
        let routes = TowerToHyperService::new(self.router);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let active_request = ActiveRequest::new(connection.clone());
            request.extensions_mut().insert(active_request.clone());
            let answer = routes.call(request);
            async move {
                let answer = answer.await;
                drop(active_request);
                answer
            }
        });
        let io = TokioIo::new(SendLimit::new(stream, self.send_timeout));
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(self.head_timeout).max_buf_size(BUFFER_BYTES_MAX);
        let mut served = std::pin::pin!(server.serve_connection(io, service));
        let stopped = tokio::select! {
            // The result does not matter: most clients just go away.
            _ = served.as_mut() => false,
            () = closing.cancelled() => false,
            () = stopping.cancelled() => true,
        };
        if stopped {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}
