//! Reading the settings from their three sources.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Settings;
use super::section::out_of_range;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file that a setting names cannot be read. It is not repeated: it may be the secret itself, set by mistake.
    #[error("{setting}: cannot read the file that it names")]
    UnreadableSecret {
        /// The variable or setting.
        setting: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or holds an unknown key or a value of the wrong type. Without the error of the parser, which
    /// repeats the line, and it may be one with a secret.
    #[error("{place}: {problem}")]
    Malformed {
        /// The file and its line, or the setting.
        place: String,
        /// What is wrong, without the value.
        problem: String,
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
    let mut settings = typed_settings(table)?;
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
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let malformed = |error: toml::de::Error| {
        let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        malformed(format!("{}{line}", path.display()), &error)
    };
    let table: Table = text.parse().map_err(malformed)?;
    // Checked as settings here already, so that the error can name file and line.
    match toml::from_str::<Settings>(&text) {
        Ok(_) => Ok(table),
        Err(error) => Err(check_ranges(&table).err().unwrap_or_else(|| malformed(error))),
    }
}

/// The settings that the table holds, each number within its range.
fn typed_settings(table: Table) -> Result<Settings, ConfigError> {
    check_ranges(&table)?;
    table.try_into().map_err(|error: toml::de::Error| {
        // Without a text to point into, the parser ends its error with the key.
        let told = error.to_string();
        let key = told.lines().rev().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
        malformed(key.unwrap_or("the settings").to_owned(), &error)
    })
}

fn check_ranges(table: &Table) -> Result<(), ConfigError> {
    match out_of_range(&Settings::sections(), table) {
        None => Ok(()),
        Some((setting, problem)) => Err(ConfigError::Invalid { setting, problem }),
    }
}

fn malformed(place: String, error: &toml::de::Error) -> ConfigError {
    ConfigError::Malformed { place, problem: without_value(error.message()) }
}

/// What is wrong with a value without the value, which may be a secret of the wrong type or in the wrong place. What was
/// expected comes last, and from the program.
fn without_value(message: &str) -> String {
    let repeats = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    match (repeats.iter().find(|start| message.starts_with(**start)), message.rsplit_once(", expected ")) {
        (Some(_), Some((_, expected))) => format!("wrong value: expected {expected}"),
        (Some(start), None) => (*start).to_owned(),
        (None, _) => message.to_owned(),
    }
}

/// Sets what one environment variable says; variables of other sections are none of ours.
fn overlay(table: &mut Table, known: &Table, variable: &str, value: String) -> Result<(), ConfigError> {
    let Some((section, key)) = variable.strip_prefix("VMACD_").and_then(|name| name.split_once('_')) else {
        return Ok(());
    };
    let (section, key) = (section.to_lowercase(), key.to_lowercase());
    let Some(Value::Table(keys)) = known.get(&section) else { return Ok(()) };
    let (key, value) = match (keys.get(&key), key.strip_suffix("_file")) {
        (None, Some(base)) if keys.contains_key(base) => (base.to_owned(), from_file(variable, Path::new(&value))?),
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

/// A secret that is alone in the file that this setting names.
pub(super) fn from_file(setting: &str, path: &Path) -> Result<String, ConfigError> {
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|source| ConfigError::UnreadableSecret { setting: setting.to_owned(), source })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
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
        assert_eq!(settings.telemetry.otlp_endpoint.reveal(), "http://otel:4318");
        let settings = from_environment(&[("VMACD_TELEMETRY_OTLP_ENDPOINT", ""), standard]).expect("settings");
        assert!(settings.telemetry.otlp_endpoint.is_empty());
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
            ("VMACD_RETRY_ATTEMPTS_MAX", "0", "retry.attempts_max: 0 is out of range: expected 1 to "),
            ("VMACD_BROKER_PREFETCH", "70000", "broker.prefetch: 70000 is out of range: expected 1 to 65535"),
            ("VMACD_LEASE_TTL_MS", "-1", "lease.ttl_ms: -1 is out of range: expected 1000 to 3600000 milliseconds"),
            (
                "VMACD_SSH_CONFIRM_TIMEOUT_MIN",
                "0",
                "ssh.confirm_timeout_min: 0 is out of range: expected 1 to 65535 minutes",
            ),
            ("VMACD_TELEMETRY_SAMPLE_RATIO", "1.5", "telemetry.sample_ratio: 1.5 is out of range: expected 0 to 1"),
            ("VMACD_TELEMETRY_SAMPLE_RATIO", "NaN", "telemetry.sample_ratio: nan is out of range: expected 0 to 1"),
            ("VMACD_DRIFT_MODE", "s3cret", "drift.mode: wrong value: expected one of `observe`, `enforce`, `off`"),
            ("VMACD_API_TOKEN_FILE", "s3cret", "VMACD_API_TOKEN_FILE: cannot read the file that it names"),
            ("VMACD_DATABASE_URL", "mysql://u:s3cret@db", "database.url: expected a URL that begins with sqlite://"),
            ("VMACD_AMQP_URL", "amqp://u:s3/cret@mq", "amqp.url: the user, the password or a parameter holds a `/`"),
            ("VMACD_TELEMETRY_OTLP_ENDPOINT", "https://otel:4318", "telemetry.otlp_endpoint: expected a URL"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "otel:4317", "telemetry.otlp_endpoint: expected a URL"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:s3cret@otel:4317", "telemetry.otlp_endpoint: expected a URL"),
            ("VMACD_HTTP_ADDR", "0.0.0.0:8080", "api.token: "),
        ] {
            let error = from_environment(&[(variable, value)]).expect_err("refused").to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("s3"), "{error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_by_its_line_without_repeating_it() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for (text, expected) in [
            ("[api]\ntoken = s3cret", ", line 2: "),
            ("[api]\ntoken = \"s3cret", ", line 2: "),
            ("[api]\ntoken = 5353", ", line 2: wrong value: expected a string"),
            ("\n[ssh]\npassword = [\"s3cret, expected x, expected\"]", ", line 3: wrong value: expected a string"),
            ("ssh = \"s3cret\"", ", line 1: wrong value: expected struct SshSettings"),
            ("[credentials]\ncore = \"s3cret, expected s3cret\"", ", line 2: wrong value: expected struct Credential"),
            ("[database]\nurl = 5353", ", line 2: wrong value: expected a string"),
            ("[broker]\nprefetch = -1", "broker.prefetch: -1 is out of range: expected 1 to 65535"),
            ("[retry]\nattempt_max = 3", ", line 2: unknown field `attempt_max`, expected one of"),
        ] {
            std::fs::write(file.path(), text).expect("written");
            let error = load(Some(file.path()), std::iter::empty()).expect_err(text);
            let told = format!("{error:#} {error:?}");
            assert!(told.contains(expected), "{text}: {told}");
            assert!(!told.contains("s3cret") && !told.contains("5353"), "{text}: {told}");
            assert!(std::error::Error::source(&error).is_none(), "{text}: a cause that may repeat the line");
        }
    }
    #[test]
    fn every_number_is_taken_at_both_ends_of_its_range_and_refused_beyond_them() {
        for section in Settings::sections() {
            for (key, range) in section.keys.iter().filter_map(|key| Some((key, key.range?))) {
                let is_whole = key.default.is_integer();
                let with = |number: f64| {
                    let value = if is_whole { Value::Integer(number as i64) } else { Value::Float(number) };
                    let keys = Table::from_iter([(key.name.to_owned(), value)]);
                    let of = |name: &str, keys| Table::from_iter([(name.to_owned(), Value::Table(keys))]);
                    typed_settings(match section.name.split_once('.') {
                        None => of(&section.name, keys),
                        Some((root, name)) => of(root, of(name, keys)),
                    })
                };
                let name = format!("{}.{}", section.name, key.name);
                assert!(with(range.min).is_ok() && with(range.max).is_ok(), "{name}: {range}");
                let step = if is_whole { 1.0 } else { 0.5 };
                for beyond in [range.min - step, range.max + step, -9.0e15, 9.0e15] {
                    let error = with(beyond).expect_err("out of range").to_string();
                    let unit = if key.name.ends_with("_ms") { " milliseconds" } else { "" };
                    let shown = if is_whole { beyond.to_string() } else { Value::Float(beyond).to_string() };
                    let expected = format!("{name}: {shown} is out of range: expected {range}{unit}");
                    assert!(error.starts_with(&expected), "{error}");
                }
            }
        }
    }
}
