//! What changed in the settings since this machine's last start, as an entry of the log of changes.

use serde_json::{Map, Value, json};

use crate::cli::access::change_log::person;
use crate::config::Settings;
use crate::domain::{NewLogEntry, Via, chain};
use crate::store::{Store, StoreError};
use crate::worker::host_name;

const ACTION: &str = "settings";

/// Writes an entry if the settings are others than at the last start here. A failure is logged, and stops nothing.
pub async fn note(store: &Store, settings: &Settings) {
    if let Err(error) = note_on(store, settings, &host_name()).await {
        tracing::warn!(error = chain(&error), "the settings could not be written into the log of changes");
    }
}

async fn note_on(store: &Store, settings: &Settings, host: &str) -> Result<(), StoreError> {
    // Secrets are hidden in it.
    let now = serde_json::to_value(settings).unwrap_or_default();
    let before = store.audit_log().newest(ACTION, host).await?.map(|last| last.entry.details["settings"].clone());
    if before.as_ref() == Some(&now) {
        return Ok(());
    }
    let changed = before.map(|before| changed("", &before, &now)).unwrap_or_default();
    let details = json!({"changed": changed, "settings": now});
    let (who, role) = (person(), String::new());
    let (action, subject) = (ACTION.to_owned(), host.to_owned());
    let entry = NewLogEntry { who, role, via: Via::Vmacd, address: None, action, subject, details };
    store.audit_log().add(entry).await.map(|_| ())
}

/// Each setting that differs, by its name, with its value before and after.
fn changed(name: &str, before: &Value, after: &Value) -> Map<String, Value> {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
            let of = |key: &String| (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
            let path = |key: &String| if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            names.flat_map(|key| changed(&path(key), of(key).0, of(key).1)).collect()
        }
        (before, after) if before == after => Map::new(),
        (before, after) => Map::from_iter([(name.to_owned(), json!([before, after]))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let (before, after) = (json!({"a": {"b": 1, "c": 2}, "d": 3}), json!({"a": {"b": 1, "c": 4}, "e": 5}));
        let expected = json!({"a.c": [2, 4], "d": [3, null], "e": [null, 5]});
        assert_eq!(Value::Object(changed("", &before, &after)), expected);
        assert!(changed("", &before, &before).is_empty());
    }
}
