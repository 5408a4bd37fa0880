//! The environment of a verb: settings, store and broker.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::broker::{self, Broker};
use crate::cli::amqp::amqp_target;
use crate::cli::fault::Fault;
use crate::cli::process::{file_limits, memory_limits};
use crate::cli::ui::output::Output;
use crate::config::{self, Migrate, Origins, Pooler, ServiceUrl, Settings};
use crate::store::{BackupKey, Store, StoreError, StoreOptions};

/// What the packaged unit reads beside the settings file.
const SERVICE_ENVIRONMENT: &str = "/etc/vmacd/environment";

/// The stores that were opened, to be closed when the program ends.
#[derive(Clone, Default)]
pub struct OpenStores(Arc<Mutex<Vec<Store>>>);

impl OpenStores {
    fn add(&self, store: &Store) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(store.clone());
    }

    /// Closes them all, each within a bounded time.
    pub async fn close(&self) {
        let stores = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for store in stores {
            store.close().await;
        }
    }
}

/// The settings of one run of the program, and what is opened with them.
pub struct AppEnv {
    pub settings: Arc<Settings>,
    /// None for the demo's own settings.
    origins: Option<Arc<Origins>>,
    stores: OpenStores,
}

impl AppEnv {
    /// With the demo's own settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), origins: None, stores: OpenStores::default() }
    }

    /// Reads the settings: `--config`, else `VMACD_CONFIG`, else the usual files. Stores that are opened are added to `stores`.
    pub fn load(config: Option<&Path>, stores: &OpenStores) -> Result<Self, Fault> {
        let from_environment = || std::env::var_os("VMACD_CONFIG").map(PathBuf::from);
        let file = config.map(Path::to_owned).or_else(from_environment);
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let of_vmacd = variables.filter(|(name, _)| name.starts_with("VMACD_") || name.starts_with("OTEL_"));
        let as_text = |(name, value): (String, OsString)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(Fault::input(format!("{name} is not UTF-8"))),
        };
        let variables = of_vmacd.map(as_text).collect::<Result<Vec<_>, _>>()?;
        let loaded = config::load(file.as_deref(), variables.into_iter())?;
        let (settings, origins) = (Arc::new(loaded.settings), Some(Arc::new(loaded.origins)));
        Ok(Self { settings, origins, stores: stores.clone() })
    }

    /// The same with settings that fit the process's limits of open files and of memory.
    pub fn fit_to_limits(self) -> Self {
        Self { settings: Arc::new(memory_limits::fit(&file_limits::fit(&self.settings))), ..self }
    }

    /// The store, whose tables must exist in this version's form. A verb that does not set up a database never creates one:
    /// it would hardly be the intended one.
    pub async fn store(&self) -> Result<Store, Fault> {
        let store = self.connect(false).await?;
        store.check_tables().await.map_err(|error| self.with_database_hint(error))?;
        Ok(store)
    }

    /// The database alone, whatever tables it has.
    pub async fn database(&self) -> Result<Store, Fault> {
        self.connect(false).await
    }

    async fn connect(&self, create: bool) -> Result<Store, Fault> {
        let database = &self.settings.database;
        let options = StoreOptions {
            create,
            connections_max: database.connections_max,
            statement_timeout: Duration::from_millis(database.statement_timeout_ms),
            backup_key: self.backup_key()?,
            pools: self.settings.mac_pools()?,
            retry: self.settings.retry.policy(),
            is_pooled: database.pooler == Pooler::Transaction,
            migrate_url: (!database.migrate_url.is_empty()).then(|| database.migrate_url.clone()),
        };
        let connected = Store::connect(database.url.reveal(), options).await;
        let store = connected.map_err(|error| self.with_database_hint(error))?;
        if self.settings.amqp.url.is_empty() {
            store.events().publish_nowhere();
        }
        self.stores.add(&store);
        Ok(store)
    }

    /// The fault, with the database's name and the setting that chose it.
    fn with_database_hint(&self, error: StoreError) -> Fault {
        let missing = match &error {
            StoreError::Connect { .. } => missing_sqlite_file(&self.settings.database.url).is_some(),
            error => matches!(error, StoreError::TablesMissing),
        };
        if !missing {
            let is_connect = matches!(error, StoreError::Connect { .. });
            let fault = Fault::from(error);
            return if is_connect { fault.add_hint(&self.origin()) } else { fault };
        }
        Fault::from(error).with_hint(format!(
            "nothing was done. The database is {}. If you meant another one, set VMACD_DATABASE_URL or name the settings file \
             with --config; `vmacd migrate` creates this one{}",
            self.which_database(),
            service_environment_hint()
        ))
    }

    /// The database, its file, and the setting that chose it.
    fn which_database(&self) -> String {
        let url = &self.settings.database.url;
        let file = sqlite_file(url).map(|file| format!(" ({})", file.display())).unwrap_or_default();
        format!("{url}{file}; {}", self.origin())
    }

    fn origin(&self) -> String {
        self.origins.as_ref().map(|origins| origins.sentence("database.url")).unwrap_or_default()
    }

    /// The store for imports, with which a database is set up: it is created if it is missing, if it is the intended one and
    /// the settings allow it. Existing tables are never changed: workers may be running on them.
    pub async fn store_for_import(&self) -> Result<Store, Fault> {
        match self.settings.database.migrate {
            Migrate::Auto if self.is_intended_database() => self.create_if_missing().await,
            Migrate::Auto | Migrate::Never => self.store().await,
        }
    }

    /// True for a database that a setting names, and for the default one if nothing is set up yet. With a settings file, or on
    /// a host of the service, the default file in the current folder would hardly be the service's database.
    fn is_intended_database(&self) -> bool {
        self.origins.as_ref().is_none_or(|origins| {
            origins.is_set("database.url") || !(origins.has_file() || Path::new(SERVICE_ENVIRONMENT).exists())
        })
    }

    async fn create_if_missing(&self) -> Result<Store, Fault> {
        let store = self.connect(true).await?;
        match store.check_tables().await {
            Err(StoreError::TablesMissing) => self.make_tables(&store).await?,
            checked => checked.map_err(|error| self.with_database_hint(error))?,
        }
        Ok(store)
    }

    async fn make_tables(&self, store: &Store) -> Result<(), Fault> {
        store.migrate().await?;
        if self.origins.is_some() {
            tracing::info!("created a new database: {}", self.which_database());
        }
        Ok(())
    }

    /// The store for the worker, its tables brought up to date where the settings say so.
    pub async fn store_for_worker(&self) -> Result<Store, Fault> {
        match self.settings.database.migrate {
            Migrate::Auto => self.migrated().await,
            Migrate::Never => self.store().await,
        }
    }

    /// The store, created if it is missing, with its tables brought up to date.
    pub async fn migrated(&self) -> Result<Store, Fault> {
        let store = self.connect(true).await?;
        match store.check_tables().await {
            Err(StoreError::TablesMissing) => self.make_tables(&store).await?,
            _ => store.migrate().await?,
        }
        Ok(store)
    }

    /// The broker that the settings name: RabbitMQ, or the embedded queue in `store`.
    pub async fn broker(&self, store: &Store) -> Result<Broker, Fault> {
        let settings = &self.settings;
        Ok(Broker::connect(
            broker::BrokerSettings {
                amqp: amqp_target(&settings.amqp)?,
                namespace: settings.broker.namespace.clone(),
                rpc_timeout: Duration::from_millis(settings.broker.rpc_timeout_ms),
                former_delays: (
                    Duration::from_millis(settings.retry.delay_min_ms),
                    Duration::from_millis(settings.retry.delay_max_ms),
                ),
                archive_age: Duration::from_millis(settings.broker.archive_age_max_ms),
            },
            store,
        )
        .await?)
    }

    fn backup_key(&self) -> Result<Option<BackupKey>, Fault> {
        let file = &self.settings.backups.key_file;
        let wrong = |problem: String| Fault::input(format!("backups.key_file {}: {problem}", file.display()));
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        text.parse().map(Some).map_err(wrong)
    }

    /// `vmacd config`
    pub fn print(&self, output: Output) -> Result<(), Fault> {
        let mut data = serde_json::to_value(&*self.settings)?;
        data["origins"] = serde_json::to_value(self.origins.as_deref())?;
        let toml = toml::to_string(&*self.settings).map_err(Fault::service)?;
        let annotated = |origins: &Arc<Origins>| origins.annotate(toml.trim_end());
        output.item(&data, || self.origins.as_ref().map(annotated).unwrap_or_default())
    }
}

/// The file of a SQLite database, whole; none for other databases and for one in memory.
fn sqlite_file(url: &ServiceUrl) -> Option<PathBuf> {
    let file = url.reveal().strip_prefix("sqlite:")?;
    let file = file.strip_prefix("//").unwrap_or(file).split('?').next().unwrap_or_default();
    (!file.is_empty() && !file.contains(":memory:")).then(|| std::path::absolute(file).unwrap_or_else(|_| file.into()))
}

fn missing_sqlite_file(url: &ServiceUrl) -> Option<PathBuf> {
    sqlite_file(url).filter(|file| !file.exists())
}

/// The secrets of the service are in a file that its unit reads and this program does not.
fn service_environment_hint() -> &'static str {
    match Path::new(SERVICE_ENVIRONMENT).exists() {
        true => {
            ". The service also has the variables in /etc/vmacd/environment: `set -a; . /etc/vmacd/environment` gives them to this shell"
        }
        false => "",
    }
}
