//! Reading the settings from their three sources.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Settings;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file, or one named by a `..._FILE` variable, cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or holds an unknown key or a value of the wrong type.
    #[error("{place}: {}", source.message())]
    Malformed {
        /// The file, or `the environment`.
        place: String,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// A variable names a setting that does not exist.
    #[error("{variable}: there is no setting `{key}` in section `{section}`; `vmacd config` lists them")]
    UnknownVariable {
        /// The variable.
        variable: String,
        /// The section it names.
        section: String,
        /// The key that is not there.
        key: String,
    },
    /// A variable's value has the wrong form.
    #[error("{variable}: expected {expected}")]
    WrongForm {
        /// The variable.
        variable: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A value is out of its range, or two do not go together.
    #[error("{setting}: {problem}")]
    Invalid {
        /// The setting.
        setting: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// Reads the settings: `file` as given (`--config` or `VMACD_CONFIG`), else `vmacd.toml` where it
/// exists; then `variables`, those of the environment.
///
/// # Errors
/// [`ConfigError`] names the file, variable or setting at fault.
pub fn load(file: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> Result<Settings, ConfigError> {
    let mut table = match file {
        Some(path) => read_file(path)?,
        None if Path::new("vmacd.toml").exists() => read_file(Path::new("vmacd.toml"))?,
        None => Table::new(),
    };
    let known = Table::try_from(Settings::default()).expect("the defaults are a table");
    let (standard, own): (Vec<_>, Vec<_>) = variables.partition(|(name, _)| name.starts_with("OTEL_"));
    let standard = standard.into_iter().filter_map(|(name, value)| Some((own_name(&name)?.to_owned(), value)));
    for (variable, value) in standard.chain(own) {
        overlay(&mut table, &known, &variable, value)?;
    }
    let mut settings: Settings = table
        .try_into()
        .map_err(|source| ConfigError::Malformed { place: "the settings".to_owned(), source: Box::new(source) })?;
    settings.read_hook_secrets()?;
    settings.validate()?;
    Ok(settings)
}

/// OpenTelemetry's own variables for what is also a setting.
fn own_name(standard: &str) -> Option<&'static str> {
    match standard {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("VMACD_TELEMETRY_OTLP_ENDPOINT"),
        "OTEL_SERVICE_NAME" => Some("VMACD_TELEMETRY_SERVICE_NAME"),
        _ => None,
    }
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = read(path)?;
    let malformed = |source| ConfigError::Malformed { place: path.display().to_string(), source: Box::new(source) };
    // Checked as settings here already, so that the error can name the file.
    toml::from_str::<Settings>(&text).map_err(malformed)?;
    text.parse().map_err(malformed)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

/// Sets what one environment variable says; variables of other sections are none of ours.
fn overlay(table: &mut Table, known: &Table, variable: &str, value: String) -> Result<(), ConfigError> {
    let Some((section, key)) = variable.strip_prefix("VMACD_").and_then(|name| name.split_once('_')) else {
        return Ok(());
    };
    let (section, key) = (section.to_lowercase(), key.to_lowercase());
    let Some(Value::Table(keys)) = known.get(&section) else { return Ok(()) };
    let (key, value) = match (keys.get(&key), key.strip_suffix("_file")) {
        (None, Some(base)) if keys.contains_key(base) => (base.to_owned(), from_file(Path::new(&value))?),
        _ => (key, value),
    };
    let Some(default) = keys.get(&key) else {
        return Err(ConfigError::UnknownVariable { variable: variable.to_owned(), section, key });
    };
    let value = typed(variable, value, default)?;
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(entry) = entry {
        entry.insert(key, value);
    }
    Ok(())
}

/// A secret that stands in a file alone.
pub(super) fn from_file(path: &Path) -> Result<String, ConfigError> {
    Ok(read(path)?.trim_end_matches(['\r', '\n']).to_owned())
}

/// The text as a value of the default's type.
fn typed(variable: &str, text: String, default: &Value) -> Result<Value, ConfigError> {
    let wrong = |expected| ConfigError::WrongForm { variable: variable.to_owned(), expected };
    match default {
        Value::Integer(_) => text.trim().parse().map(Value::Integer).map_err(|_| wrong("a whole number")),
        Value::Boolean(_) => text.trim().parse().map(Value::Boolean).map_err(|_| wrong("true or false")),
        Value::Float(_) => text.trim().parse().map(Value::Float).map_err(|_| wrong("a number")),
        Value::String(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => Ok(Value::String(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_environment(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        load(None, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn variables_set_what_they_name() {
        let settings = from_environment(&[
            ("VMACD_DATABASE_URL", "postgres://vmacd:pw@db/wsh_infra"),
            ("VMACD_RETRY_ATTEMPTS_MAX", "3"),
            ("VMACD_SSH_PASSWORD", "12345"),
            ("VMACD_SSH_KEY_FILE", "/etc/vmacd/key"),
            ("PATH", "/bin"),
        ])
        .expect("settings");
        assert_eq!(settings.retry.attempts_max, 3);
        assert_eq!(settings.ssh.password.reveal(), "12345");
        assert_eq!(settings.ssh.key_file, Path::new("/etc/vmacd/key"));
        assert!(!format!("{settings:?}").contains("pw@"));
    }

    #[test]
    fn the_standard_variables_of_opentelemetry_count_where_ours_say_nothing() {
        let standard = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318");
        let settings = from_environment(&[standard, ("OTEL_TRACES_SAMPLER", "always_on")]).expect("settings");
        assert_eq!(settings.telemetry.otlp_endpoint, "http://otel:4318");
        let settings = from_environment(&[("VMACD_TELEMETRY_OTLP_ENDPOINT", ""), standard]).expect("settings");
        assert_eq!(settings.telemetry.otlp_endpoint, "");
    }

    #[test]
    fn a_secret_can_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "hunter2\n").expect("written");
        let settings = from_environment(&[("VMACD_SSH_PASSWORD_FILE", &file.path().display().to_string())]);
        assert_eq!(settings.expect("settings").ssh.password.reveal(), "hunter2");
    }

    #[test]
    fn errors_name_what_is_wrong() {
        for (variable, value, expected) in [
            ("VMACD_RETRY_ATTEMPTS_MAX", "many", "VMACD_RETRY_ATTEMPTS_MAX: expected a whole number"),
            ("VMACD_RETRY_ATEMPTS", "3", "VMACD_RETRY_ATEMPTS: there is no setting `atempts` in section `retry`"),
            ("VMACD_RETRY_ATTEMPTS_MAX", "0", "retry.attempts_max: out of range: expected at least 1"),
            ("VMACD_TELEMETRY_SAMPLE_RATIO", "1.5", "telemetry.sample_ratio: out of range: expected 0 to 1"),
            (
                "VMACD_TELEMETRY_OTLP_ENDPOINT",
                "https://otel:4318",
                "telemetry.otlp_endpoint: out of range: expected a URL",
            ),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "otel:4317", "telemetry.otlp_endpoint: out of range: expected a URL"),
            ("VMACD_HTTP_ADDR", "0.0.0.0:8080", "api.token: "),
        ] {
            let error = from_environment(&[(variable, value)]).expect_err("refused").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
