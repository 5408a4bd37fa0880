//! `vmacd serve`: the worker, the collector and the health page, until SIGTERM or Ctrl-C.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::fault::Fault;
use super::open::Session;
use super::process::{on_signal, raise_file_limit};
use crate::metrics::Metrics;
use crate::telemetry;
use crate::web::{self, Access, App};
use crate::worker::{Parts, Worker};

/// Runs until a signal says stop.
pub(super) async fn run(session: Session) -> Result<(), Fault> {
    let exporting = telemetry::start(&session.settings.telemetry).map_err(Fault::service)?;
    let shutdown = on_signal()?;
    raise_file_limit();
    let store = session.store_to_serve().await?;
    let broker = session.broker(&store).await?;
    let listener = TcpListener::bind(&session.settings.http.addr)
        .await
        .map_err(|error| Fault::service(anyhow::anyhow!("cannot listen on {}: {error}", session.settings.http.addr)))?;
    let address = listener.local_addr()?;
    let metrics = Arc::new(Metrics::default());
    let parts = Arc::new(Parts { store, broker, settings: session.settings.clone(), metrics });
    let app = App::new(parts.store.clone(), parts.broker.clone()).with_hooks(session.settings.hooks.clone());
    let app = app.with_drift(session.settings.drift.mode);
    let stop = shutdown.clone().cancelled_owned();
    let page = tokio::spawn(web::serve(listener, parts.clone(), app, access(&session), stop));
    let worker = Worker::start((*parts).clone()).await?;
    tracing::info!(worker = worker.name(), http = %address, database = %session.settings.database.url,
        broker = %broker_name(&session), "ready");
    worker.run_until(shutdown).await;
    page.abort();
    parts.broker.close().await;
    // What is left is sent, which takes a bounded time.
    let _ = tokio::task::spawn_blocking(|| drop(exporting)).await;
    tracing::info!("stopped");
    Ok(())
}

fn access(session: &Session) -> Access {
    let token = &session.settings.api.token;
    if token.is_empty() { Access::Open } else { Access::Token(token.reveal().to_owned()) }
}

fn broker_name(session: &Session) -> String {
    let url = &session.settings.amqp.url;
    if url.is_empty() { "embedded".to_owned() } else { url.to_string() }
}
