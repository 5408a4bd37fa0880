//! Switches and servers, and what is learned of switches.

pub(super) mod import;
pub(super) mod overview;
pub(super) mod remove;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::domain::{
    CredentialName, Dialect, DuplicateRule, Freeze, Inventory, Server, ServerPort, Switch, SwitchName,
};
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::freezes::{FREEZE_COLUMNS, FREEZE_JOIN, freeze_of};
use crate::store::parts::{InventoryStore, Switches};
use crate::store::work::leases::{TROUBLE_COLUMNS, Trouble};

/// A switch, with what was learned of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownSwitch {
    /// As the inventory has it.
    #[serde(flatten)]
    pub switch: Switch,
    /// The dialect that it was found to speak.
    pub dialect_found: Option<Dialect>,
    /// Where it showed that one MAC may stand for one address only.
    pub duplicates_found: Option<DuplicateRule>,
    /// Why it is not brought to what its rows want, while it is not.
    pub trouble: Option<Trouble>,
    /// When it last answered to a push.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// While its site is frozen, the freeze that ends last.
    pub freeze: Option<Freeze>,
    /// When what it holds was last compared with the rows.
    pub drift_seen_at: Option<DateTime<Utc>>,
    /// When it was last asked which of its bindings are in force.
    pub in_force_seen_at: Option<DateTime<Utc>>,
}

pub(super) fn enum_to_text<T: Serialize>(value: &T) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

pub(super) fn enum_from_text<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>, StoreError> {
    let Some(text) = row.get::<Option<String>>(column)? else { return Ok(None) };
    let value = serde_json::from_value(json!(text));
    value.map(Some).map_err(|_| StoreError::Content { column: column.to_owned(), text })
}

impl KnownSwitch {
    /// The switch of a row with [`TROUBLE_COLUMNS`] and [`FREEZE_COLUMNS`].
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let seen_at_ms: Option<i64> = row.get("seen_at_ms")?;
        let port: i64 = row.get("port")?;
        Ok(Self {
            switch: Switch {
                name: row.parse("name")?,
                host: row.get("host")?,
                port: u16::try_from(port)
                    .map_err(|_| StoreError::Content { column: "port".to_owned(), text: port.to_string() })?,
                host_key: row.get("host_key")?,
                dialect: enum_from_text(row, "dialect")?.unwrap_or_default(),
                duplicates: enum_from_text(row, "duplicates")?.unwrap_or_default(),
                ssh_profile: enum_from_text(row, "ssh_profile")?.unwrap_or_default(),
                credential: CredentialName(row.get("credential")?),
                site: row.parse_optional("site")?,
                drift: enum_from_text(row, "drift")?,
            },
            dialect_found: enum_from_text(row, "dialect_found")?,
            duplicates_found: enum_from_text(row, "duplicates_found")?,
            trouble: Trouble::from_row(row)?,
            last_seen_at: seen_at_ms.and_then(DateTime::from_timestamp_millis),
            freeze: freeze_of(row)?,
            drift_seen_at: row.get("drift_seen_at")?,
            in_force_seen_at: row.get("in_force_seen_at")?,
        })
    }
}

/// Reads what [`KnownSwitch::from_row`] needs; `$1` is the time.
pub(super) fn known_switches() -> String {
    format!(
        "SELECT s.*, {FREEZE_COLUMNS}, {TROUBLE_COLUMNS} FROM switches s {FREEZE_JOIN}
         LEFT JOIN switch_leases l ON l.switch = s.name"
    )
}

impl InventoryStore<'_> {
    /// The whole inventory, in the order of names and numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export(self) -> Result<Inventory, StoreError> {
        let switches = self.store.switches().list().await?.into_iter().map(|known| known.switch).collect();
        let sql = "SELECT * FROM servers ORDER BY id";
        let mut servers: Vec<Server> = Vec::new();
        for row in self.store.engine.read("read the servers", sql, Vec::new()).await? {
            servers.push(Server {
                id: row.get("id")?,
                pxe_mac: row.parse("pxe_mac")?,
                primary_ip: row.parse_optional("primary_ip")?,
                vlan_name: row.parse_optional("vlan_name")?,
                ports: Vec::new(),
            });
        }
        let sql = "SELECT * FROM server_ports ORDER BY server_id, switch, interface";
        for row in self.store.engine.read("read the ports", sql, Vec::new()).await? {
            let server_id: i64 = row.get("server_id")?;
            let port = ServerPort { switch: row.parse("switch")?, interface: row.parse("interface")? };
            if let Ok(at) = servers.binary_search_by_key(&server_id, |server| server.id) {
                servers[at].ports.push(port);
            }
        }
        Ok(Inventory { switches, servers })
    }
}

impl Switches<'_> {
    /// All switches by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self) -> Result<Vec<KnownSwitch>, StoreError> {
        let now = self.store.now().await?;
        let sql = format!("{} ORDER BY s.name", known_switches());
        let rows = self.store.engine.read("read the switches", &sql, args![now]).await?;
        rows.iter().map(KnownSwitch::from_row).collect()
    }

    /// The switch of this name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn get(self, name: &SwitchName) -> Result<KnownSwitch, StoreError> {
        let now = self.store.now().await?;
        let sql = format!("{} WHERE s.name = $2", known_switches());
        let rows = self.store.engine.read("read a switch", &sql, args![now, name.as_str()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "switch", id: name.to_string() })?;
        KnownSwitch::from_row(row)
    }

    /// Pins the switch's host key, `SHA256:...`, and has the switch tried at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn trust(self, name: &SwitchName, host_key: &str) -> Result<(), StoreError> {
        let sql = "UPDATE switches SET host_key = $2, updated_at = $3 WHERE name = $1 RETURNING name";
        self.change_switch(name, sql, args![name.as_str(), host_key, self.store.now().await?]).await?;
        let sql = "UPDATE switch_leases SET next_try_at_ms = 0 WHERE switch = $1";
        self.store.engine.write("wake a switch", sql, args![name.as_str()]).await.map(|_| ())
    }

    /// Remembers which dialect the switch speaks.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn set_dialect_found(self, name: &SwitchName, dialect: Dialect) -> Result<(), StoreError> {
        let sql = "UPDATE switches SET dialect_found = $2 WHERE name = $1 RETURNING name";
        self.change_switch(name, sql, args![name.as_str(), dialect.as_str()]).await
    }

    /// Remembers where the switch showed that one MAC may stand for one address only.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn set_duplicates_found(self, name: &SwitchName, rule: DuplicateRule) -> Result<(), StoreError> {
        let sql = "UPDATE switches SET duplicates_found = $2 WHERE name = $1 RETURNING name";
        self.change_switch(name, sql, args![name.as_str(), rule.as_str()]).await
    }

    async fn change_switch(
        self,
        name: &SwitchName,
        sql: &str,
        arguments: Vec<crate::store::database::engine::Arg>,
    ) -> Result<(), StoreError> {
        match self.store.engine.write("change a switch", sql, arguments).await?.is_empty() {
            true => Err(StoreError::NotFound { what: "switch", id: name.to_string() }),
            false => Ok(()),
        }
    }
}
