//! `vmacd serve`: the worker, the collector and the health page, until SIGTERM or Ctrl-C.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::open::Session;
use crate::broker::Broker;
use crate::store::Store;
use crate::web::{self, Health, Readiness};
use crate::worker::{Parts, Worker};

/// Runs until a signal says stop.
pub(super) async fn run(session: Session) -> Result<(), Fault> {
    let shutdown = on_signal()?;
    let store = session.store().await?;
    let broker = session.broker(&store).await?;
    let listener = TcpListener::bind(&session.settings.http.addr)
        .await
        .map_err(|error| Fault::service(anyhow::anyhow!("cannot listen on {}: {error}", session.settings.http.addr)))?;
    let address = listener.local_addr()?;
    let health = Arc::new(Parts { store, broker, settings: session.settings.clone() });
    let page = tokio::spawn(web::serve(listener, health.clone(), shutdown.clone().cancelled_owned()));
    let worker = Worker::start((*health).clone()).await?;
    tracing::info!(worker = worker.name(), http = %address, database = %session.settings.database.url,
        broker = %broker_name(&session), "ready");
    worker.run_until(shutdown).await;
    page.abort();
    health.broker.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn broker_name(session: &Session) -> String {
    let url = &session.settings.amqp.url;
    if url.is_empty() { "embedded".to_owned() } else { url.to_string() }
}

/// A token that the first SIGTERM, SIGINT or Ctrl-C cancels.
pub(super) fn on_signal() -> Result<CancellationToken, Fault> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let told = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(token)
}

impl Health for Parts {
    fn readiness(&self) -> Pin<Box<dyn Future<Output = Vec<Readiness>> + Send + '_>> {
        Box::pin(async move { vec![database(&self.store).await, broker(&self.broker)] })
    }
}

async fn database(store: &Store) -> Readiness {
    let error = store.ping().await.err().map(|error| error.to_string());
    Readiness { part: "database", ready: error.is_none(), error }
}

fn broker(broker: &Broker) -> Readiness {
    let ready = broker.is_connected();
    Readiness { part: "broker", ready, error: (!ready).then(|| "not connected".to_owned()) }
}
