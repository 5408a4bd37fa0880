//! The ranges of the settings, and how they depend on one another.

use std::net::SocketAddr;

use super::{AmqpSettings, ConfigError, RetentionSettings, ServiceUrl, Settings};
use crate::domain::{AllowedNets, shown};

const ENDPOINT: &str = "a URL such as http://127.0.0.1:4318, without user, password or parameters, which are not sent; https is \
    not spoken: send to a collector on this host and let it carry the traces on encrypted";

const NO_CERTIFICATE: &str = "is set, but amqp.cert_file, whose key it is for, is not";
const REVOKED_DAYS: &str =
    "at least 1 and at most retention.events_days: who revoked is taken out of the event before it goes";

const COMMANDS_DAYS: &str = "0, or longer than broker.archive_age_max_ms: what is read again from the archive is recognised by the commands that are kept";
const DAY_MS: u64 = 86_400_000;

impl RetentionSettings {
    /// True where a command stays for longer than its message may be read again.
    fn keeps_commands_longer_than(&self, archive_age_max_ms: u64) -> bool {
        self.commands_days == 0 || u64::from(self.commands_days) * DAY_MS > archive_age_max_ms
    }

    /// True where revoked rows take what they need out of their events before these go.
    const fn takes_from_events(&self) -> bool {
        self.events_days == 0 || (self.revoked_days > 0 && self.revoked_days <= self.events_days)
    }
}

impl Settings {
    /// Checks every dependency, and whatever is not a number. Numbers have been checked before.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first that does not hold.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.validate_urls()?;
        let rules = [
            ("broker.namespace", is_namespace(&self.broker.namespace), "letters, digits, `-`, `_`, `.`, at most 64"),
            ("retry.delay_max_ms", self.retry.delay_max_ms >= self.retry.delay_min_ms, "at least retry.delay_min_ms"),
            (
                "retention.commands_days",
                self.retention.keeps_commands_longer_than(self.broker.archive_age_max_ms),
                COMMANDS_DAYS,
            ),
            ("retention.revoked_days", self.retention.takes_from_events(), REVOKED_DAYS),
            ("telemetry.otlp_endpoint", is_endpoint(&self.telemetry.otlp_endpoint), ENDPOINT),
            (
                "ssh.confirm_timeout_min",
                u64::from(self.ssh.confirm_timeout_min) * 60_000 > self.ssh.commit_timeout_ms,
                "longer than ssh.commit_timeout_ms, else a commit is rolled back before it can be confirmed",
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((setting, _, expected)) => {
                Err(ConfigError::Invalid { setting: setting.to_owned(), problem: format!("expected {expected}") })
            }
            None => {
                let rest = self.validate_http().and_then(|()| self.validate_hooks());
                rest.and_then(|()| self.mac_pools().map(|_| ())).and_then(|()| self.internal_nets().map(|_| ()))
            }
        }
    }

    /// The internal nets that webhooks may reach.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first that is none.
    pub fn internal_nets(&self) -> Result<AllowedNets, ConfigError> {
        AllowedNets::of(&self.webhooks.internal).map_err(|text| ConfigError::Invalid {
            setting: "webhooks.internal".to_owned(),
            problem: format!("`{}` is not a net such as 10.1.0.0/16, or one address", shown(&text)),
        })
    }

    fn validate_urls(&self) -> Result<(), ConfigError> {
        let invalid = |setting: &str, problem: String| ConfigError::Invalid { setting: setting.to_owned(), problem };
        let database = "sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE";
        let checked = self.database.url.check(&["sqlite", "postgres", "postgresql"], database);
        checked.map_err(|error| invalid("database.url", error.to_string()))?;
        if !self.database.migrate_url.is_empty() {
            let checked = self.database.migrate_url.check(&["postgres", "postgresql"], "postgres://");
            checked.map_err(|error| invalid("database.migrate_url", error.to_string()))?;
        }
        let checked = self.amqp.url.check(&["amqp", "amqps"], "amqp:// or amqps://");
        checked.map_err(|error| invalid("amqp.url", error.to_string()))?;
        self.amqp_certificate().map_err(|(setting, problem)| invalid(setting, problem.to_owned()))
    }

    /// What belongs to a client certificate is useless without it, and it without TLS.
    fn amqp_certificate(&self) -> Result<(), (&'static str, &'static str)> {
        let AmqpSettings { url, cert_file, key_file, key_passphrase, .. } = &self.amqp;
        if cert_file.as_os_str().is_empty() {
            return match (key_file.as_os_str().is_empty(), key_passphrase.is_empty()) {
                (true, true) => Ok(()),
                (false, _) => Err(("amqp.key_file", NO_CERTIFICATE)),
                (true, false) => Err(("amqp.key_passphrase", NO_CERTIFICATE)),
            };
        }
        match url.iter().all(|url| url.scheme() == Some("amqps")) {
            true => Ok(()),
            false => Err(("amqp.cert_file", "a client certificate needs `amqps://` in each URL of amqp.url")),
        }
    }

    fn validate_http(&self) -> Result<(), ConfigError> {
        let address: SocketAddr = self.http.addr.parse().map_err(|_| ConfigError::Invalid {
            setting: "http.addr".to_owned(),
            problem: "expected ADDRESS:PORT, such as 127.0.0.1:8080".to_owned(),
        })?;
        if !address.ip().is_loopback() && self.api.token.is_empty() {
            let problem = format!("must be set because http.addr {address} is not a loopback address");
            return Err(ConfigError::Invalid { setting: "api.token".to_owned(), problem });
        }
        Ok(())
    }
}

fn is_namespace(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Without a login and parameters: none of them would be sent.
fn is_endpoint(endpoint: &ServiceUrl) -> bool {
    let is_bare = |url: url::Url| {
        let login = (url.username(), url.password());
        url.has_host() && login == ("", None) && url.query().is_none() && url.fragment().is_none()
    };
    let is_http = endpoint.check(&["http"], "http://").is_ok();
    endpoint.is_empty() || (is_http && endpoint.reveal().parse().is_ok_and(is_bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_rows_stay_for_as_long_as_others_need_them() {
        let refused = |commands_days, revoked_days, events_days| {
            let mut settings = Settings::default();
            let retention = &mut settings.retention;
            (retention.commands_days, retention.revoked_days, retention.events_days) =
                (commands_days, revoked_days, events_days);
            settings.validate().err().map(|error| error.to_string()).unwrap_or_default()
        };
        for (commands, revoked, events) in [(30, 30, 60), (0, 0, 0), (4, 1, 1), (30, 30, 0)] {
            assert_eq!(refused(commands, revoked, events), "", "{commands} {revoked} {events}");
        }
        assert!(refused(3, 30, 60).contains("retention.commands_days"), "the archive keeps three days");
        for (revoked, events) in [(61, 60), (0, 60)] {
            assert!(refused(30, revoked, events).contains("retention.revoked_days"), "{revoked} {events}");
        }
    }
}
