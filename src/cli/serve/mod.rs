//! `vmacd serve`: the worker, the collector and the health page, until SIGTERM or Ctrl-C.

mod cached;
mod dry_runs;
pub mod health;
mod settings_log;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::cli::app_env::AppEnv;
use crate::cli::fault::Fault;
use crate::cli::process::signals::shutdown_token;
use crate::metrics::Metrics;
use crate::telemetry;
use crate::web::{Access, AppState, Server, ServerContext};
use crate::worker::{Supervisor, TaskName, Worker, WorkerParts};
use dry_runs::WorkerDryRuns;
use health::ProcessHealth;

/// A token that is shorter is warned of.
const TOKEN_BYTES_MIN: usize = 16;

/// Runs until SIGTERM or Ctrl-C.
pub async fn run(env: AppEnv) -> Result<(), Fault> {
    let exporting = telemetry::start(&env.settings.telemetry).map_err(Fault::service)?;
    let shutdown = shutdown_token()?;
    let env = env.fit_to_limits();
    let store = env.store_for_worker().await?;
    settings_log::note(&store, &env.settings).await;
    let broker = env.broker(&store).await?;
    let listener = TcpListener::bind(&env.settings.http.addr)
        .await
        .map_err(|error| Fault::service(anyhow::anyhow!("cannot listen on {}: {error}", env.settings.http.addr)))?;
    let address = listener.local_addr()?;
    let metrics = Arc::new(Metrics::default());
    let supervisor = Supervisor::new(metrics.clone());
    let (settings, outages) = (env.settings.clone(), Arc::default());
    let parts = Arc::new(WorkerParts { store, broker, settings, metrics, supervisor, outages });
    let app_state = app_state(&parts).with_hooks(env.settings.hooks.clone()).with_drift(env.settings.drift.mode);
    let context = ServerContext {
        health_source: Arc::new(ProcessHealth::new((*parts).clone())),
        access: access(&env),
        settings: env.settings.http.clone(),
        metrics: parts.metrics.clone(),
    };
    serve_http(&parts.supervisor, listener, &context, app_state);
    let worker = Worker::start((*parts).clone());
    tracing::info!(worker = worker.name(), http = %address, database = %env.settings.database.url,
        broker = %broker_name(&env), "ready");
    warn_of_short_token(&env);
    let ended = worker.run_until(shutdown).await;
    parts.broker.close().await;
    // What is left is sent, which takes a bounded time.
    let _ = tokio::task::spawn_blocking(|| drop(exporting)).await;
    tracing::info!("stopped");
    Ok(ended?)
}

/// Answers over HTTP until the process stops.
pub fn serve_http(supervisor: &Supervisor, listener: TcpListener, context: &ServerContext, app_state: AppState) {
    let server = Arc::new(Server::new(listener, context, app_state, supervisor.stopping().clone()));
    supervisor.run(TaskName::Http, None, move |_| {
        let server = server.clone();
        async move {
            server.run().await;
            Ok(())
        }
    });
}

/// What API and pages work with.
pub fn app_state(parts: &WorkerParts) -> AppState {
    let settings = &parts.settings;
    let answer_max = Duration::from_millis(settings.webhooks.answer_timeout_ms);
    AppState::new(parts.store.clone(), parts.broker.clone(), Arc::new(WorkerDryRuns::new(parts.clone())))
        .with_webhooks(settings.internal_nets().unwrap_or_default(), answer_max)
}

fn access(env: &AppEnv) -> Access {
    let token = &env.settings.api.token;
    if token.is_empty() { Access::Open } else { Access::Token(token.reveal().to_owned()) }
}

/// Wrong tokens are slowed down; what keeps a token from being guessed is its length.
fn warn_of_short_token(env: &AppEnv) {
    let length = env.settings.api.token.reveal().len();
    if (1..TOKEN_BYTES_MIN).contains(&length) {
        tracing::warn!(
            "api.token is shorter than {TOKEN_BYTES_MIN} characters: `openssl rand -hex 32` generates a good one"
        );
    }
}

fn broker_name(env: &AppEnv) -> String {
    let url = &env.settings.amqp.url;
    if url.is_empty() { "embedded".to_owned() } else { url.to_string() }
}
