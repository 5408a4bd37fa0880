//! Putting settings, store and broker together.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::descriptors;
use super::fault::Fault;
use super::output::Output;
use crate::broker::{self, Broker};
use crate::config::{self, Migrate, Settings};
use crate::store::{BackupKey, Store, StoreError, StoreOptions};

/// The stores that were opened, to be closed when the program ends.
#[derive(Clone, Default)]
pub(super) struct Stores(Arc<Mutex<Vec<Store>>>);

impl Stores {
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

/// The settings of one run of the program, and what they lead to.
pub(super) struct Session {
    pub settings: Arc<Settings>,
    stores: Stores,
}

impl Session {
    /// With settings of the program's own.
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), stores: Stores::default() }
    }

    /// Reads the settings: `--config`, else `VMACD_CONFIG`, else `vmacd.toml` where there is one. What is opened by them
    /// is found in `stores` afterwards.
    pub fn load(config: Option<&Path>, stores: &Stores) -> Result<Self, Fault> {
        let from_environment = || std::env::var_os("VMACD_CONFIG").map(PathBuf::from);
        let file = config.map(Path::to_owned).or_else(from_environment);
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let settings = config::load(file.as_deref(), variables.filter(|(name, _)| name != "VMACD_CONFIG"))?;
        Ok(Self { settings: Arc::new(settings), stores: stores.clone() })
    }

    /// The same with settings that fit the file descriptors of the process.
    pub fn fitted(self) -> Self {
        Self { settings: Arc::new(descriptors::fitted(&self.settings)), ..self }
    }

    /// The store as it is, for verbs that look: whoever looks changes no tables. They must be there, as this version
    /// knows them.
    pub async fn store_as_it_is(&self) -> Result<Store, Fault> {
        let store = self.connect(false).await?;
        store.check_tables().await?;
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
        };
        let store = Store::connect(database.url.reveal(), options).await?;
        if self.settings.amqp.url.is_empty() {
            store.publish_nowhere();
        }
        self.stores.add(&store);
        Ok(store)
    }

    /// The store for verbs that begin something: tables are made where there are none, unless the settings forbid it, and
    /// a SQLite file with them. Tables that are there are never changed: workers may be running on them.
    pub async fn store(&self) -> Result<Store, Fault> {
        let may_make = self.settings.database.migrate == Migrate::Auto;
        let store = self.connect(may_make).await?;
        match store.check_tables().await {
            Err(StoreError::TablesMissing) if may_make => store.migrate().await?,
            checked => checked?,
        }
        Ok(store)
    }

    /// The store for the worker, its tables brought up to date where the settings say so.
    pub async fn store_to_serve(&self) -> Result<Store, Fault> {
        match self.settings.database.migrate {
            Migrate::Auto => self.migrated().await,
            Migrate::Never => self.store_as_it_is().await,
        }
    }

    async fn migrated(&self) -> Result<Store, Fault> {
        let store = self.connect(true).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// The broker that the settings name: RabbitMQ, or the embedded queue in `store`.
    pub async fn broker(&self, store: &Store) -> Result<Broker, Fault> {
        let settings = &self.settings;
        let amqp = match settings.amqp.url.is_empty() {
            true => None,
            false => Some(broker::AmqpTarget { url: settings.amqp.url.reveal().to_owned(), ca: self.amqp_ca()? }),
        };
        Ok(Broker::connect(
            broker::BrokerSettings {
                amqp,
                namespace: settings.broker.namespace.clone(),
                rpc_timeout: Duration::from_millis(settings.broker.rpc_timeout_ms),
                former_delays: (
                    Duration::from_millis(settings.retry.delay_min_ms),
                    Duration::from_millis(settings.retry.delay_max_ms),
                ),
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

    fn amqp_ca(&self) -> Result<Option<String>, Fault> {
        let file = &self.settings.amqp.ca_file;
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        let read = std::fs::read_to_string(file);
        read.map(Some).map_err(|error| Fault::input(format!("amqp.ca_file {}: {error}", file.display())))
    }

    /// `vmacd migrate`
    pub async fn migrate(&self, output: Output) -> Result<(), Fault> {
        self.migrated().await?;
        let url = self.settings.database.url.to_string();
        output.one(&serde_json::json!({"migrated": url}), || format!("{url}: tables are up to date"))
    }

    /// `vmacd config`
    pub fn print(&self, output: Output) -> Result<(), Fault> {
        let as_toml = || toml::to_string(&*self.settings).unwrap_or_default().trim_end().to_owned();
        output.one(&*self.settings, as_toml)
    }
}
