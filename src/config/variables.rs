//! What the environment says. A variable that begins as ours do and is none of them is refused: somebody means something by it.

use std::path::Path;

use toml::{Table, Value};

use super::document::variables;
use super::load::from_file;
use super::origins::Origins;
use super::{ConfigError, Settings};

/// Variables that are no settings: the file of the settings, and the log, which is there before they are read.
const OTHERS: [&str; 3] = ["VMACD_CONFIG", "VMACD_LOG", "VMACD_LOG_FORMAT"];
/// Variables of the project's own tests, by which people run them: a program that is started in the same shell has them too.
/// Each is named, so that no misspelt setting passes for one of them.
pub const OF_TESTS: &[&str] = &[
    "VMACD_TEST_AMQP_URL",
    "VMACD_TEST_COMMANDS",
    "VMACD_TEST_DEAD",
    "VMACD_TEST_DEPTH",
    "VMACD_TEST_DEPTH_EMBEDDED",
    "VMACD_TEST_DIR",
    "VMACD_TEST_DRILL_ADDRESSES",
    "VMACD_TEST_DUE_SWITCHES",
    "VMACD_TEST_DUPLICATES",
    "VMACD_TEST_EXAMPLES",
    "VMACD_TEST_FORMER",
    "VMACD_TEST_KEEP",
    "VMACD_TEST_LONG",
    "VMACD_TEST_LONG_BODY_MB",
    "VMACD_TEST_MEMORY_GROUP",
    "VMACD_TEST_MESSAGES",
    "VMACD_TEST_NO_NAMESPACES",
    "VMACD_TEST_NO_SYSTEMD",
    "VMACD_TEST_ORDERS",
    "VMACD_TEST_PAIRS",
    "VMACD_TEST_PART",
    "VMACD_TEST_PATIENCE_S",
    "VMACD_TEST_PGBOUNCER",
    "VMACD_TEST_PGBOUNCER_URL",
    "VMACD_TEST_POOL_MODE",
    "VMACD_TEST_POSTGRES_BIN",
    "VMACD_TEST_POSTGRES_FSYNC",
    "VMACD_TEST_POSTGRES_STATEMENTS",
    "VMACD_TEST_POSTGRES_TLS",
    "VMACD_TEST_POSTGRES_URL",
    "VMACD_TEST_PROFILE",
    "VMACD_TEST_PROMOTIONS",
    "VMACD_TEST_PUSHES",
    "VMACD_TEST_RABBITMQ_CONF",
    "VMACD_TEST_RABBITMQ_JOIN",
    "VMACD_TEST_RABBITMQ_PLUGINS",
    "VMACD_TEST_RABBITMQ_SERVER",
    "VMACD_TEST_SCALING",
    "VMACD_TEST_SCALING_IDLE",
    "VMACD_TEST_SWITCHES",
    "VMACD_TEST_TRIES",
    "VMACD_TEST_UPDATE_DOCS",
    "VMACD_TEST_UPSTREAM",
    "VMACD_TEST_UPSTREAM_PORT",
];
/// How alike a name must be to be suggested: 1 is the same (Jaro-Winkler).
const ALIKE: f64 = 0.8;

/// Sets what the variables say; OpenTelemetry's own count where ours say nothing.
pub(super) fn overlay_all(
    table: &mut Table,
    origins: &mut Origins,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let known = Table::try_from(Settings::default()).expect("the defaults are a table");
    let (standard, own): (Vec<_>, Vec<_>) = variables.partition(|(name, _)| name.starts_with("OTEL_"));
    let standard = standard.into_iter().filter_map(|(name, value)| Some((own_name(&name)?.to_owned(), name, value)));
    let own = own.into_iter().filter(|(name, _)| is_ours(name)).map(|(name, value)| (name.clone(), name, value));
    for (name, variable, value) in standard.chain(own) {
        let setting = overlay(table, &known, &name, value)?;
        origins.set_by(setting, variable);
    }
    Ok(())
}

/// OpenTelemetry's own variables for what is also a setting.
fn own_name(standard: &str) -> Option<&'static str> {
    match standard {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("VMACD_TELEMETRY_OTLP_ENDPOINT"),
        "OTEL_SERVICE_NAME" => Some("VMACD_TELEMETRY_SERVICE_NAME"),
        _ => None,
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("VMACD_") && !OTHERS.contains(&name) && !OF_TESTS.contains(&name) && !is_of_a_service(name)
}

/// Kubernetes gives every container such variables for a service that is called `vmacd`, and Docker for a link of that name
/// (kubernetes.io, "Discovering services": `{NAME}_SERVICE_HOST`, `{NAME}_PORT_80_TCP_ADDR`).
fn is_of_a_service(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("VMACD_") else { return false };
    let is_port = |rest: &str| rest.is_empty() || rest.starts_with('_');
    rest == "SERVICE_HOST" || ["SERVICE_PORT", "PORT"].iter().any(|start| rest.strip_prefix(start).is_some_and(is_port))
}

