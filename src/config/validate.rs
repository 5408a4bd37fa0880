//! The ranges of the settings, and how they depend on one another.

use std::net::SocketAddr;

use super::{ConfigError, Settings};

const ENDPOINT: &str = "a URL such as http://127.0.0.1:4318; https is not spoken: send to a collector on this host and \
    let it carry the traces on encrypted";

impl Settings {
    /// Checks every range and every dependency.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first that does not hold.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some((setting, expected)) = self.out_of_range() {
            return Err(ConfigError::Invalid { setting, problem: format!("out of range: expected {expected}") });
        }
        let rules = [
            ("broker.namespace", is_namespace(&self.broker.namespace), "letters, digits, `-`, `_`, `.`, at most 64"),
            ("retry.delay_max_ms", self.retry.delay_max_ms >= self.retry.delay_min_ms, "at least retry.delay_min_ms"),
            ("telemetry.otlp_endpoint", is_endpoint(&self.telemetry.otlp_endpoint), ENDPOINT),
            (
                "ssh.confirm_timeout_min",
                u64::from(self.ssh.confirm_timeout_min) * 60_000 > self.ssh.commit_timeout_ms,
                "longer than ssh.commit_timeout_ms, else a commit is rolled back before it can be confirmed",
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((setting, _, expected)) => Err(ConfigError::Invalid {
                setting: setting.to_owned(),
                problem: format!("out of range: expected {expected}"),
            }),
            None => {
                self.validate_http().and_then(|()| self.validate_hooks()).and_then(|()| self.mac_pools().map(|_| ()))
            }
        }
    }

    fn validate_http(&self) -> Result<(), ConfigError> {
        let address: SocketAddr = self.http.addr.parse().map_err(|_| ConfigError::Invalid {
            setting: "http.addr".to_owned(),
            problem: format!("`{}` is not ADDRESS:PORT, such as 127.0.0.1:8080", self.http.addr),
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

fn is_endpoint(text: &str) -> bool {
    text.is_empty() || url::Url::parse(text).is_ok_and(|url| url.scheme() == "http" && url.has_host())
}
