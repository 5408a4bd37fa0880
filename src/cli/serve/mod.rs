//! `vmacd serve`: the worker, the collector and the health page, until SIGTERM or Ctrl-C.

mod cached;
mod dry_runs;
pub mod health;

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::cli::app_env::Session;
use crate::cli::fault::Fault;
use crate::cli::process::signals::on_signal;
use crate::metrics::Metrics;
use crate::telemetry;
use crate::web::{Access, App, Front, Server};
use crate::worker::{Parts, Supervisor, TaskName, Worker};
use dry_runs::Rehearsals;
use health::Surroundings;

/// A token that is shorter is warned of.
const TOKEN_BYTES_MIN: usize = 16;

/// Runs until a signal says stop.
pub async fn run(session: Session) -> Result<(), Fault> {
    let exporting = telemetry::start(&session.settings.telemetry).map_err(Fault::service)?;
    let shutdown = on_signal()?;
    let session = session.fitted();
    let store = session.store_to_serve().await?;
    let broker = session.broker(&store).await?;
    let listener = TcpListener::bind(&session.settings.http.addr)
        .await
        .map_err(|error| Fault::service(anyhow::anyhow!("cannot listen on {}: {error}", session.settings.http.addr)))?;
    let address = listener.local_addr()?;
    let metrics = Arc::new(Metrics::default());
    let supervisor = Supervisor::new(metrics.clone());
    let (settings, outages) = (session.settings.clone(), Arc::default());
    let parts = Arc::new(Parts { store, broker, settings, metrics, supervisor, outages });
    let app = app(&parts).with_hooks(session.settings.hooks.clone()).with_drift(session.settings.drift.mode);
    let front = Front {
        vitals: Arc::new(Surroundings::new((*parts).clone())),
        access: access(&session),
        settings: session.settings.http.clone(),
        metrics: parts.metrics.clone(),
    };
    serve_http(&parts.supervisor, listener, &front, app);
    let worker = Worker::start((*parts).clone());
    tracing::info!(worker = worker.name(), http = %address, database = %session.settings.database.url,
        broker = %broker_name(&session), "ready");
    warn_of_short_token(&session);
    let ended = worker.run_until(shutdown).await;
    parts.broker.close().await;
    // What is left is sent, which takes a bounded time.
    let _ = tokio::task::spawn_blocking(|| drop(exporting)).await;
    tracing::info!("stopped");
    Ok(ended?)
}

/// Answers over HTTP until the process stops.
pub fn serve_http(supervisor: &Supervisor, listener: TcpListener, front: &Front, app: App) {
    let server = Arc::new(Server::new(listener, front, app, supervisor.stopping().clone()));
    supervisor.run(TaskName::Http, None, move |_| {
        let server = server.clone();
        async move {
            server.run().await;
            Ok(())
        }
    });
}

/// What API and pages work with.
pub fn app(parts: &Parts) -> App {
    App::new(parts.store.clone(), parts.broker.clone(), Arc::new(Rehearsals::new(parts.clone())))
}

fn access(session: &Session) -> Access {
    let token = &session.settings.api.token;
    if token.is_empty() { Access::Open } else { Access::Token(token.reveal().to_owned()) }
}

/// Wrong tokens are slowed down; what keeps a token from being guessed is its length.
fn warn_of_short_token(session: &Session) {
    let length = session.settings.api.token.reveal().len();
    if (1..TOKEN_BYTES_MIN).contains(&length) {
        tracing::warn!(
            "api.token is shorter than {TOKEN_BYTES_MIN} characters: `openssl rand -hex 32` generates a good one"
        );
    }
}

fn broker_name(session: &Session) -> String {
    let url = &session.settings.amqp.url;
    if url.is_empty() { "embedded".to_owned() } else { url.to_string() }
}