/// Sets what one variable says, and answers with the setting that it is.
fn overlay(table: &mut Table, known: &Table, variable: &str, value: String) -> Result<String, ConfigError> {
    let unknown = || ConfigError::UnknownVariable { variable: variable.to_owned(), nearest: nearest(variable) };
    let name = variable.strip_prefix("VMACD_").and_then(|name| name.split_once('_'));
    let (section, key) = name.ok_or_else(unknown)?;
    let (section, key) = (section.to_lowercase(), key.to_lowercase());
    let Some(Value::Table(keys)) = known.get(&section) else { return Err(unknown()) };
    let (key, value) = match (keys.get(&key), key.strip_suffix("_file")) {
        (None, Some(base)) if keys.contains_key(base) => (base.to_owned(), from_file(variable, Path::new(&value))?),
        _ => (key, value),
    };
    let value = typed(variable, value, keys.get(&key).ok_or_else(unknown)?)?;
    let setting = format!("{section}.{key}");
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(entry) = entry {
        entry.insert(key, value);
    }
    Ok(setting)
}

/// The variable that is most like this one, where one is.
fn nearest(variable: &str) -> Option<String> {
    // All begin the same, which would make any two alike.
    let bare = |name: &str| name.trim_start_matches("VMACD_").to_owned();
    let (file, plain) = match variable.strip_suffix("_FILE") {
        Some(plain) => ("_FILE", plain),
        None => ("", variable),
    };
    let all = variables().into_iter().chain(OTHERS.map(str::to_owned));
    let scored = all.map(|known| (strsim::jaro_winkler(&bare(plain), &bare(&known)), known));
    let alike = scored.filter(|(score, _)| *score >= ALIKE).max_by(|one, other| one.0.total_cmp(&other.0));
    alike.map(|(_, known)| if known.ends_with(file) { known } else { format!("{known}{file}") })
}

/// The text as a value of the default's type.
fn typed(variable: &str, text: String, default: &Value) -> Result<Value, ConfigError> {
    let wrong = |expected| ConfigError::WrongForm { variable: variable.to_owned(), expected };
    match default {
        Value::Integer(_) => text.trim().parse().map(Value::Integer).map_err(|_| wrong("a whole number")),
        Value::Boolean(_) => text.trim().parse().map(Value::Boolean).map_err(|_| wrong("true or false")),
        Value::Float(_) => text.trim().parse().map(Value::Float).map_err(|_| wrong("a number")),
        Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Ok(Value::Array(parts.map(|part| Value::String(part.to_owned())).collect()))
        }
        Value::String(_) | Value::Datetime(_) | Value::Table(_) => Ok(Value::String(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaid(name: &str) -> Result<(), ConfigError> {
        let variable = std::iter::once((name.to_owned(), "x".to_owned()));
        overlay_all(&mut Table::new(), &mut Origins::without_file(&[]), variable)
    }

    #[test]
    fn a_variable_that_is_none_is_refused_with_the_nearest_that_is_one() {
        for (name, expected) in [
            ("VMACD_DATABSE_URL", Some("VMACD_DATABASE_URL")),
            ("VMACD_DATABASE_URI", Some("VMACD_DATABASE_URL")),
            ("VMACD_DATABASEURL", Some("VMACD_DATABASE_URL")),
            ("VMACD_AMQP_UL", Some("VMACD_AMQP_URL")),
            ("VMACD_RETRY_ATEMPTS", Some("VMACD_RETRY_ATTEMPTS_MAX")),
            ("VMACD_SSH_PASWORD_FILE", Some("VMACD_SSH_PASSWORD_FILE")),
            ("VMACD_SHH_KEY_FILE", Some("VMACD_SSH_KEY_FILE")),
            ("VMACD_CONFG", Some("VMACD_CONFIG")),
            ("VMACD_LOGS", Some("VMACD_LOG")),
            ("VMACD_XYZZY", None),
            ("VMACD_TEST", None),
            ("VMACD_TEST_XYZZY", None),
            ("VMACD_", None),
        ] {
            let Err(ConfigError::UnknownVariable { variable, nearest }) = overlaid(name) else { panic!("{name}") };
            assert_eq!((variable.as_str(), nearest.as_deref()), (name, expected));
        }
    }

    #[test]
    fn variables_of_others_are_none_of_ours() {
        for name in ["PATH", "VMAC_URL", "VMACD_CONFIG", "VMACD_LOG", "VMACD_LOG_FORMAT", "OTEL_TRACES_SAMPLER"] {
            assert!(overlaid(name).is_ok(), "{name}");
        }
        for name in ["VMACD_SERVICE_HOST", "VMACD_SERVICE_PORT", "VMACD_SERVICE_PORT_HTTP", "VMACD_PORT"] {
            assert!(overlaid(name).is_ok(), "{name}");
        }
        assert!(OF_TESTS.iter().all(|name| overlaid(name).is_ok()));
        assert!(overlaid("VMACD_PORT_8080_TCP_ADDR").is_ok());
        assert!(overlaid("VMACD_PORTS").is_err() && overlaid("VMACD_SERVICE_HOSTS").is_err());
    }
}
