//! Switches and servers, and what is learned of switches.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::connect::Store;
use super::engine::{Row, args};
use super::error::StoreError;
use super::freezes::{FREEZE_COLUMNS, FREEZE_JOIN, freeze_of};
use crate::domain::{CredentialName, Dialect, Freeze, Inventory, Server, ServerPort, Switch, SwitchName};

/// How exact `last_seen_at` is: a write for every answer would say little more.
const LAST_SEEN_WITHIN: Duration = Duration::from_secs(10);

/// A switch, with what was learned of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownSwitch {
    /// As the inventory has it.
    #[serde(flatten)]
    pub switch: Switch,
    /// The dialect that it was found to speak.
    pub dialect_found: Option<Dialect>,
    /// Its circuit.
    pub circuit: Circuit,
    /// When it last answered.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// While its site is frozen, the freeze that ends last.
    pub freeze: Option<Freeze>,
    /// When what it holds was last compared with the rows.
    pub drift_seen_at: Option<DateTime<Utc>>,
}

/// Whether a switch is tried at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Circuit {
    /// Failures in a row to reach it.
    pub failures: i64,
    /// It is not tried before this; none when it is tried.
    pub open_until: Option<DateTime<Utc>>,
    /// The last failure.
    pub reason: Option<String>,
}

pub(super) fn word<T: Serialize>(value: &T) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

pub(super) fn of_word<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>, StoreError> {
    let Some(text) = row.get::<Option<String>>(column)? else { return Ok(None) };
    let value = serde_json::from_value(json!(text));
    value.map(Some).map_err(|_| StoreError::Content { column: column.to_owned(), text })
}

/// No circuit is open for longer (`worker.circuit_open_ms`): one that seems to be is of a clock that has been put back since.
const CIRCUIT_OPEN_MAX: std::time::Duration = std::time::Duration::from_secs(25 * 3_600);

impl KnownSwitch {
    pub(super) fn from_row(row: &Row, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let open_until: Option<DateTime<Utc>> = row.get("circuit_open_until")?;
        let port: i64 = row.get("port")?;
        Ok(Self {
            switch: Switch {
                name: row.parse("name")?,
                host: row.get("host")?,
                port: u16::try_from(port)
                    .map_err(|_| StoreError::Content { column: "port".to_owned(), text: port.to_string() })?,
                host_key: row.get("host_key")?,
                dialect: of_word(row, "dialect")?.unwrap_or_default(),
                ssh_profile: of_word(row, "ssh_profile")?.unwrap_or_default(),
                credential: CredentialName(row.get("credential")?),
                site: row.parse_optional("site")?,
                drift: of_word(row, "drift")?,
            },
            dialect_found: of_word(row, "dialect_found")?,
            circuit: Circuit {
                failures: row.get("circuit_failures")?,
                open_until: open_until.filter(|until| *until > now && *until <= now + CIRCUIT_OPEN_MAX),
                reason: row.get("circuit_reason")?,
            },
            last_seen_at: row.get("last_seen_at")?,
            freeze: freeze_of(row)?,
            drift_seen_at: row.get("drift_seen_at")?,
        })
    }
}

impl Store {
    /// The whole inventory, in the order of names and numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export(&self) -> Result<Inventory, StoreError> {
        let switches = self.switches().await?.into_iter().map(|known| known.switch).collect();
        let sql = "SELECT * FROM servers ORDER BY id";
        let mut servers: Vec<Server> = Vec::new();
        for row in self.engine.read("read the servers", sql, Vec::new()).await? {
            servers.push(Server {
                id: row.get("id")?,
                pxe_mac: row.parse("pxe_mac")?,
                primary_ip: row.parse_optional("primary_ip")?,
                vlan_name: row.parse_optional("vlan_name")?,
                ports: Vec::new(),
            });
        }
        let sql = "SELECT * FROM server_ports ORDER BY server_id, switch, interface";
        for row in self.engine.read("read the ports", sql, Vec::new()).await? {
            let server_id: i64 = row.get("server_id")?;
            let port = ServerPort { switch: row.parse("switch")?, interface: row.parse("interface")? };
            if let Ok(at) = servers.binary_search_by_key(&server_id, |server| server.id) {
                servers[at].ports.push(port);
            }
        }
        Ok(Inventory { switches, servers })
    }

    /// All switches by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn switches(&self) -> Result<Vec<KnownSwitch>, StoreError> {
        let now = self.now().await?;
        let sql = format!("SELECT s.*, {FREEZE_COLUMNS} FROM switches s {FREEZE_JOIN} ORDER BY s.name");
        let rows = self.engine.read("read the switches", &sql, args![now]).await?;
        rows.iter().map(|row| KnownSwitch::from_row(row, now)).collect()
    }

    /// The switch of this name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn switch(&self, name: &SwitchName) -> Result<KnownSwitch, StoreError> {
        let now = self.now().await?;
        let sql = format!("SELECT s.*, {FREEZE_COLUMNS} FROM switches s {FREEZE_JOIN} WHERE s.name = $2");
        let rows = self.engine.read("read a switch", &sql, args![now, name.as_str()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "switch", id: name.to_string() })?;
        KnownSwitch::from_row(row, now)
    }

    /// Pins the switch's host key, `SHA256:...`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn trust(&self, name: &SwitchName, host_key: &str) -> Result<(), StoreError> {
        let sql = "UPDATE switches SET host_key = $2, updated_at = $3 WHERE name = $1 RETURNING name";
        self.change_switch(name, sql, args![name.as_str(), host_key, self.now().await?]).await
    }

    /// Remembers which dialect the switch speaks.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn set_dialect_found(&self, name: &SwitchName, dialect: Dialect) -> Result<(), StoreError> {
        let sql = "UPDATE switches SET dialect_found = $2 WHERE name = $1 RETURNING name";
        self.change_switch(name, sql, args![name.as_str(), dialect.as_str()]).await
    }

    /// Counts a failure to reach the switch; from the `failures_max`th in a row on it is not tried for
    /// `open_ms` milliseconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn circuit_failed(
        &self,
        name: &SwitchName,
        reason: &str,
        failures_max: i64,
        open_ms: i64,
    ) -> Result<(), StoreError> {
        let now = self.now().await?;
        let until = now + chrono::Duration::milliseconds(open_ms);
        let sql = "UPDATE switches SET circuit_failures = circuit_failures + 1, circuit_reason = $2,
                       circuit_open_until = CASE WHEN circuit_failures + 1 >= $3 THEN $4 ELSE circuit_open_until END
                   WHERE name = $1 RETURNING name";
        self.change_switch(name, sql, args![name.as_str(), reason, failures_max, until]).await
    }

    /// Notes that the switch answered, unless that is known already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn circuit_closed(&self, name: &SwitchName) -> Result<(), StoreError> {
        let now = self.now().await?;
        let sql = "UPDATE switches SET circuit_failures = 0, circuit_open_until = NULL, circuit_reason = NULL,
                       last_seen_at = $2
                   WHERE name = $1 AND (circuit_failures > 0 OR COALESCE(last_seen_at < $3, true)) RETURNING name";
        let arguments = args![name.as_str(), now, now - LAST_SEEN_WITHIN];
        self.engine.write("note that a switch answered", sql, arguments).await.map(|_| ())
    }

    async fn change_switch(
        &self,
        name: &SwitchName,
        sql: &str,
        arguments: Vec<super::engine::Arg>,
    ) -> Result<(), StoreError> {
        match self.engine.write("change a switch", sql, arguments).await?.is_empty() {
            true => Err(StoreError::NotFound { what: "switch", id: name.to_string() }),
            false => Ok(()),
        }
    }
}
