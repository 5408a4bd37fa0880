//! Putting settings, store and broker together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::fault::Fault;
use super::output::Output;
use crate::broker::{self, Broker};
use crate::config::{self, Settings};
use crate::store::{BackupKey, Store, StoreOptions};

/// The settings of one run of the program, and what they lead to.
pub(super) struct Session {
    pub settings: Arc<Settings>,
}

impl Session {
    /// Reads the settings: `--config`, else `VMACD_CONFIG`, else `vmacd.toml` where there is one.
    pub fn load(config: Option<&Path>) -> Result<Self, Fault> {
        let from_environment = || std::env::var_os("VMACD_CONFIG").map(PathBuf::from);
        let file = config.map(Path::to_owned).or_else(from_environment);
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let settings = config::load(file.as_deref(), variables.filter(|(name, _)| name != "VMACD_CONFIG"))?;
        Ok(Self { settings: Arc::new(settings) })
    }

    /// The store as it is, for verbs that look: whoever looks changes no tables. They must be there, as this version
    /// knows them.
    pub async fn store_as_it_is(&self) -> Result<Store, Fault> {
        let store = self.connect(false).await?;
        store.check_tables().await?;
        Ok(store)
    }

    async fn connect(&self, create: bool) -> Result<Store, Fault> {
        let database = &self.settings.database;
        let options = StoreOptions {
            create,
            connections_max: database.connections_max,
            statement_timeout: Duration::from_millis(database.statement_timeout_ms),
            backup_key: self.backup_key()?,
            pools: self.settings.mac_pools()?,
        };
        Ok(Store::connect(database.url.reveal(), options).await?)
    }

    /// The store with its tables brought up to date, for verbs that begin something: a SQLite file is made where there
    /// is none.
    pub async fn store(&self) -> Result<Store, Fault> {
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
                delay_min: Duration::from_millis(settings.retry.delay_min_ms),
                delay_max: Duration::from_millis(settings.retry.delay_max_ms),
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
        self.store().await?;
        let url = self.settings.database.url.to_string();
        output.one(&serde_json::json!({"migrated": url}), || format!("{url}: tables are up to date"))
    }

    /// `vmacd config`
    pub fn print(&self, output: Output) -> Result<(), Fault> {
        let as_toml = || toml::to_string(&*self.settings).unwrap_or_default().trim_end().to_owned();
        output.one(&*self.settings, as_toml)
    }
}
