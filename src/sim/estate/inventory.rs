//! The inventory file that goes with an estate.

use std::path::Path;

use serde_json::{Value, json};

use super::plan::SimServer;
use crate::sim::control::handle::SimHandle;
use crate::sim::error::SimError;

/// The inventory as `vmacd inventory import` takes it.
pub(crate) fn json(
    switches: &[SimHandle],
    host_keys: &[String],
    servers: &[SimServer],
    advertise: Option<&str>,
) -> Value {
    let keyed = switches.iter().zip(host_keys);
    let switches: Vec<Value> = keyed.map(|(switch, key)| switch_json(switch, key, advertise)).collect();
    json!({ "switches": switches, "servers": servers.iter().map(server_json).collect::<Vec<Value>>() })
}

fn switch_json(switch: &SimHandle, host_key: &str, advertise: Option<&str>) -> Value {
    json!({
        "name": switch.name(),
        "host": advertise.map_or_else(|| switch.addr().ip().to_string(), str::to_owned),
        "port": switch.addr().port(),
        "host_key": host_key,
        "dialect": "auto",
        "ssh_profile": "modern",
        "credential": "default",
    })
}

fn server_json(server: &SimServer) -> Value {
    json!({
        "id": server.id,
        "pxe_mac": server.pxe_mac,
        "primary_ip": server.primary_ip,
        "vlan_name": server.vlan,
        "ports": [{ "switch": server.switch, "interface": server.interface }],
    })
}

/// Writes `inventory` so that a reader finds the old file or the whole new one.
pub(crate) fn write(inventory: &Value, path: &Path) -> Result<(), SimError> {
    let failed = |source| SimError::WriteInventory { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    std::fs::write(&temporary, format!("{inventory:#}\n")).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)
}
