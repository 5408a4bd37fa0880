//! The parts of the demo: switches, database, queue and worker, all in this process.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Message};
use crate::cli::app_env::AppEnv;
use crate::cli::fault::Fault;
use crate::cli::serve::health::ProcessHealth;
use crate::cli::serve::{app_state, serve_http};
use crate::config::{DatabaseSettings, RetrySettings, Secret, ServiceUrl, Settings, SshSettings, WorkerSettings};
use crate::domain::{Action, Inventory};
use crate::metrics::Metrics;
use crate::sim::{Estate, Options};
use crate::store::Store;
use crate::web::{Access, ServerContext};
use crate::worker::{Supervisor, Worker, WorkerError, WorkerParts};

/// The switches' login.
const LOGIN: &str = "vmacd";
/// How long a commit of the demo's switches takes; real ones take longer.
const COMMIT_TIME_MS: u64 = 300;

/// The running demo.
pub struct Stage {
    pub store: Store,
    pub broker: Broker,
    pub estate: Estate,
    pub inventory: Inventory,
    /// Where health answers, when a port could be had.
    pub http: Option<std::net::SocketAddr>,
    pub database: PathBuf,
    folder: Folder,
    shutdown: CancellationToken,
    worker: JoinHandle<Result<(), WorkerError>>,
}

impl Stage {
    /// Starts everything.
    pub async fn build() -> Result<Self, Fault> {
        let folder = Folder::new()?;
        let database = folder.0.join("vmacd.db");
        let estate = Estate::start(Options {
            switches: 2,
            ports_per_switch: 3,
            port_base: 0,
            commit_time: std::time::Duration::from_millis(COMMIT_TIME_MS),
            user: LOGIN.to_owned(),
            password: LOGIN.to_owned(),
            ..Options::default()
        })
        .await?;
        let inventory: Inventory = serde_json::from_value(estate.inventory_json())?;
        let env = AppEnv::new(settings(&database));
        let store = env.store_for_worker().await?;
        store.inventory().import(&inventory).await?;
        let broker = env.broker(&store).await?;
        let metrics = Arc::<Metrics>::default();
        let parts = WorkerParts {
            store: store.clone(),
            broker: broker.clone(),
            settings: env.settings.clone(),
            supervisor: Supervisor::new(metrics.clone()),
            metrics,
            outages: Arc::default(),
        };
        let shutdown = CancellationToken::new();
        let http = start_http(&parts, &env.settings).await;
        #[expect(clippy::disallowed_methods, reason = "it is awaited when the demo ends")]
        let worker = tokio::spawn(Worker::start(parts).run_until(shutdown.clone()));
        Ok(Self { store, broker, estate, inventory, http, database, folder, shutdown, worker })
    }

    /// Publishes a command as any producer would.
    pub async fn publish(&self, action: Action, server_id: i64, ip: &str, message_id: &str) -> Result<(), Fault> {
        let body = json!({"server_id": server_id, "ip_address": ip, "requested_by": "demo"});
        let message = Message {
            message_id: Some(message_id.to_owned()),
            routing_key: action.routing_key().to_owned(),
            body: serde_json::to_vec(&body)?,
            ..Message::default()
        };
        Ok(self.broker.publish_command(message.stamped(self.store.time().await)).await?)
    }

    /// Stops everything and removes the temporary folder.
    pub async fn shut_down(self) {
        self.shutdown.cancel();
        let _ = self.worker.await;
        self.estate.shutdown().await;
        self.store.close().await;
        drop(self.folder);
    }
}

/// A folder of the demo's own, gone with it however that ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Fault> {
        let name = format!("vmacd-demo-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let folder = std::env::temp_dir().join(name);
        // Anybody may write beside it: it is new, and nobody else's.
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn settings(database: &std::path::Path) -> Settings {
    Settings {
        database: DatabaseSettings {
            url: ServiceUrl::new(format!("sqlite://{}", database.display())),
            ..DatabaseSettings::default()
        },
        ssh: SshSettings { user: LOGIN.to_owned(), password: Secret::new(LOGIN), ..SshSettings::default() },
        retry: RetrySettings { delay_min_ms: 200, delay_max_ms: 2_000, ..RetrySettings::default() },
        worker: WorkerSettings { name: "demo".to_owned(), ..WorkerSettings::default() },
        ..Settings::default()
    }
}

async fn start_http(parts: &WorkerParts, settings: &Settings) -> Option<std::net::SocketAddr> {
    // The usual port may be taken on a developer's machine; the demo does not depend on it.
    let listener = match TcpListener::bind(&settings.http.addr).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind("127.0.0.1:0").await.ok()?,
    };
    let address = listener.local_addr().ok();
    let context = ServerContext {
        health_source: Arc::new(ProcessHealth::new(parts.clone())),
        access: Access::Open,
        settings: settings.http.clone(),
        metrics: parts.metrics.clone(),
    };
    serve_http(&parts.supervisor, listener, &context, app_state(parts));
    address
}
