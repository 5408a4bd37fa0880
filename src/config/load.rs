//! Reading the settings from their three sources.

use std::path::{Path, PathBuf};

use toml::Table;

use super::Settings;
use super::origins::{Loaded, Origins};
use super::section::out_of_range;
use super::variables::overlay_all;

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
    /// A variable begins as those of vmacd do, and is none of them.
    #[error("{variable} is set, but there is no such setting")]
    UnknownVariable {
        /// The variable.
        variable: String,
        /// The one that may be meant.
        nearest: Option<String>,
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

/// Where the settings are looked for when no file is named; the first that is there counts.
const USUAL_FILES: [&str; 2] = ["vmacd.toml", "/etc/vmacd/vmacd.toml"];

/// Reads the settings: `file` as given (`--config` or `VMACD_CONFIG`), else `vmacd.toml` in this folder, else
/// `/etc/vmacd/vmacd.toml`, where there is one; then `variables`, those of the environment.
///
/// # Errors
/// [`ConfigError`] names the file, variable or setting at fault.
pub fn load(file: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> Result<Loaded, ConfigError> {
    load_from(file, &USUAL_FILES.map(Path::new), variables)
}

fn load_from(
    file: Option<&Path>,
    usual: &[&Path],
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let found = match file {
        Some(path) => Some((path, read_file(path)?)),
        None => first_there(usual)?,
    };
    let (file, mut table) = found.map_or((None, Table::new()), |(path, table)| (Some(path), table));
    let mut origins = match file {
        Some(path) => Origins::of_file(path, &table),
        None => Origins::without_file(usual),
    };
    overlay_all(&mut table, &mut origins, variables)?;
    let mut settings = typed_settings(table)?;
    settings.read_hook_secrets()?;
    settings.validate()?;
    Ok(Loaded { settings, origins })
}

/// The first of these files that is there. One that is there and cannot be read is not passed over: with other settings the
/// program would work on another database.
fn first_there<'a>(usual: &[&'a Path]) -> Result<Option<(&'a Path, Table)>, ConfigError> {
    for path in usual {
        match read_file(path) {
            Err(ConfigError::Unreadable { source, .. }) if is_absent(&source) => {}
            read => return read.map(|table| Some((*path, table))),
        }
    }
    Ok(None)
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
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

/// A secret that is alone in the file that this setting names.
pub(super) fn from_file(setting: &str, path: &Path) -> Result<String, ConfigError> {
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|source| ConfigError::UnreadableSecret { setting: setting.to_owned(), source })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use toml::Value;

    use super::*;

    fn from_environment(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load_from(None, &[], variables).map(|loaded| loaded.settings)
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
            ("VMACD_RETRY_ATEMPTS", "s3", "VMACD_RETRY_ATEMPTS is set, but there is no such setting"),
            ("VMACD_RETRY_ATTEMPTS_MAX", "0", "retry.attempts_max: 0 is out of range: expected 1 to "),
            ("VMACD_WORKER_PUSHES_MAX", "70000", "worker.pushes_max: 70000 is out of range: expected 1 to 65535"),
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
            ("VMACD_AMQP_URL", "amqp://u:s3,cret@mq", "amqp.url: expected whole URLs separated by commas"),
            ("VMACD_AMQP_KEY_PASSPHRASE", "s3cret", "amqp.key_passphrase: is set, but amqp.cert_file"),
            ("VMACD_AMQP_KEY_FILE", "s3cret", "amqp.key_file: is set, but amqp.cert_file"),
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
    fn a_client_certificate_needs_tls_to_every_node() {
        let with = |url| from_environment(&[("VMACD_AMQP_CERT_FILE", "c.pem"), ("VMACD_AMQP_URL", url)]);
        assert!(with("amqps://a,amqps://b").is_ok() && with("").is_ok());
        let error = with("amqps://a,amqp://b").expect_err("refused").to_string();
        assert_eq!(error, "amqp.cert_file: a client certificate needs `amqps://` in each URL of amqp.url");
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
            ("[worker]\npushes_max = -1", "worker.pushes_max: -1 is out of range: expected 1 to 65535"),
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
    fn the_first_usual_file_that_is_there_counts_and_each_value_says_where_it_comes_from() {
        let folder = tempfile::tempdir().expect("a folder");
        let [here, etc] = ["vmacd.toml", "etc.toml"].map(|name| folder.path().join(name));
        let load = || {
            let url = ("VMACD_SSH_USER".to_owned(), "admin".to_owned());
            load_from(None, &[here.as_path(), etc.as_path()], std::iter::once(url))
        };
        let loaded = load().expect("settings");
        assert!(loaded.origins.sentence("database.url").contains("at its default: there is no "), "{loaded:?}");
        std::fs::write(&etc, "[database]\nurl = \"sqlite:///var/lib/a.db\"\n").expect("written");
        let loaded = load().expect("settings");
        assert_eq!(loaded.settings.database.url.reveal(), "sqlite:///var/lib/a.db");
        let told = ["database.url", "ssh.user", "ssh.agent"].map(|setting| loaded.origins.of(setting));
        assert_eq!(told, [etc.display().to_string(), "VMACD_SSH_USER".to_owned(), "default".to_owned()]);
        std::fs::write(&here, "[ssh]\nuser = \"other\"\n").expect("written");
        let loaded = load().expect("settings");
        assert_eq!(loaded.settings.database.url.reveal(), "sqlite://vmacd.db");
        let sentence = loaded.origins.sentence("database.url");
        assert_eq!(sentence, format!("database.url is at its default: {} does not set it", here.display()));
        std::fs::remove_file(&here).and_then(|()| std::fs::create_dir(&here)).expect("a folder");
        let error = load().expect_err("it is there, and no file").to_string();
        assert!(error.contains(&here.display().to_string()), "{error}");
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
