//! The ranges of the settings, and how they depend on one another.

use std::net::SocketAddr;

use super::{ConfigError, Settings};

impl Settings {
    /// Checks every range and every dependency.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first that does not hold.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let rules = [
            ("database.connections_max", (2..=100).contains(&self.database.connections_max), "2 to 100"),
            ("broker.prefetch", self.broker.prefetch >= 1, "1 to 65535"),
            ("broker.namespace", is_namespace(&self.broker.namespace), "letters, digits, `-`, `_`, `.`, at most 64"),
            ("retry.attempts_max", self.retry.attempts_max >= 1, "at least 1"),
            ("retry.delay_min_ms", self.retry.delay_min_ms >= 10, "at least 10"),
            ("retry.delay_max_ms", self.retry.delay_max_ms >= self.retry.delay_min_ms, "at least retry.delay_min_ms"),
            ("worker.intake_batch_max", (1..=1000).contains(&self.worker.intake_batch_max), "1 to 1000"),
            ("worker.changes_per_commit_max", self.worker.changes_per_commit_max >= 1, "at least 1"),
            ("worker.lane_messages_max", self.worker.lane_messages_max >= 1, "at least 1"),
            ("worker.sessions_max", self.worker.sessions_max >= 1, "at least 1"),
            ("worker.pushes_max", self.worker.pushes_max >= 1, "at least 1"),
            ("worker.circuit_failures_max", self.worker.circuit_failures_max >= 1, "at least 1"),
            ("worker.sweep_interval_ms", self.worker.sweep_interval_ms >= 10, "at least 10"),
            ("lease.ttl_ms", self.lease.ttl_ms >= 1_000, "at least 1000"),
            ("lease.poll_ms", self.lease.poll_ms >= 10, "at least 10"),
            ("ssh.confirm_timeout_min", (1..=65_535).contains(&self.ssh.confirm_timeout_min), "1 to 65535"),
            (
                "ssh.confirm_timeout_min",
                u64::from(self.ssh.confirm_timeout_min) * 60_000 > self.ssh.commit_timeout_ms,
                "longer than ssh.commit_timeout_ms, else a commit is rolled back before it can be confirmed",
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((setting, _, expected)) => Err(ConfigError::Invalid {
                setting: setting.into(),
                problem: format!("out of range: expected {expected}"),
            }),
            None => self.validate_http().and_then(|()| self.validate_hooks()),
        }
    }

    fn validate_http(&self) -> Result<(), ConfigError> {
        let address: SocketAddr = self.http.addr.parse().map_err(|_| ConfigError::Invalid {
            setting: "http.addr".into(),
            problem: format!("`{}` is not ADDRESS:PORT, such as 127.0.0.1:8080", self.http.addr),
        })?;
        if !address.ip().is_loopback() && self.api.token.is_empty() {
            let problem = format!("must be set because http.addr {address} is not a loopback address");
            return Err(ConfigError::Invalid { setting: "api.token".into(), problem });
        }
        Ok(())
    }
}

fn is_namespace(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
